"""Recordings of calls whose last attempt failed: the client may try again.

A client retries above the hook, which sees several requests. They belong to one call if the client
says that they are attempts of it: by a count of retries, and the same idempotency key or body.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from runreel.store import fork_guard

if TYPE_CHECKING:
    from collections.abc import Callable

    from runreel.capture.calls.recording import CallRecording

R = TypeVar("R", bound="CallRecording")

# Calls that are remembered, and bytes of their requests; a client retries within seconds.
_MAX_WAITING = 256
MAX_WAITING_BYTES = 1 << 24


class _Waiting(NamedTuple):
    key: str
    size: int


class Attempts(Generic[R]):
    """The recordings of calls whose last attempt failed, with what identifies the call.

    Calls may be equal. Each attempt then gets another recording, the newest first: those before it
    may be of calls that the client has given up.
    """

    def __init__(self) -> None:
        self._waiting: OrderedDict[R, _Waiting] = OrderedDict()
        self._bytes = 0
        self._lock: threading.Lock = threading.Lock()
        fork_guard.register_in_child(self)

    def recording(self, key: str, number: int, make: Callable[[], R]) -> R:
        """Return the recording for an attempt: that of its call, or a new one by ``make``.

        ``number`` counts the retries of the client, from 0; ``key`` identifies the call.
        """
        with self._lock:
            equal = [
                one for one in reversed(self._waiting) if number and self._waiting[one].key == key
            ]
            # One that is open still stores its failure: its call does not try again yet.
            waiting = min(equal, key=lambda one: one.open, default=None)
            if waiting is not None:
                self._bytes -= self._waiting.pop(waiting).size
        return waiting or make()

    def failed(self, key: str, recording: R, size: int = 0) -> None:
        """Keep a recording whose attempt failed, for the next attempt.

        ``size`` is that of its request in bytes. The newest recordings are kept, at least one.
        """
        with self._lock:
            self._waiting[recording] = _Waiting(key, size)
            self._bytes += size
            while len(self._waiting) > _MAX_WAITING or (
                self._bytes > MAX_WAITING_BYTES and len(self._waiting) > 1
            ):
                _, (_, dropped) = self._waiting.popitem(last=False)
                self._bytes -= dropped

    def leave_parent(self) -> None:
        """In a forked child: the calls are those of the parent."""
        self._lock = threading.Lock()
        self._waiting.clear()
        self._bytes = 0


def key_of(url: str, idempotency_key: str | None, body: bytes) -> str:
    """Return what identifies the call of an attempt."""
    if idempotency_key:
        return f"{url} {idempotency_key}"
    return f"{url} {hashlib.sha256(body).hexdigest()}"
