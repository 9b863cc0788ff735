"""Makes forks safe: none happens while a thread uses a log or a SQLite file is open.

SQLite keeps its file locks in the memory of the process: see *Forks* in ``docs/design.md``.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from weakref import WeakSet

if TYPE_CHECKING:
    from collections.abc import Iterable

# The longest wait, in seconds, for threads that use a log.
FORK_SECONDS = 10.0
_PAUSE = 0.001
# A module that another thread is importing during the fork can never be imported by the child.
_NEEDED = ("runreel", "sqlalchemy", "psycopg", "alembic")


class Inheritor(Protocol):
    """An object that a forked child inherits."""

    def leave_parent(self) -> None:
        """In a forked child: leave the parent's resources alone and start empty."""
        ...


class Forkable(Inheritor, Protocol):
    """An owner of connections."""

    # SQLite's locks of open files are lost in a child.
    holds_files: bool

    def block_writers(self) -> bool:
        """Block every thread from using a connection; False if one is using it now."""
        ...

    def unblock_writers(self) -> None:
        """End ``block_writers``; idle connections may have been closed meanwhile."""
        ...

    def close_idle(self) -> None:
        """Close the idle connections."""
        ...


class Gate:
    """Threads pass it before they use a connection; it is shut while another thread forks.

    A thread that already uses one passes: the fork waits for that thread anyway.
    """

    def __init__(self) -> None:
        self.leave_parent()

    def leave_parent(self) -> None:
        """Open the gate in a forked child, where the other threads do not exist."""
        self.shut = False
        # Used directly for each read: entering through the condition costs two more calls.
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._users: dict[int, int] = {}

    def enter(self) -> int:
        """Begin to use a connection; return the argument of ``leave``."""
        user = threading.get_ident()
        with self._lock:
            while self.shut and user not in self._users:
                self._changed.wait()
            self._users[user] = self._users.get(user, 0) + 1
        return user

    def leave(self, user: int) -> None:
        """End the use that ``enter`` began; any thread may call it."""
        with self._lock:
            left = self._users.pop(user, 0) - 1
            if left > 0:
                self._users[user] = left

    def wait(self) -> None:
        """Wait until the gate is open; for a thread that does not ``enter``."""
        user = threading.get_ident()
        with self._lock:
            while self.shut and user not in self._users:
                self._changed.wait()

    def used_by_others(self) -> bool:
        """True if another thread uses a connection."""
        with self._lock:
            return bool(self._users.keys() - {threading.get_ident()})

    @property
    def is_used(self) -> bool:
        """True if a thread uses a connection, also this one."""
        with self._lock:
            return bool(self._users)

    def close(self) -> None:
        """Shut the gate to new users."""
        with self._lock:
            self.shut = True

    def open(self) -> None:
        """Open the gate and wake the waiting threads."""
        with self._lock:
            self.shut = False
            self._changed.notify_all()


class Lock:
    """A lock that is free in a forked child, even if a thread of the parent held it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        register_in_child(self)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def leave_parent(self) -> None:
        """Release the lock in a forked child."""
        self._lock = threading.Lock()


gate = Gate()
# Device and inode of each file that was open when this process was forked.
inherited_files: frozenset[tuple[int, int]] = frozenset()

_forkables: WeakSet[Forkable] = WeakSet()
_children: WeakSet[Inheritor] = WeakSet()
_registering = threading.Lock()
_forks = threading.Lock()
_still: list[Forkable] = []


def register(forkable: Forkable) -> None:
    """Close the connections of ``forkable`` before each fork."""
    with _registering:
        _forkables.add(forkable)


def register_in_child(inheritor: Inheritor) -> None:
    """Call ``leave_parent`` in each forked child."""
    with _registering:
        _children.add(inheritor)


def keep_open(drivers: Iterable[object]) -> None:
    """Never close these connections, not even when the interpreter exits.

    Closing one would send a message on the parent's connection, or roll back its transaction.
    """
    for driver in drivers:
        import ctypes

        ctypes.pythonapi.Py_IncRef(ctypes.py_object(driver))


def _before() -> None:
    _forks.acquire()
    gate.close()
    with _registering:
        found = list(_forkables)
    deadline = time.monotonic() + FORK_SECONDS
    while not _block_writers(found):
        if time.monotonic() >= deadline:
            # The child cannot use files that stay open, and raises an error.
            _still.extend(one for one in found if one.block_writers())
            break
        time.sleep(_PAUSE)
    for one in _still:
        # Connections to a server are not closed: a child just never uses them.
        if one.holds_files:
            one.close_idle()


def _block_writers(found: list[Forkable]) -> bool:
    """Block all connections, or none if a thread uses one."""
    for one in found:
        if not one.block_writers():
            break
        _still.append(one)
    # Hold nothing while we wait: one thread may be waiting for a connection that we block.
    if len(_still) == len(found) and not gate.used_by_others() and not _importing():
        return True
    _unblock_writers()
    return False


def _importing() -> bool:
    # Python has no public API for this.
    locks = getattr(sys.modules.get("_frozen_importlib"), "_module_locks", {})
    return any(name.partition(".")[0] in _NEEDED for name in list(locks))


def _unblock_writers() -> None:
    while _still:
        _still.pop().unblock_writers()


def _after_in_parent() -> None:
    _unblock_writers()
    gate.open()
    _forks.release()


def _after_in_child() -> None:
    global inherited_files, _registering, _forks  # noqa: PLW0603 - a thread of the parent may hold the locks
    _registering, _forks = threading.Lock(), threading.Lock()
    _still.clear()
    gate.leave_parent()
    found = list(_forkables)
    if any(one.holds_files for one in found):
        inherited_files = _open_files()
    for one in [*found, *_children]:
        one.leave_parent()


def _open_files() -> frozenset[tuple[int, int]]:
    found = set()
    with contextlib.suppress(OSError):
        for descriptor in Path("/dev/fd").iterdir():
            with contextlib.suppress(OSError, ValueError):
                status = os.fstat(int(descriptor.name))
                found.add((status.st_dev, status.st_ino))
    return frozenset(found)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child
    )
