"""Forks: made while no thread uses a log, and no connection to a file of SQLite is open.

SQLite keeps its locks on a file in the memory of the process: see *Forks* in ``docs/design.md``.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakSet

if TYPE_CHECKING:
    from collections.abc import Iterable

# For how many seconds a fork waits until no thread uses a log.
FORK_SECONDS = 10.0
_PAUSE = 0.001
# What a thread is importing when its process forks can never be imported by the child.
_NEEDED = ("runreel", "sqlalchemy", "psycopg", "alembic")


class Inheritor(Protocol):
    """What a forked child gets of its parent's."""

    def leave_parent(self) -> None:
        """In a forked child: leave what is the parent's alone, and begin with nothing."""
        ...


class Forkable(Inheritor, Protocol):
    """What holds connections."""

    postgres: bool

    def block_writers(self) -> bool:
        """Keep every thread from using a connection; False if one is using it."""
        ...

    def unblock_writers(self) -> None:
        """End ``block_writers``, after which nothing has to be open."""
        ...

    def close_idle(self) -> None:
        """Close what nobody uses."""
        ...


class Gate:
    """Where a thread passes that uses a connection; shut while another thread forks.

    A thread that uses one already is let through, for the fork waits for that one anyway.
    """

    def __init__(self) -> None:
        self.leave_parent()

    def leave_parent(self) -> None:
        """Be open in a forked child, where the other threads are gone."""
        self.shut = False
        # Entered directly, as it is for each reading: a condition enters it by two more calls.
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._users: dict[int, int] = {}

    def enter(self) -> int:
        """Begin to use a connection; what ``leave`` takes."""
        user = threading.get_ident()
        with self._lock:
            while self.shut and user not in self._users:
                self._changed.wait()
            self._users[user] = self._users.get(user, 0) + 1
        return user

    def leave(self, user: int) -> None:
        """End what ``enter`` began, in whichever thread."""
        with self._lock:
            left = self._users.pop(user, 0) - 1
            if left > 0:
                self._users[user] = left

    def wait(self) -> None:
        """Wait until it is open; what a thread does first that does not ``enter``."""
        user = threading.get_ident()
        with self._lock:
            while self.shut and user not in self._users:
                self._changed.wait()

    def used_by_others(self) -> bool:
        """Whether any other thread uses a connection."""
        with self._lock:
            return bool(self._users.keys() - {threading.get_ident()})

    def close(self) -> None:
        """Let no thread begin."""
        with self._lock:
            self.shut = True

    def open(self) -> None:
        """Let every thread in that waits."""
        with self._lock:
            self.shut = False
            self._changed.notify_all()


class Lock:
    """A lock that is free in a forked child, whichever thread of the parent held it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        register_in_child(self)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def leave_parent(self) -> None:
        """Be free."""
        self._lock = threading.Lock()


gate = Gate()
# The device and inode of each file that was open when this process was forked.
inherited_files: frozenset[tuple[int, int]] = frozenset()

_forkables: WeakSet[Forkable] = WeakSet()
_children: WeakSet[Inheritor] = WeakSet()
_registering = threading.Lock()
_forks = threading.Lock()
_still: list[Forkable] = []


def register(forkable: Forkable) -> None:
    """Have its connections closed before each fork."""
    with _registering:
        _forkables.add(forkable)


def register_in_child(inheritor: Inheritor) -> None:
    """Have it leave the parent in each forked child."""
    with _registering:
        _children.add(inheritor)


def keep_open(drivers: Iterable[Any]) -> None:
    """Never close these connections, not even when the interpreter ends.

    To close one says goodbye on the parent's connection, or rolls back what it is in the middle of.
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
            # The child cannot use what stays open, and says so.
            _still.extend(one for one in found if one.block_writers())
            break
        time.sleep(_PAUSE)
    for one in _still:
        # A child leaves connections to a server alone: there it is no more than that.
        if not one.postgres:
            one.close_idle()


def _block_writers(found: list[Forkable]) -> bool:
    """Keep all connections from being used, or let every thread go on that uses one."""
    for one in found:
        if not one.block_writers():
            break
        _still.append(one)
    # What a thread uses may be what another waits for, so nothing is held while we wait.
    if len(_still) == len(found) and not gate.used_by_others() and not _importing():
        return True
    _unblock_writers()
    return False


def _importing() -> bool:
    # Python has no public way to ask that.
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
    if any(not one.postgres for one in found):
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
