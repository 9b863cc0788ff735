"""When to show each event of a replay. Computes pauses; never sleeps."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from runreel.model.timeline import Clock

# Where nothing is known of the timing.
EVEN_GAP = 100_000


@dataclass(frozen=True, slots=True)
class EventTiming:
    """What is known of when an event happened: µs, each on a clock of its own.

    ``elapsed`` is since its recording session began, None where that says nothing (an import);
    ``session`` numbers the sessions; ``at`` is the wall clock, ``source`` the source's own time.
    """

    elapsed: int | None
    session: int
    at: int
    source: int | None


def event_times(beats: Sequence[EventTiming]) -> tuple[list[int], Clock]:
    """µs since the first event for each, never falling, and whose clock that is.

    Recorded events keep their monotonic times, with the wall clock between sessions. Imported ones
    take the source's times where it gives any, evenly spread between those; else even gaps.
    """
    if not beats:
        return [], "recorded"
    if all(beat.elapsed is not None for beat in beats):
        return _recorded(beats), "recorded"
    known = [(n, beat.source) for n, beat in enumerate(beats) if beat.source is not None]
    if len({time for _, time in known}) > 1:
        return _spread(len(beats), [(n, time) for n, time in known if time is not None]), "source"
    return [n * EVEN_GAP for n in range(len(beats))], "even"


def wall_times(received: Sequence[int], known: Mapping[int, int]) -> list[int]:
    """When each row of a run happened, in µs since the epoch, never falling.

    ``known`` are the times on the run's own clock, by row: when a recorder received it, or the
    source's own time of an imported one. Rows between two of them are evenly spread. Where there
    are none, the rows happened when they were ``received``.
    """
    times = sorted(known.items()) or [*enumerate(received)]
    if not times:
        return []
    begin = times[0][1]
    return [begin + time for time in _spread(len(received), times)]


def delays(
    times: Iterable[int], *, speed: float = 1.0, max_gap: float | None = None
) -> Iterator[float]:
    """Seconds to wait before each event: gaps up to ``max_gap`` seconds, divided by ``speed``."""
    last: int | None = None
    for time in times:
        gap = 0.0 if last is None else max(0, time - last) / 1_000_000
        yield (gap if max_gap is None else min(gap, max_gap)) / speed
        last = time


def _recorded(beats: Sequence[EventTiming]) -> list[int]:
    times: list[int] = []
    first = previous = beats[0]
    start = 0
    for beat in beats:
        if beat.session != previous.session:
            start = times[-1] + max(0, beat.at - previous.at)
            first = beat
        time = start + (beat.elapsed or 0) - (first.elapsed or 0)
        times.append(max(time, times[-1] if times else 0))
        previous = beat
    return times


def _spread(count: int, known: list[tuple[int, int]]) -> list[int]:
    begin, end = known[0][1], known[-1][1]
    times: list[int] = []
    for (left, low), (right, high) in pairwise([(0, begin), *known, (count - 1, end)]):
        width = right - left
        times += [low + (high - low) * step // width - begin for step in range(width)]
    times.append(end - begin)
    rising = 0
    return [rising := max(rising, time) for time in times]
