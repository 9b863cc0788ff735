"""Imports recording files: their rows are stored as they are, with digests, salts and times.

A file is verified as a whole before a row of it is stored. A run of the file that the log has with
the same rows is known; one that the log has the first rows of is extended; any other is a conflict,
and is not changed.
"""

from __future__ import annotations

from itertools import chain, groupby, islice
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from runreel.importing.recording_check import Checked, check
from runreel.importing.recording_reader import RecordingReader
from runreel.importing.recording_writer import ProjectedRows, RecordingWriter, extend_run
from runreel.integrity.checkpoint_format import HeadEntry
from runreel.model.errors import BadRecording
from runreel.model.import_report import Problem
from runreel.projection.projector import DamagedRow
from runreel.projection.tombstone import is_tombstone
from runreel.store.events import stream_heads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from runreel.importing.input_files import Input
    from runreel.model.events import EventRow
    from runreel.model.import_report import Report
    from runreel.store.connection import Connection
    from runreel.store.database import Database

_CHUNK = 1_000
# A tombstone at a later position would take long to store, and no run is that long.
_MAX_PRUNED = 50_000_000


class KnownHead(NamedTuple):
    """What the log has of a run of the file: its last position and the digest there.

    ``at_head`` is its digest at the position of the file's last row, None if it has no such row.
    """

    seq: int
    digest: bytes
    at_head: bytes | None


def import_recording(
    database: Database,
    source: Input,
    report: Report,
    progress: Callable[[int], None] | None = None,
    *,
    checked: Checked | None = None,
) -> Checked:
    """Store the rows of a file, and count them in ``report``; conflicts are problems in it.

    ``progress`` receives the bytes read so far: the file is read twice, unless it was ``checked``.

    Raises:
        BadRecording: if the file was changed or cut off; nothing is stored.
        LogError: if the database fails; runs stored before remain.
    """
    if checked is None:
        checked = check_recording(source, progress)
        done = source.size
    else:
        done = 0
    with source.open() as file:
        reader = RecordingReader(file, source.name)
        importer = _Importer(database, reader, report, checked)

        def step() -> None:
            if progress is not None:
                progress(done + file.tell())

        importer.store(step)
    if database.masking is not None:
        report.notices.append(
            f"rows of the recording {source.name} are stored as they are: mask rules do not apply"
        )
    return checked


def check_recording(source: Input, progress: Callable[[int], None] | None = None) -> Checked:
    """Verify a whole file.

    Raises:
        BadRecording: if it was changed or cut off.
    """
    if source.refusal is not None:
        raise BadRecording(f"{source.name}: {source.refusal}", line=1)
    with source.open() as file:
        return check(file, source.name, progress=progress and (lambda _: progress(file.tell())))


