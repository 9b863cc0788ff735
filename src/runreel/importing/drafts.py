"""Drafts of new runs: their rows and projections, made from lines without the log.

A draft is made of a part of a file that holds whole runs. Where the log would be needed, as for an
event that arrives twice, there is no draft, and the importer stores the part itself.
"""

from __future__ import annotations

import io
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from runreel.importing.batch import Batch
from runreel.importing.drafted_run import Draft, DraftedRun
from runreel.importing.importer import Importer
from runreel.importing.input_files import Lines
from runreel.importing.prescan import LastLineIndex
from runreel.importing.run_import import ImportedRun
from runreel.importing.text_stretches import TextStretch
from runreel.model.import_report import Report
from runreel.projection.run_mapper import to_row
from runreel.store.database import Database
from runreel.system import process_identity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import IO

    from runreel.importing.batch import PendingRun
    from runreel.importing.file_parts import FilePart
    from runreel.importing.prescan import ImportPrescan
    from runreel.importing.text_stretches import Stretches
    from runreel.store.connection import Connection
    from runreel.system.process_identity import Process


class Segment(NamedTuple):
    """The lines of a part of a file, and what is known about its runs.

    ``items`` are numbers of lines with their bytes, and stretches. ``contexts`` are lines that
    stand before it in the file.
    """

    name: str
    before: int
    items: list[tuple[int, bytes] | TextStretch]
    last_lines: Mapping[str, int]
    bad: frozenset[str]
    contexts: list[bytes]


class NotDrafted(Exception):
    """A segment cannot be drafted without the log."""


def read_segment(
    file: IO[bytes],
    part: FilePart,
    prescan: ImportPrescan,
    last_lines: LastLineIndex,
    stretches: Stretches,
) -> Segment:
    """Read the lines of a part of a file, but those that are in stretches."""
    lines = Lines(file, part.number, part.start, part.number + part.lines)
    items: list[tuple[int, bytes] | TextStretch] = []
    offset = part.before - part.number
    for number, _, raw in lines:
        items.append((number, raw))
        while (stretch := stretches.next_at(offset + lines.number + 1)) is not None:
            items.append(stretch)
            lines.skip(len(stretch.added), stretch.end)
    contexts = []
    for place in prescan.contexts:
        file.seek(place)
        contexts.append(file.readline())
    ends = {run_id: last_lines.last_line_of(run_id) for run_id in part.runs}
    return Segment(prescan.name, part.before, items, ends, frozenset(prescan.bad), contexts)


def draft(database: Database, segment: Segment) -> Draft:
    """Draft the runs of a segment; ``database`` is not read.

    Raises:
        NotDrafted: if that needs the log.
    """
    report, batch, lines = Report(), _DraftBatch(database), _SegmentLines(segment)
    last_lines = LastLineIndex()
    for run_id, last_lines.lines in segment.last_lines.items():
        last_lines.mark(run_id)
    importer = _DraftImporter(database, report, last_lines, lines, batch)
    contexts = b"".join(segment.contexts)
    importer.open(io.BytesIO(contexts), segment.name, segment.bad, _no_progress)
    importer.know_contexts(segment.contexts)
    importer.store_lines(lines, segment.before)
    importer.end_runs()
    return Draft([_drafted(run) for run in batch.runs], report)


def in_worker(segment: Segment, url: str, process: Process, _: Connection) -> Draft | None:
    """Draft a segment in a worker of this process; None if that is not possible."""
    process_identity.stand_for(process)
    try:
        return draft(_database(url), segment)
    except Exception:  # noqa: BLE001 - the import tries the same, and reports what fails
        return None


@cache
def _database(url: str) -> Database:
    return Database(url, create=False)


def _drafted(run: PendingRun) -> DraftedRun:
    if not isinstance(run, ImportedRun):
        raise NotDrafted
    unit = run.drain()
    rows: list[tuple[object, ...]] = list(map(tuple, unit.rows))
    projected = unit.projected
    if projected is not None:
        projected = replace(projected, row=to_row(projected))
    return DraftedRun(run.run_id, run.source, rows, projected, list(unit.frames))


def _no_progress(_: int, __: int) -> None:
    pass


class _DraftImporter(Importer):
    """An importer of runs that are new to the log."""

    def know_contexts(self, raws: list[bytes]) -> None:
        """Know the contexts that stand before the segment."""
        offset = 0
        for raw in raws:
            self.know_context(raw, offset)
            offset += len(raw)

    def _is_new(self, _: str) -> bool:
        return True


class _DraftBatch(Batch):
    """Keeps the runs with their rows: nothing is committed."""

    @property
    def runs(self) -> list[PendingRun]:
        """The runs, in order."""
        return list(self._pending.values())

    @property
    def is_full(self) -> bool:
        """False: a segment is small enough."""
        return False

    def flush(self) -> None:
        """Refuse to commit."""
        raise NotDrafted


class _SegmentLines:
    """The lines of a segment, and its stretches."""

    def __init__(self, segment: Segment) -> None:
        self._items = segment.items
        self._at = 0

    def __iter__(self) -> Iterator[tuple[int, int, bytes]]:
        while self._at < len(self._items):
            item = self._items[self._at]
            self._at += 1
            if isinstance(item, TextStretch):
                # It does not continue the text: its lines must be read.
                raise NotDrafted
            number, raw = item
            # Offsets are of contexts only, which are not in a segment.
            yield number, 0, raw

    def skip(self, _: int, __: int) -> None:
        """Go on after the stretch that is next."""
        self._at += 1

    def next_at(self, line: int) -> TextStretch | None:
        """Return the stretch that is next, if it begins at this line over all files."""
        item = self._items[self._at] if self._at < len(self._items) else None
        return item if isinstance(item, TextStretch) and item.line == line else None
