"""Append units, and the requests by which callers wait for their commit."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runreel.model.events import EventRow
    from runreel.projection.key_frames import KeyFrame
    from runreel.projection.run_projection import RunProjection


class AppendUnit(msgspec.Struct):
    """Rows of one run to append atomically, and the projection after them if they change it.

    ``frames`` are the key-frames at some of the rows.
    """

    rows: list[EventRow]
    projected: RunProjection | None
    frames: Sequence[KeyFrame] = ()


# True if the unit is stored, False after an append conflict, or the error.
Outcome = bool | BaseException


class CommitRequest:
    """The units of a waiting caller; notified once they have outcomes or it is to lead."""

    __slots__ = ("notified", "outcomes", "since", "units", "wake")

    def __init__(self, units: Sequence[AppendUnit]) -> None:
        self.units = units
        self.since = time.monotonic()
        self.outcomes: list[Outcome] = []
        self.notified = False
        self.wake = threading.Lock()
        self.wake.acquire()

    def notify(self) -> None:
        """Wake the waiting caller."""
        self.notified = True
        self.wake.release()

    def wait(self) -> BaseException | None:
        """Wait until notified; return an interrupt, which is raised once the outcome is known."""
        interrupt: BaseException | None = None
        while not self.notified:
            try:
                self.wake.acquire(timeout=1.0)
            except BaseException as error:  # noqa: BLE001 - raised by the caller
                interrupt = error
        return interrupt


def result_or_raise(outcome: Outcome) -> bool:
    """Return an outcome; raises it if it is an error."""
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome
