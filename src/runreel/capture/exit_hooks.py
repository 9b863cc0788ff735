"""Closes open recordings when the interpreter exits, with a note in the log."""

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
    """A recording that can be closed at exit."""

    def close_on_exit(self, reason: str) -> None:
        """Mark the recording as interrupted."""
        ...


T = TypeVar("T")

_recordings: WeakSet[ExitHook] = WeakSet()
_unfinished_streams: WeakSet[Generator[Any, None, None]] = WeakSet()


def register(hook: ExitHook) -> None:
    """Call ``close_on_exit`` when the interpreter exits."""
    _recordings.add(hook)


def close_at_exit(events: Generator[T, None, None]) -> Generator[T, None, None]:
    """Close a generator when the interpreter exits, if it still exists; returns it.

    At the later teardown its source may no longer have a thread that responds.
    """
    _unfinished_streams.add(events)
    return events


def _close_all() -> None:
    for events in list(_unfinished_streams):
        # A daemon thread may be executing the generator; it will not receive another event.
        with contextlib.suppress(ValueError):
            events.close()
    for hook in list(_recordings):
        hook.close_on_exit(_EXIT)


def _clear_after_fork() -> None:
    _unfinished_streams.clear()
    _recordings.clear()


atexit.register(_close_all)
# A forked child must not close its parent's recordings.
os.register_at_fork(after_in_child=_clear_after_fork)
