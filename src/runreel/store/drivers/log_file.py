"""The file of a log: the one that was opened, for as long as it has its name."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from typing import TYPE_CHECKING, Any

from runreel.model.errors import DatabaseUnavailable, LogError
from runreel.store import fork_guard
from runreel.store.drivers.errors import file_errors

if TYPE_CHECKING:
    from pathlib import Path

    Identity = tuple[int, int]


# Seconds.
_PAUSE = 0.01


class LogFile:
    """A file of SQLite, known by device and inode from its first connection on.

    ``often`` is whether ``check_commit`` looks after each commit, else every ten milliseconds.
    """

    def __init__(self, path: Path, *, often: bool = True) -> None:
        self.path = path
        self._pause = 0.0 if often else _PAUSE
        self._checked = 0.0
        self._name = os.fspath(path)
        self._identity: Identity | None = None
        self._inode = self._device = -1

    def opening(self) -> None:
        """See that a connection to it may be opened.

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
                hint="Fork while no thread reads or writes the log and nothing else has its file"
                " open, or start the process afresh: multiprocessing's `spawn`, or `subprocess`.",
            )

    def opened(self) -> None:
        """Know the file again from now on; call it once a connection has read from it."""
        found = _identity(self._name)
        if self._identity is None and found is not None:
            self._identity, (self._device, self._inode) = found, found

    def check_commit(self) -> None:
        """``check``, where that would take as long as a tenth of the commit only now and then."""
        if self._pause:
            now = time.monotonic()
            if now < self._checked + self._pause:
                return
            self._checked = now
        self.check()

    def check(self) -> None:
        """See that whoever opens the file now gets the same.

        Raises:
            DatabaseUnavailable: if the file was moved, deleted or replaced.
        """
        try:
            found = os.stat(self._name)  # noqa: PTH116 - it is asked after each commit
        except OSError:
            raise self._gone("was moved or deleted") from None
        # By position: a name costs a look-up.
        if found[1] != self._inode or found[2] != self._device:
            raise self._gone("was replaced by another file")

    def close(self, driver: Any) -> None:
        """Close a connection; what it wrote goes into the file, wherever that is by now."""
        with contextlib.suppress(sqlite3.Error):
            if _identity(self._name) != self._identity:
                # SQLite leaves the write-ahead log as it is, where the file has another name.
                driver.execute("PRAGMA busy_timeout = 0")
                driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with contextlib.suppress(sqlite3.Error):
            driver.close()

    def _gone(self, what: str) -> DatabaseUnavailable:
        self._checked = 0.0
        return DatabaseUnavailable(
            f"{self.path} {what} while it was open",
            hint="Move it back to go on. To go on in a new file, close the log and open it again.",
        )


def is_file(path: Path, shown: str) -> bool:
    """Whether there is a file; ``shown`` is how it is named.

    Raises:
        DatabaseUnavailable: if it is a directory, or that cannot be seen.
    """
    with file_errors(shown):
        if path.is_dir():
            raise DatabaseUnavailable(f"{shown} is a directory")
        return path.exists()


def missing(shown: str) -> DatabaseUnavailable:
    """What to raise where there is no file."""
    return DatabaseUnavailable(
        f"there is no database at {shown}",
        hint="`runreel record` and `runreel import` create it; `runreel demo` has its own.",
    )


def refuse_left_behind(path: Path) -> None:
    """See that no write-ahead log waits for a file that is gone or empty.

    Raises:
        DatabaseUnavailable: if one does: SQLite would put what is in it into the new file.
    """
    # SQLite puts it beside the file that a link leads to.
    wal = f"{os.path.realpath(path)}-wal"
    with contextlib.suppress(OSError):
        if os.stat(wal).st_size:  # noqa: PTH116 - as above
            raise DatabaseUnavailable(
                f"{path} is gone, but {wal}, the end of what was in it, is still there",
                hint=f"Move the file back, or move {wal} and its -shm away to begin a new log.",
            )


def _identity(name: str) -> Identity | None:
    try:
        found = os.stat(name)  # noqa: PTH116 - as above
    except OSError:
        return None
    return found.st_dev, found.st_ino
