"""Imports archives: reads the lines of their files and stores what is new."""

from __future__ import annotations

from functools import partial
from typing import IO, TYPE_CHECKING, NamedTuple

from runreel.codec.json_text import loads
from runreel.codec.json_values import as_object, text_in
from runreel.importing import input_files
from runreel.importing.archives import llm_log, otlp
from runreel.importing.archives.claude_code import ClaudeCodeLines
from runreel.importing.archives.codex import CodexLines
from runreel.importing.archives.openai_batch import BatchLines
from runreel.importing.archives.otlp import SpanLines
from runreel.importing.archives.stored_messages import StoredMessages
from runreel.importing.archives.writer import ArchiveWriter
from runreel.model.errors import BadInput, BadValue
from runreel.model.import_report import Problem
from runreel.sources.archives.lines import CLAUDE_CODE, CODEX, LLM_LOG, OPENAI_BATCH, OTLP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from runreel.importing.archives.entries import ArchiveLines, LineReader
    from runreel.importing.input_files import Input
    from runreel.model.import_report import Report
    from runreel.store.database import Database

    Step = Callable[[int, int, int], None]

# Lines between two reports of progress.
_STEP = 1_000
_TAIL = 64 * 1024


def import_archives(
    database: Database, files: Sequence[Input], report: Report, step: Step, done: int
) -> None:
    """Store the events of archives; ``done`` is the number of bytes read before."""
    importer = ArchiveImporter(database, report)
    for source in in_order(files):
        importer.store(source, partial(step, done))
        done += source.size
        step(done, 0, report.lines)
    importer.finish()


def in_order(files: Sequence[Input]) -> list[Input]:
    """Return files in the order in which they are read: copies after what they are copies of."""
    return sorted(files, key=_order)


class ArchiveImporter:
    """Reads files of archives, in order, and stores their events."""

    def __init__(self, database: Database, report: Report) -> None:
        self._report = report
        self._writer = ArchiveWriter(database, report)
        self._lines: dict[str, ArchiveLines] = {
            CLAUDE_CODE: ClaudeCodeLines(StoredMessages(database)),
            CODEX: CodexLines(),
            OPENAI_BATCH: BatchLines(),
            OTLP: SpanLines(),
        }
        self._named: set[str] = set()

    def store(self, source: Input, progress: Callable[[int, int], None]) -> None:
        """Store the events of a file."""
        if source.archive == LLM_LOG:
            self._store_database(source)
            return
        if source.refusal is not None and source.archive != OTLP:
            self._problem(source.name, 1, source.refusal)
            return
        reader = self.reader(source)
        with source.open() as file:
            if source.archive == OTLP and _is_one_object(file):
                self.line(source.name, reader, 1, file.read(input_files.MAX_LINE + 1))
                return
            for number, _, raw in input_files.lines(file):
                self.line(source.name, reader, number, raw)
                if number % _STEP == 0:
                    progress(file.tell(), self._report.lines)

    def reader(self, source: Input) -> LineReader:
        """Return a reader for the lines of a file."""
        if source.archive == OTLP and otlp.NOTICE not in self._report.notices:
            self._report.notices.append(otlp.NOTICE)
        return self._lines[source.archive or ""].begin(source.name)

    def _store_database(self, source: Input) -> None:
        if source.copy is not None:
            message = "a database is read from its own file: decompress it first"
            self._problem(source.name, 1, message)
            return
        try:
            for entry in llm_log.entries(source.name):
                self._report.lines += 1
                self._writer.add(source.name, entry)
        except BadInput as error:
            self._problem(source.name, 1, str(error))

    def line(self, name: str, reader: LineReader, number: int, raw: bytes) -> None:
        """Store the events that a line completes; a line that is not understood is a problem."""
        if not raw.strip(b" \t\r\n\0"):
            return
        self._report.lines += 1
        try:
            value = input_files.read_value(raw)
        except BadInput as error:
            cut = "the line is cut off: " if not raw.endswith(b"\n") else ""
            self._problem(name, number, f"{cut}{error}")
            return
        try:
            for entry in reader.read(number, value):
                self._writer.add(name, entry)
        except BadInput as error:
            # Each line of this kind would be named: the first is enough.
            if str(error) not in self._named:
                self._named.add(str(error))
                self._problem(name, number, str(error))

    def flush(self) -> None:
        """Commit what was read."""
        self._writer.flush()

    def finish(self) -> None:
        """Commit what was read, and complete the report."""
        self._writer.finish()

    def _problem(self, name: str, number: int, message: str) -> None:
        self._report.problems.append(Problem(name, number, message, None))


def _is_one_object(file: IO[bytes]) -> bool:
    """Return whether a file is one JSON object over several lines."""
    first = file.readline(input_files.MAX_LINE)
    file.seek(0)
    return bool(first.strip()) and not _object(first)


class _Order(NamedTuple):
    """The order of files, by their content: copies come after what they are copies of."""

    archive: str
    first: str
    is_copy: bool
    last: str
    session: str
    size: int


def _order(source: Input) -> _Order:
    with source.open() as file:
        head = file.read(_TAIL).split(b"\n")
        file.seek(max(0, source.size - _TAIL))
        tail = file.read().split(b"\n")
    begun = [value for value in map(_object, head) if value]
    ended = [value for value in map(_object, reversed(tail[-50:])) if value]
    return _Order(
        source.archive or "",
        _first(begun, "timestamp"),
        any("forkedFrom" in value for value in begun),
        _first(ended, "timestamp"),
        _first(begun, "sessionId"),
        source.size,
    )


def _first(values: Iterable[dict[str, object]], key: str) -> str:
    return next((text for value in values if (text := text_in(value, key))), "")


def _object(raw: bytes) -> dict[str, object]:
    try:
        return as_object(loads(raw))
    except BadValue:
        return {}
