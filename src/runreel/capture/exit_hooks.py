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


class ExitHook(Protocol):
    """A recording that can be left."""

    def close_on_exit(self, reason: str) -> None:
        """Say in the log that it ends here."""
        ...


T = TypeVar("T")

_recordings: WeakSet[ExitHook] = WeakSet()
_unfinished_streams: WeakSet[Generator[Any, None, None]] = WeakSet()


def register(leaver: ExitHook) -> None:
    """Leave it when the interpreter ends."""
    _recordings.add(leaver)


def close_at_exit(events: Generator[T, None, None]) -> Generator[T, None, None]:
    """Close it when the interpreter ends, if it is still there.

    Later, when it is torn down, its source may have no thread any more that could answer.
    """
    _unfinished_streams.add(events)
    return events


def _close_all() -> None:
    for events in list(_unfinished_streams):
        # A daemon thread may be inside, which will not live to see the next event.
        with contextlib.suppress(ValueError):
            events.close()
    for leaver in list(_recordings):
        leaver.close_on_exit(_EXIT)


def _clear_after_fork() -> None:
    _unfinished_streams.clear()
    _recordings.clear()


atexit.register(_close_all)
# The parent's recordings are not a forked child's to end.
os.register_at_fork(after_in_child=_clear_after_fork)
