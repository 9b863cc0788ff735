"""Recorded traffic into the log: whole files at once, or one run's lines as they arrive."""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from collections import Counter, OrderedDict, defaultdict
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from io import SEEK_END
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from runreel.batch import Batch
from runreel.recorder import Recorder
from runreel.rules.codec import MAX_DEPTH, dumps
from runreel.rules.ids import check_run_id
from runreel.rules.runs import IMPORT
from runreel.sources.contexts import Contexts
from runreel.sources.lines import Line, parse
from runreel.words.errors import BadInput, RunreelError, UsageError
from runreel.words.log import CONTEXT, NOTE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from runreel.rules.matching import Offer
    from runreel.store.database import Database

    Progress = Callable[[int, int | None, int], None]

MAX_LINE = 64 * 1024 * 1024
# How many runs an import holds open at once.
OPEN_RUNS = 500
_COPY = 1024 * 1024
_TOLD_RUN = re.compile(
    rb'(?:"run_?[iI]d"|"type"\s*:\s*"run"\s*,.{0,200}?"id")\s*:\s*"([^"\\]{1,200})"'
)


class Problem(NamedTuple):
    """A line that was not stored as it stands, or not at all; ``line`` counts from 1."""

    file: str
    line: int
    message: str
    run_id: str | None


@dataclass(slots=True)
class Report:
    """What became of the lines. ``events_known`` were in the log before."""

    lines: int = 0
    events_new: int = 0
    events_known: int = 0
    runs_new: int = 0
    runs_touched: int = 0
    source: str | None = None
    problems: list[Problem] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    def count(self, offer: Offer) -> None:
        """Take in what became of one event."""
        if offer.new and not offer.conflict:
            self.events_new += 1
        elif not offer.conflict:
            self.events_known += 1


def import_files(
    database: Database, paths: Sequence[str], *, progress: Progress | None = None
) -> Report:
    """Store recorded traffic; ``-`` is standard input. Importing again adds nothing.

    A run with a line that cannot be read is left untouched, the rest goes in. ``progress`` is told
    bytes read, bytes in all and lines stored; every file is read twice.

    Raises:
        UsageError: if a file cannot be opened.
        LogError: if the database fails; runs stored before stay.
    """
    report = Report()
    importer = _Importer(database, report)
    with _inputs(paths) as inputs:
        total = sum(source.size for source in inputs) * 2
        done = 0
        for source in inputs:
            with source.open() as file:
                bad = _Survey(source.name, report).of(file)
                file.seek(0)
                importer.store(source.name, file, bad, _step(progress, done + source.size, total))
            done += source.size * 2
            _step(progress, done, total)(0, report.lines)
    importer.finish()
    return report


def record_lines(  # noqa: PLR0913 - what a user can say of a run
    database: Database,
    lines: Iterable[bytes],
    *,
    run_id: str,
    source: str | None = None,
    identity: dict[str, Any] | None = None,
    on_event: Callable[[Report], None] | None = None,
) -> Report:
    """Store one run's events as they arrive, each committed before the next is read.

    The source is told by the first line's shape unless named. Lines that cannot be read are
    reported and left out.
    """
    check_run_id(run_id)
    report = Report(source=source)
    recorder: Recorder | None = None
    try:
        for number, raw in enumerate(lines, 1):
            try:
                line = _line_of(raw, run_id)
                if line is None:
                    continue
                recorder = recorder or _recorder(database, run_id, source or line.source, identity)
                report.source = recorder.source
                if source is None and line.source != recorder.source:
                    raise BadInput(f"this is an event of {line.source}, not of {recorder.source}")
                _offer(recorder, line, report, "-", number)
            except BadInput as error:
                report.problems.append(Problem("-", number, str(error), run_id))
            report.lines += 1
            if on_event is not None:
                on_event(report)
    except BaseException as error:
        if recorder is not None:
            recorder.interrupt(type(error).__name__)
        raise
    if recorder is not None:
        recorder.close()
    return report


