"""The SQLite file of a log; detects that it was moved, deleted or replaced while open."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from typing import TYPE_CHECKING

from runreel.model.errors import DatabaseUnavailable, LogError
from runreel.store import fork_guard
from runreel.store.drivers.errors import file_errors

if TYPE_CHECKING:
    from pathlib import Path

    Identity = tuple[int, int]


# Seconds between two checks after commits.
_PAUSE = 0.01


class LogFile:
    """A SQLite file, identified by device and inode from its first connection on.

    With ``often``, ``check_commit`` checks after each commit, else at most every 10 ms.
    """

    def __init__(self, path: Path, *, often: bool = True) -> None:
        self.path = path
        self._pause = 0.0 if often else _PAUSE
        self._checked = 0.0
        self._name = os.fspath(path)
        self._identity: Identity | None = None
        self._inode = self._device = -1

    def opening(self) -> None:
        """Check that a connection to the file may be opened.

        Raises:
            DatabaseUnavailable: if it is not the file that was opened before.
            LogError: if this process was forked while the file was open.
        """
        found = _identity(self._name)
        if self._identity is not None:
            self.check()
        if found in fork_guard.inherited_files:
            raise LogError(
                f"{self.path} was in use when this process was forked, which cannot use it now",
                hint="Fork while no thread uses the log and nothing else has its file"
                " open, or start the process afresh: multiprocessing's `spawn`, or `subprocess`.",
            )

    def opened(self) -> None:
        """Remember the identity of the file; call it once a connection has read from it."""
        found = _identity(self._name)
        if self._identity is None and found is not None:
            self._identity, (self._device, self._inode) = found, found

    def check_commit(self, *, now: bool = False) -> None:
        """Call ``check``, but rarely where it would take a tenth of the time of a commit."""
        if self._pause and not now:
            time_now = time.monotonic()
            if time_now < self._checked + self._pause:
                return
            self._checked = time_now
        self.check()

    def check(self) -> None:
        """Check that the path still names the opened file.

        Raises:
            DatabaseUnavailable: if the file was moved, deleted or replaced.
        """
        try:
            found = os.stat(self._name)  # noqa: PTH116 - pathlib is slower, and this runs after each commit
        except OSError:
            raise self._gone("was moved or deleted") from None
        # By index: an attribute costs a look-up.
        if found[1] != self._inode or found[2] != self._device:
            raise self._gone("was replaced by another file")

    def close(self, raw: sqlite3.Connection) -> None:
        """Close a connection; its WAL goes into the file, also if that was moved."""
        with contextlib.suppress(sqlite3.Error):
            if _identity(self._name) != self._identity:
                # SQLite does not checkpoint the WAL of a file that was renamed.
                raw.execute("PRAGMA busy_timeout = 0")
                raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with contextlib.suppress(sqlite3.Error):
            raw.close()

    def _gone(self, event: str) -> DatabaseUnavailable:
        self._checked = 0.0
        return DatabaseUnavailable(
            f"{self.path} {event} while it was open",
            hint="Move it back to continue, or close and reopen the log to use the new file.",
        )


def is_file(path: Path, shown: str) -> bool:
    """True if the file exists; ``shown`` is its name for messages.

    Raises:
        DatabaseUnavailable: if it is a directory or cannot be accessed.
    """
    with file_errors(shown):
        if path.is_dir():
            raise DatabaseUnavailable(f"{shown} is a directory")
        return path.exists()


def missing(shown: str) -> DatabaseUnavailable:
    """Return the error for a file that does not exist."""
    return DatabaseUnavailable(
        f"there is no database at {shown}",
        hint="`runreel record` and `runreel import` create it; `runreel demo` has its own.",
    )


def refuse_left_behind(path: Path) -> None:
    """Check that no WAL remains of a file that is missing or empty.

    Raises:
        DatabaseUnavailable: if one does: SQLite would put its content into the new file.
    """
    # SQLite puts it next to the file that a link points to.
    wal = f"{os.path.realpath(path)}-wal"
    with contextlib.suppress(OSError):
        if os.stat(wal).st_size:  # noqa: PTH116 - as above
            raise DatabaseUnavailable(
                f"{path} is missing, but {wal}, which has its latest changes, still exists",
                hint=f"Move the file back, or move {wal} and its -shm away to begin a new log.",
            )


def _identity(name: str) -> Identity | None:
    try:
        found = os.stat(name)  # noqa: PTH116 - as above
    except OSError:
        return None
    return found.st_dev, found.st_ino
