"""Stores a file of recorded traffic whose runs are drafted by worker processes."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from runreel.importing import drafts
from runreel.importing.draft_workers import PENDING
from runreel.importing.file_parts import FileParts
from runreel.store.events import stream_ids

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import IO

    from runreel.importing.draft_workers import DraftWorkers
    from runreel.importing.drafted_run import Draft
    from runreel.importing.file_parts import FilePart
    from runreel.importing.importer import Importer
    from runreel.importing.prescan import ImportPrescan, LastLineIndex
    from runreel.importing.text_stretches import Stretches
    from runreel.store.database import Database

# The ids of bad runs go along with each segment.
_MOST_BAD_RUNS = 1_000


class DraftedImport:
    """Stores the lines of files as an importer does, in the same order and with the same report."""

    def __init__(
        self,
        database: Database,
        importer: Importer,
        last_lines: LastLineIndex,
        stretches: Stretches,
        workers: DraftWorkers,
    ) -> None:
        self._database = database
        self._importer = importer
        self._last_lines = last_lines
        self._stretches = stretches
        self._workers = workers
        self._parts = FileParts(last_lines)
        self._pending: deque[tuple[FilePart, Callable[[], Draft | None]]] = deque()

    def store(
        self,
        file: IO[bytes],
        size: int,
        prescan: ImportPrescan,
        progress: Callable[[int, int], None],
    ) -> None:
        """Store the lines of a file, except those of runs that the prescan found bad."""
        self._importer.open(file, prescan.name, prescan.bad, progress)
        parts = list(self._parts.of(prescan, size))
        for part in parts:
            if len(parts) == 1 or not self._can_draft(part, prescan):
                self._store_pending(file)
                self._importer.store_part(file, part)
                continue
            last_lines, stretches = self._last_lines, self._stretches
            segment = drafts.read_segment(file, part, prescan, last_lines, stretches)
            self._pending.append((part, self._workers.draft(segment)))
            if len(self._pending) > PENDING * self._workers.count:
                self._store_next(file)
        self._store_pending(file)

    def _can_draft(self, part: FilePart, prescan: ImportPrescan) -> bool:
        """True if the part has whole runs only, which are new to the log."""
        if not (part.is_whole and part.runs) or len(prescan.bad) > _MOST_BAD_RUNS:
            return False
        with self._database.reading() as connection:
            return not stream_ids.existing(connection, set(part.runs))

    def _store_pending(self, file: IO[bytes]) -> None:
        while self._pending:
            self._store_next(file)

    def _store_next(self, file: IO[bytes]) -> None:
        part, result = self._pending.popleft()
        draft = result()
        if draft is None:
            self._importer.store_part(file, part)
        else:
            self._importer.store_draft(draft, part.end)