class _Survey:
    """The first reading of a file: which runs have lines that cannot be stored."""

    def __init__(self, name: str, report: Report) -> None:
        self._name = name
        self._report = report
        self._last: str | None = None
        self._sources: dict[str, str] = {}
        self._bad: set[str] = set()
        self._doubtful: int | None = None

    def of(self, file: IO[bytes]) -> set[str]:
        """The runs to leave untouched; what is wrong with them goes into the report."""
        for number, _, raw in _lines(file):
            line = None
            try:
                line = _read(raw)
                if line is not None and _is_of_one_run(line):
                    self._place(line)
                    self._resolve()
            except BadInput as error:
                self._blame(number, raw, line, error)
        return self._bad

    def _place(self, line: Line) -> None:
        run_id = line.run_id or self._last
        if run_id is None:
            raise BadInput("this event belongs to no run that the file has told")
        if run_id != self._last:
            self._last = run_id
            check_run_id(run_id)
        source = self._sources.setdefault(run_id, line.source)
        if source != line.source:
            raise BadInput(f"run {run_id} is told by {source} and by {line.source}")

    def _blame(self, number: int, raw: bytes, line: Line | None, error: BadInput) -> None:
        run_id = self._last
        if line is not None:
            run_id = line.run_id or run_id
        elif told := _TOLD_RUN.search(raw[:_COPY]):
            run_id = told[1].decode(errors="replace")
        else:
            self._doubtful = number
        self._refuse(number, str(error), run_id)

    def _resolve(self) -> None:
        """A line that names no run may be of the run before it, or of the one behind it."""
        if self._doubtful is not None and self._last not in self._bad:
            message = f"run {self._last} begins behind this line, which may be of it"
            self._refuse(self._doubtful, message, self._last)
        self._doubtful = None

    def _refuse(self, number: int, message: str, run_id: str | None) -> None:
        self._report.problems.append(Problem(self._name, number, message, run_id))
        if run_id is not None:
            self._bad.add(run_id)


