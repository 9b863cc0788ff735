"""Follows archives: stores what is added to their files while other programs write them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from runreel.importing import input_files
from runreel.importing.archives.folders import files_in
from runreel.importing.archives.import_archives import ArchiveImporter, in_order
from runreel.model.errors import UsageError
from runreel.sources.archives.lines import LLM_LOG

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from runreel.importing.archives.entries import LineReader
    from runreel.importing.input_files import Input
    from runreel.model.import_report import Report
    from runreel.store.database import Database

# Identity of a file, and when it was written: device, inode, size, time.
_State = tuple[int, int, int, int]


class ArchiveFollower:
    """Stores what is new in files and folders, round by round; call ``finish`` at the end."""

    def __init__(
        self, database: Database, paths: Sequence[str], report: Report, archive: str | None = None
    ) -> None:
        self._paths = list(paths)
        self._archive = archive
        self._report = report
        self._importer = ArchiveImporter(database, report)
        self._files: dict[str, _Followed] = {}
        # Files that are no archive, as they were when they were looked at.
        self._others: dict[str, _State | None] = {}

    def read(self, progress: Callable[[int, int | None, int], None] | None = None) -> int:
        """Read what was added since the last round, and commit it; return the number of events.

        ``progress`` receives the bytes read so far, the total, and the lines read.

        Raises:
            LogError: if the database fails.
        """
        before, done = self._report.events_new, 0
        changed = [file for file in self._known() if file.has_changed()]
        total = sum(file.pending for file in changed)
        for file in changed:
            for read in file.read(self._importer):
                done += read
                if progress is not None:
                    progress(done, max(total, done), self._report.lines)
        self._importer.flush()
        return self._report.events_new - before

    def finish(self) -> None:
        """Complete the report."""
        self._importer.finish()

    def _known(self) -> list[_Followed]:
        """Return the files of archives, those that are new in the order of an import."""
        paths = {path: None for given in self._paths for path in _expanded(given)}
        new = {path: _state_of(path) for path in paths if path not in self._files}
        new = {path: state for path, state in new.items() if self._others.get(path) != state}
        self._others |= new
        for source in in_order(_recognised([*new], self._archive)):
            self._files[source.name] = _Followed(source)
        return [file for path, file in self._files.items() if path in paths]


class _Followed:
    """One file: what was read of it, and what reads the rest."""

    def __init__(self, source: Input) -> None:
        self._source = source
        self._state: _State | None = None
        self._reader: LineReader | None = None
        self._number = self._offset = 0

    @property
    def pending(self) -> int:
        """Number of bytes that are not read yet."""
        return 0 if self._state is None else max(0, self._state[2] - self._offset)

    def has_changed(self) -> bool:
        """Return whether the file has changed since it was read."""
        before, self._state = self._state, _state_of(self._source.name)
        if self._state is None or self._state == before:
            return False
        if before is not None and (self._state[:2] != before[:2] or self._state[2] < self._offset):
            # Another file has its name now, or it was written again.
            self._reader, self._number, self._offset = None, 0, 0
        return True

    def read(self, importer: ArchiveImporter) -> Iterator[int]:
        """Store the lines that are complete; yield the number of bytes of each."""
        if self._source.archive == LLM_LOG:
            importer.store(self._source, _ignore)
            return
        if self._reader is None:
            self._reader = importer.reader(self._source)
        try:
            file = Path(self._source.name).open("rb")  # noqa: SIM115 - closed below
        except OSError:
            return
        with file:
            file.seek(self._offset)
            while raw := file.readline(input_files.MAX_LINE + 1):
                if not raw.endswith(b"\n") and len(raw) <= input_files.MAX_LINE:
                    # The other program is still writing it.
                    return
                self._offset += len(raw)
                self._number += 1
                importer.line(self._source.name, self._reader, self._number, raw)
                yield len(raw)


def _expanded(path: str) -> list[str]:
    return files_in(path) if Path(path).is_dir() else [path]


def _recognised(paths: Sequence[str], archive: str | None) -> list[Input]:
    """Open the files that are archives already; another may become one once it has a line."""
    found: list[Input] = []
    for path in paths:
        try:
            with input_files.opened([path], archive) as sources:
                found += [one for one in sources if one.archive is not None and one.copy is None]
        except UsageError:
            continue
    return found


def _state_of(path: str) -> _State | None:
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _ignore(done: int, lines: int) -> None:
    """Report no progress."""
