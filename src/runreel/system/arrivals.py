"""Bytes that arrive on a pipe, each chunk with the time of its arrival."""

from __future__ import annotations

import os
import threading
import time
from queue import Queue
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHUNK = 64 * 1024
# How many chunks may wait to be taken: 64 MiB at most, then the writer of the pipe has to wait.
_WAITING = 1024


class Arrival(NamedTuple):
    """A chunk, with the wall clock and the monotonic clock at its arrival, in ns."""

    data: bytes
    wall: int
    timer: int


class Arrivals:
    """Reads a file descriptor in a thread of its own from now on; iterate it for the chunks."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._queue: Queue[Arrival | OSError | None] = Queue(_WAITING)
        # A daemon: whoever leaves does not wait for a pipe that stays open.
        threading.Thread(target=self._read, name="runreel-input", daemon=True).start()

    def __iter__(self) -> Iterator[Arrival]:
        """The chunks in their order, up to the end of the input.

        Raises:
            OSError: if the input cannot be read.
        """
        while (arrived := self._queue.get()) is not None:
            if isinstance(arrived, OSError):
                raise arrived
            yield arrived

    def _read(self) -> None:
        try:
            while chunk := os.read(self._descriptor, _CHUNK):
                self._queue.put(Arrival(chunk, time.time_ns(), time.perf_counter_ns()))
        except OSError as error:
            self._queue.put(error)
        else:
            self._queue.put(None)


class ArrivalClock:
    """The time of the event that is being stored: that of its arrival where it has one, else now.

    ``wall`` and ``timer`` are in ns, and ``timer`` never goes back.
    """

    def __init__(self) -> None:
        self._arrival: Arrival | None = None
        self._latest = 0

    def set(self, arrival: Arrival | None) -> None:
        """Be at the arrival of an event; None is now."""
        self._arrival = arrival

    def wall(self) -> int:
        """The wall clock."""
        return time.time_ns() if self._arrival is None else self._arrival.wall

    def timer(self) -> int:
        """The monotonic clock."""
        timer = time.perf_counter_ns() if self._arrival is None else self._arrival.timer
        self._latest = max(self._latest, timer)
        return self._latest
