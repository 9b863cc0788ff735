"""When the stream events of a run came."""

from __future__ import annotations

from collections.abc import Callable, Iterator  # noqa: TC003 - for typing.get_type_hints
from dataclasses import dataclass
from typing import Literal, NamedTuple

from runreel.model.events import StoredEvent  # noqa: TC001 - for typing.get_type_hints

Clock = Literal["recorded", "source", "even"]


class Frame(NamedTuple):
    """A stream event and when it came: µs since the first of the run."""

    time_us: int
    event: StoredEvent


@dataclass(frozen=True, slots=True)
class Timeline:
    """A run's stream events with their times, and whose clock those are.

    ``recorded``: as received; ``source``: the source's own times, evenly spread between them;
    ``even``: nothing is known, so one event each tenth of a second.
    """

    clock: Clock
    times: list[int]
    read: Callable[[], Iterator[StoredEvent]]

    @property
    def frames(self) -> Iterator[Frame]:
        """The events in order, read from the log as they are asked for."""
        return map(Frame, self.times, self.read())
