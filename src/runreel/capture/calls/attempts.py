"""Recordings of calls whose last attempt failed: the client may try again.

A client retries above the hook, which sees several requests. They belong to one call if the client
says that they are attempts of it: by a count of retries, and the same idempotency key or body.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

from runreel.store import fork_guard

if TYPE_CHECKING:
    from collections.abc import Callable

    from runreel.capture.calls.recording import CallRecording

R = TypeVar("R", bound="CallRecording")

# Calls that are remembered; a client retries within seconds.
_MAX_WAITING = 256


class Attempts(Generic[R]):
    """The recordings of calls whose last attempt failed, with what identifies the call.

    Calls may be equal. Each attempt then gets another recording, the newest first: those before it
    may be of calls that the client has given up.
    """

    def __init__(self) -> None:
        self._waiting: OrderedDict[R, str] = OrderedDict()
        self._lock: threading.Lock = threading.Lock()
        fork_guard.register_in_child(self)

    def recording(self, key: str, number: int, make: Callable[[], R]) -> R:
        """Return the recording for an attempt: that of its call, or a new one by ``make``.

        ``number`` counts the retries of the client, from 0; ``key`` identifies the call.
        """
        with self._lock:
            equal = [one for one in reversed(self._waiting) if number and self._waiting[one] == key]
            # One that is open still stores its failure: its call does not try again yet.
            waiting = min(equal, key=lambda one: one.open, default=None)
            if waiting is not None:
                del self._waiting[waiting]
        return waiting or make()

    def failed(self, key: str, recording: R) -> None:
        """Keep a recording whose attempt failed, for the next attempt."""
        with self._lock:
            self._waiting[recording] = key
            while len(self._waiting) > _MAX_WAITING:
                self._waiting.popitem(last=False)

    def leave_parent(self) -> None:
        """In a forked child: the calls are those of the parent."""
        self._lock = threading.Lock()
        self._waiting.clear()


def key_of(url: str, idempotency_key: str | None, body: bytes) -> str:
    """Return what identifies the call of an attempt."""
    if idempotency_key:
        return f"{url} {idempotency_key}"
    return f"{url} {hashlib.sha256(body).hexdigest()}"