class _Importer:
    """The second reading: each line to the recorders of its runs."""

    def __init__(self, database: Database, report: Report) -> None:
        self._database = database
        self._report = report
        self._batch = Batch(database)
        self._recorders: OrderedDict[str, Recorder] = OrderedDict()
        self._offered: defaultdict[str, Counter[bytes]] = defaultdict(Counter)
        self._refused: set[str] = set()
        self._touched: set[str] = set()

    def store(
        self, name: str, file: IO[bytes], bad: set[str], progress: Callable[[int, int], None]
    ) -> None:
        """Store a file's lines, but for those of the runs that are bad."""
        contexts = Contexts()
        last: str | None = None
        for number, place, raw in _lines(file):
            try:
                line = _read(raw)
            except BadInput:
                continue
            if line is None:
                continue
            self._report.lines += 1
            if line.kind == NOTE:
                self._notice("notes of another recorder were left out")
            elif not _is_of_one_run(line):
                for run_id in contexts.runs_of(line):
                    self._offer(run_id, line, name, number)
                contexts.keep(line, place)
            elif (last := line.run_id or last) is not None and last not in bad:
                for context in _reread(file, contexts.new_for(last, line)):
                    self._offer(last, context, name, number)
                self._offer(last, line, name, number)
            if self._batch.full:
                self._batch.flush()
                progress(file.tell(), self._report.lines)

    def finish(self) -> None:
        """Close what is open and commit what is held."""
        self._close(len(self._recorders))
        self._report.runs_touched = len(self._touched)

    def _offer(self, run_id: str, line: Line, name: str, number: int) -> None:
        if run_id in self._refused:
            return
        try:
            recorder = self._recorder(run_id, line.source)
            _offer(recorder, line, self._report, name, number)
        except RunreelError as error:
            if error.exit_code == 3:
                raise
            self._refused.add(run_id)
            self._report.problems.append(Problem(name, number, str(error), run_id))
            return
        if recorder.opened:
            self._touched.add(run_id)

    def _recorder(self, run_id: str, source: str) -> Recorder:
        recorder = self._recorders.get(run_id)
        if recorder is not None:
            if recorder.source != source:
                raise BadInput(f"run {run_id} is told by {recorder.source} and by {source}")
            self._recorders.move_to_end(run_id)
            return recorder
        if len(self._recorders) >= OPEN_RUNS:
            self._close(OPEN_RUNS // 2)
        recorder = Recorder(
            self._database,
            run_id,
            source=source,
            via=IMPORT,
            batch=self._batch,
            offered=self._offered[run_id],
        )
        if recorder.last_seq < 0:
            self._report.runs_new += 1
        self._recorders[run_id] = recorder
        return recorder

    def _close(self, count: int) -> None:
        """Close the runs that have been quiet longest; their rows are committed then."""
        for _ in range(count):
            _, recorder = self._recorders.popitem(last=False)
            recorder.close()
        self._batch.flush()

    def _notice(self, text: str) -> None:
        if text not in self._report.notices:
            self._report.notices.append(text)


def _offer(recorder: Recorder, line: Line, report: Report, name: str, number: int) -> None:
    offer = recorder.offer(line.kind, line.value)
    report.count(offer)
    if offer.conflict:
        message = (
            f"run {recorder.run_id} has this event with other content in row {offer.seq}:"
            " that stays, this is kept as a conflict note"
        )
        report.problems.append(Problem(name, number, message, recorder.run_id))
    if offer.missing:
        message = f"{offer.missing} of the source's events are missing before this one"
        report.problems.append(Problem(name, number, message, recorder.run_id))


def _recorder(
    database: Database, run_id: str, source: str, identity: dict[str, Any] | None
) -> Recorder:
    return Recorder(database, run_id, source=source, via="lines", identity=identity)


def _line_of(raw: bytes, run_id: str) -> Line | None:
    line = _read(raw)
    if line is not None and line.run_id not in (None, run_id):
        raise BadInput(f"this line is of run {line.run_id}, not of {run_id}")
    return line


def _read(raw: bytes) -> Line | None:
    if len(raw) > MAX_LINE:
        raise BadInput(f"the line is longer than {MAX_LINE >> 20} MiB")
    line = parse(raw)
    if line is not None and raw.count(b"{") + raw.count(b"[") > MAX_DEPTH:
        dumps(line.value)  # found too deep here, before anything of its run is stored
    return line


def _is_of_one_run(line: Line) -> bool:
    return line.kind != NOTE and (line.kind != CONTEXT or line.run_id is not None)


def _lines(file: IO[bytes]) -> Iterator[tuple[int, int, bytes]]:
    """Each line with its number and its place in the file."""
    number = place = 0
    while raw := file.readline(MAX_LINE + 1):
        number += 1
        yield number, place, raw
        place += len(raw)
        while len(raw) > MAX_LINE and not raw.endswith(b"\n"):
            raw = file.readline(MAX_LINE + 1)
            place += len(raw)


def _reread(file: IO[bytes], places: list[int]) -> Iterator[Line]:
    """The lines at these places once more."""
    if not places:
        return
    here = file.tell()
    for place in places:
        file.seek(place)
        if (line := _read(file.readline(MAX_LINE))) is not None:
            yield line
    file.seek(here)


def _step(progress: Progress | None, done: int, total: int) -> Callable[[int, int], None]:
    def step(read: int, lines: int) -> None:
        if progress is not None:
            progress(done + read, total, lines)

    return step


class _Input(NamedTuple):
    """A file that can be read twice; ``copy`` is of one that cannot."""

    name: str
    size: int
    copy: IO[bytes] | None

    def open(self) -> IO[bytes]:
        """Its content, from the beginning."""
        return Path(self.name).open("rb") if self.copy is None else self.copy


@contextmanager
def _inputs(paths: Sequence[str]) -> Iterator[list[_Input]]:
    with ExitStack() as copies:
        yield [_input(path, copies) for path in paths]


def _input(path: str, copies: ExitStack) -> _Input:
    try:
        with nullcontext(sys.stdin.buffer) if path == "-" else Path(path).open("rb") as file:
            if path != "-" and file.seekable():
                return _Input(path, file.seek(0, SEEK_END), None)
            copy = copies.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - it is
            shutil.copyfileobj(file, copy, _COPY)
            size = copy.tell()
            copy.seek(0)
            return _Input(path, size, copy)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
