"""How long a recording waits for its service, and the pauses between attempts."""

from __future__ import annotations

import time
from dataclasses import dataclass

from runreel.system import backoff


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Time limits in seconds, after which errors of the service are raised in the program.

    ``outage``: without any response; ``unreachable``: the same before the first response;
    ``silence``: without an event, although the service responds; ``lag``: until Get reflects the
    events of the stream; ``ask``: for one Get. Pauses between attempts grow from ``pause`` to
    ``longest_pause``.
    """

    outage: float = 90.0
    unreachable: float = 20.0
    silence: float = 300.0
    lag: float = 3.0
    ask: float = 10.0
    pause: float = 0.25
    longest_pause: float = 10.0


PATIENCE = RetryPolicy()


class Backoff:
    """The wait for the next event: pauses between attempts, and the time to give up."""

    def __init__(self, patience: RetryPolicy) -> None:
        self._patience = patience
        self.event_received()
        self._had_contact = False

    def event_received(self) -> None:
        """Restart all limits: an event has arrived."""
        self._last_event = self._last_contact = time.monotonic()
        self._pauses = backoff.pauses(self._patience.pause, self._patience.longest_pause)
        self._had_contact = True

    def response_received(self) -> None:
        """Restart the outage limit: the service has responded, without a new event."""
        self._last_contact = time.monotonic()
        self._had_contact = True

    @property
    def is_over(self) -> bool:
        """Whether a limit is exceeded."""
        now, patience = time.monotonic(), self._patience
        outage = patience.outage if self._had_contact else patience.unreachable
        return now - self._last_contact > outage or now - self._last_event > patience.silence

    def next_pause(self) -> float:
        """Seconds to wait before the next attempt."""
        return next(self._pauses)
