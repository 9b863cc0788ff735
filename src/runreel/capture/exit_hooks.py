"""What is still being recorded when the interpreter ends lets go, and says so in the log."""

from __future__ import annotations

import atexit
import contextlib
import os
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from weakref import WeakSet

if TYPE_CHECKING:
    from collections.abc import Generator

_EXIT = "the interpreter has ended"


class Leaver(Protocol):
    """A recording that can be left."""

    def leave(self, reason: str) -> None:
        """Say in the log that it ends here."""
        ...


T = TypeVar("T")

_recordings: WeakSet[Leaver] = WeakSet()
_half_read: WeakSet[Generator[Any, None, None]] = WeakSet()


def recording(leaver: Leaver) -> None:
    """Leave it when the interpreter ends."""
    _recordings.add(leaver)


def half_read(events: Generator[T, None, None]) -> Generator[T, None, None]:
    """Close it when the interpreter ends, if it is still there.

    Later, when it is torn down, its source may have no thread any more that could answer.
    """
    _half_read.add(events)
    return events


def _leave() -> None:
    for events in list(_half_read):
        # A daemon thread may be inside, which will not live to see the next event.
        with contextlib.suppress(ValueError):
            events.close()
    for leaver in list(_recordings):
        leaver.leave(_EXIT)


def _forget() -> None:
    _half_read.clear()
    _recordings.clear()


atexit.register(_leave)
# The parent's recordings are not a forked child's to end.
os.register_at_fork(after_in_child=_forget)
