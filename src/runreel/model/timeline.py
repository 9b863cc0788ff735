"""The stream events of a run with their times."""

from __future__ import annotations

from collections.abc import Callable, Iterator  # noqa: TC003 - for typing.get_type_hints
from dataclasses import dataclass
from typing import Literal, NamedTuple

from runreel.model.events import StoredEvent  # noqa: TC001 - for typing.get_type_hints

Clock = Literal["recorded", "source", "even"]


class Frame(NamedTuple):
    """A stream event and its time in µs since the first event of the run."""

    time_us: int
    event: StoredEvent


@dataclass(frozen=True, slots=True)
class Timeline:
    """The stream events of a run with their times; ``clock`` is the origin of the times.

    ``recorded``: the time of receipt; ``source``: times reported by the source, interpolated evenly
    between them; ``even``: no times are known, so events are 0.1 s apart.
    """

    clock: Clock
    times: list[int]
    read: Callable[[], Iterator[StoredEvent]]

    @property
    def frames(self) -> Iterator[Frame]:
        """The events in order, read from the log on iteration."""
        return map(Frame, self.times, self.read())
