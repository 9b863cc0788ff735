"""The pool of connections to one database."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING

from runreel.store import fork_guard
from runreel.store.connection import Connection
from runreel.store.drivers.errors import too_many

if TYPE_CHECKING:
    from runreel.store.drivers.interface import Driver, Raw

# For one pool. The connection of its writer does not count.
MAX_CONNECTIONS = 64
MAX_IDLE = 4
WAIT_SECONDS = 30.0


class Pool:
    """Lends connections that commit each statement by itself, and keeps idle ones. Thread-safe."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self._idle: list[Raw] = []
        self._free = threading.BoundedSemaphore(MAX_CONNECTIONS)
        # Every open connection; a forked child keeps those of its parent open.
        self._open: set[Raw] = set()
        self._is_parents = False

    def connect(self, *, reserved: bool = False) -> Connection:
        """Return an idle connection or a new one; ``reserved`` ones do not count to the limit.

        Raises:
            DatabaseUnavailable: if the limit is reached for ``WAIT_SECONDS``, or the database file
                was replaced.
        """
        if not reserved and not self._free.acquire(timeout=WAIT_SECONDS):
            raise too_many(self.driver.url)
        idle = self._idle
        try:
            raw = self._idle_or_new(idle)
        except BaseException:
            if not reserved:
                self._free.release()
            raise
        return Connection(self.driver, raw, partial(self._take_back, raw, idle, reserved))

    def dispose(self) -> None:
        """Close the idle connections; those in use are closed when they are returned."""
        idle, self._idle = self._idle, []
        while idle:
            self._close(idle.pop())

    def leave_parent(self) -> None:
        """In a forked child: never use or close a connection of this pool again."""
        self._is_parents = True
        fork_guard.keep_open(self._open)

    def _idle_or_new(self, idle: list[Raw]) -> Raw:
        while True:
            try:
                # Another thread may take the last idle connection first.
                raw = idle.pop()
            except IndexError:
                raw = self.driver.open()
                self._open.add(raw)
                return raw
            try:
                usable = self.driver.is_usable(raw)
            except BaseException:
                self._close(raw)
                raise
            if usable:
                return raw
            self._close(raw)

    def _take_back(self, raw: Raw, idle: list[Raw], reserved: bool, keep: bool) -> None:  # noqa: FBT001
        if not self._is_parents:
            if keep and idle is self._idle and len(idle) < MAX_IDLE and _is_reset(raw):
                idle.append(raw)
            else:
                self._close(raw)
        if not reserved:
            self._free.release()

    def _close(self, raw: Raw) -> None:
        self.driver.close(raw)
        self._open.discard(raw)


def _is_reset(raw: Raw) -> bool:
    """Roll back what is open on a connection; False if it is broken."""
    try:
        raw.rollback()
    except Exception:  # noqa: BLE001 - the errors of a driver
        return False
    return True
