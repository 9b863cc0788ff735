"""When the parts of an answer are sent."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from runreel.projection import event_times

if TYPE_CHECKING:
    from collections.abc import Sequence


class Timing(NamedTuple):
    """The timing of what is served: as recorded, unless a field says otherwise.

    Pauses of more than ``max_gap`` seconds last that long, and all are divided by ``speed``;
    ``instant`` leaves them out. The time up to the first event is a pause too.
    """

    speed: float = 1.0
    max_gap: float | None = None
    instant: bool = False


AS_RECORDED = Timing()


def plan(times: Sequence[int], timing: Timing = AS_RECORDED) -> list[float]:
    """Return when to send each part, in seconds after the request; never decreasing.

    ``times`` are those of the recording in µs after its request.
    """
    if timing.instant:
        return [0.0] * len(times)
    delays = event_times.delays([0, *times], speed=timing.speed, max_gap=timing.max_gap)
    return list(accumulate(delays))[1:]
