"""Chunks read from a pipe, each with its arrival time."""

from __future__ import annotations

import os
import threading
import time
from queue import Queue
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHUNK = 64 * 1024
# Maximum number of queued chunks (64 MiB); beyond it the writer of the pipe blocks.
_MAX_QUEUED = 1024


class Arrival(NamedTuple):
    """A chunk with the wall clock and the monotonic clock at its arrival, in ns."""

    data: bytes
    wall: int
    timer: int


class Arrivals:
    """Reads a file descriptor in a background thread; iterating yields the chunks."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._queue: Queue[Arrival | OSError | None] = Queue(_MAX_QUEUED)
        # A daemon thread, so that a pipe that stays open does not block the exit.
        threading.Thread(target=self._read, name="runreel-input", daemon=True).start()

    def __iter__(self) -> Iterator[Arrival]:
        """Yield the chunks in order until the input ends.

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
    """The clock for the event being stored: its arrival time, or the current time without one.

    ``wall`` and ``timer`` return ns; ``timer`` never decreases.
    """

    def __init__(self) -> None:
        self._arrival: Arrival | None = None
        self._latest = 0

    def set(self, arrival: Arrival | None) -> None:
        """Use the time of this arrival, or the current time if it is None."""
        self._arrival = arrival

    def wall(self) -> int:
        """Return the wall clock in ns."""
        return time.time_ns() if self._arrival is None else self._arrival.wall

    def timer(self) -> int:
        """Return the monotonic clock in ns."""
        timer = time.perf_counter_ns() if self._arrival is None else self._arrival.timer
        self._latest = max(self._latest, timer)
        return self._latest