class _Importer:
    """Stores the runs of one file, each as the log needs it."""

    def __init__(
        self, database: Database, reader: RecordingReader, report: Report, checked: Checked
    ) -> None:
        self._database = database
        self._reader = reader
        self._report = report
        self._checked = checked
        self._next = iter(checked.heads.values())
        self._known: dict[str, KnownHead | None] = {}
        self._writer = RecordingWriter(database)
        self._pruned = 0

    def store(self, step: Callable[[], None]) -> None:
        """Store all rows; call ``step`` after each part."""
        for run_id, rows in groupby(self._rows(), key=itemgetter(0)):
            chunks = _chunks(rows)
            try:
                self._store_run(run_id, chunks, step)
            except DamagedRow as error:
                raise BadRecording(
                    f"row {error.row.seq} of run {run_id} in {self._reader.name} cannot be"
                    f" interpreted: {error.__cause__ or error}",
                    line=self._reader.line,
                ) from error
            # A conflict may be found early.
            _exhaust(chunks)
            step()
        self._writer.flush()
        for run_id in self._writer.conflicts:
            self._problem(run_id, "is recorded by another process now: import the file again")
        self._report.lines += self._checked.trailer.rows
        if self._pruned:
            runs = f"{self._pruned:,} run{'s' * (self._pruned != 1)}"
            self._report.notices.append(f"{runs} skipped: pruned earlier")

    def _rows(self) -> Iterator[EventRow]:
        return self._reader.known_rows(self._checked.blocks, self._checked.trailer)

    def _store_run(
        self, run_id: str, chunks: Iterator[list[EventRow]], step: Callable[[], None]
    ) -> None:
        head, known = self._checked.heads[run_id], self._known_head(run_id)
        masks = self._checked.masks.get(run_id, {})
        if known is None:
            self._store_new(run_id, chunks, masks, step)
        elif known.seq >= head.seq:
            self._skip(chunks, head, known)
        else:
            self._extend(run_id, chunks, masks, known)

    def _store_new(
        self,
        run_id: str,
        chunks: Iterable[list[EventRow]],
        masks: dict[int, str],
        step: Callable[[], None],
    ) -> None:
        run = ProjectedRows(run_id, masks)
        for rows in chunks:
            if is_tombstone(rows[0]) and rows[0].seq > _MAX_PRUNED:
                raise BadRecording(
                    f"run {run_id} in {self._reader.name} was pruned at row {rows[0].seq:,}, and"
                    " no run is that long",
                    line=self._reader.line,
                )
            self._writer.add(run.add(rows))
            self._report.events_new += len(rows)
            step()
        self._report.runs_new += 1
        self._report.runs_touched += 1

    def _skip(self, chunks: Iterable[list[EventRow]], head: HeadEntry, known: KnownHead) -> None:
        """Count a run that the log has, or report that it has other rows of it."""
        rows = sum(map(len, chunks))
        if known.at_head == head.digest:
            self._report.events_known += rows
        else:
            self._refuse(head.run_id, [])

    def _extend(
        self,
        run_id: str,
        chunks: Iterator[list[EventRow]],
        masks: dict[int, str],
        known: KnownHead,
    ) -> None:
        """Append the rows after those that the log has, if these are the first of the file."""
        self._writer.flush()
        first = next(chunks)
        head = (known.seq, known.digest)
        if not extend_run(self._database, chain([first], chunks), masks, head=head):
            self._refuse(run_id, first)
            return
        stored = known.seq + 1 - first[0].seq
        new = self._checked.heads[run_id].seq - known.seq
        self._report.events_known += stored
        self._report.events_new += new
        self._report.runs_touched += 1

    def _refuse(self, run_id: str, first: list[EventRow]) -> None:
        with self._database.reading() as connection:
            found = stream_heads.first_and_last(connection, run_id)
        if found is not None and is_tombstone(found[0]):
            self._pruned += 1
            return
        because = "is in the log with other rows"
        if self._checked.manifest.masked:
            because += ": the file has a masked copy of it"
        elif first and is_tombstone(first[0]) and first[0].seq:
            because = "was pruned in the file, and the log has its rows"
        self._problem(run_id, f"{because}; the log was not changed")

    def _problem(self, run_id: str, what: str) -> None:
        message = f"run {run_id} {what}"
        reader = self._reader
        self._report.problems.append(Problem(reader.name, reader.line, message, run_id))

    def _known_head(self, run_id: str) -> KnownHead | None:
        if run_id not in self._known:
            heads = list(islice(self._next, stream_heads.CHUNK))
            with self._database.reading() as connection:
                self._known = _known_heads(connection, heads)
        return self._known[run_id]


def _known_heads(connection: Connection, heads: list[HeadEntry]) -> dict[str, KnownHead | None]:
    """Return what the log has of these runs, at most ``stream_heads.CHUNK``."""
    known: dict[str, KnownHead | None] = dict.fromkeys(head.run_id for head in heads)
    states = stream_heads.lookup_heads(connection, heads)
    found = [
        (HeadEntry(head.run_id, state.last_seq, b""), state.digest)
        for head, state in zip(heads, states, strict=True)
        if state.last_seq is not None
    ]
    if not found:
        return known
    last_states = stream_heads.lookup_heads(connection, [last for last, _ in found])
    for (last, at_head), state in zip(found, last_states, strict=True):
        if state.digest is not None:
            known[last.run_id] = KnownHead(last.seq, state.digest, at_head)
    return known


def _chunks(rows: Iterable[EventRow]) -> Iterator[list[EventRow]]:
    remaining = iter(rows)
    while chunk := list(islice(remaining, _CHUNK)):
        yield chunk


def _exhaust(chunks: Iterable[list[EventRow]]) -> None:
    for _ in chunks:
        pass
