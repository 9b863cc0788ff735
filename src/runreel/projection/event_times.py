"""Event times and replay delays. Computes only; never sleeps."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from runreel.model.timeline import Clock

# In µs, for events without any time.
EVEN_GAP = 100_000


@dataclass(frozen=True, slots=True)
class EventTiming:
    """The known times of an event in µs, each on its own clock.

    ``elapsed`` counts from the start of the recording session; None for an import. ``session``
    numbers the sessions. ``at`` is the wall clock, ``source`` the source's own time.
    """

    elapsed: int | None
    session: int
    at: int
    source: int | None


def event_times(timings: Sequence[EventTiming]) -> tuple[list[int], Clock]:
    """Return the µs since the first event for each event, and the clock they are from.

    They never decrease. Recorded events keep their monotonic times, with the wall clock between
    sessions. Imported events use the source's times, evenly spread between those that have one, or
    even gaps if there are none.
    """
    if not timings:
        return [], "recorded"
    if all(timing.elapsed is not None for timing in timings):
        return _recorded(timings), "recorded"
    known = [(n, timing.source) for n, timing in enumerate(timings) if timing.source is not None]
    if len({time for _, time in known}) > 1:
        return _spread(len(timings), [(n, time) for n, time in known if time is not None]), "source"
    return [n * EVEN_GAP for n in range(len(timings))], "even"


def wall_times(received: Sequence[int], known: Mapping[int, int]) -> list[int]:
    """Return the wall-clock time of each row of a run in µs since the epoch; never decreasing.

    ``known`` maps row numbers to times on the run's own clock: when a recorder received the row, or
    the source's time of an imported one. Rows between two known times are evenly spread. Without
    known times, the rows happened when they were ``received``.
    """
    times = sorted(known.items()) or [*enumerate(received)]
    if not times:
        return []
    begin = times[0][1]
    return [begin + time for time in _spread(len(received), times)]


def steps_until(low: int, high: int, width: int, at: int) -> int:
    """Return the last of the rows 0 to ``width`` that ``wall_times`` gives a time up to ``at``.

    Row 0 has the time ``low``, up to ``at``, and row ``width`` the time ``high``, after it.
    """
    return ((at - low + 1) * width - 1) // (high - low)


def delays(
    times: Iterable[int], *, speed: float = 1.0, max_gap: float | None = None
) -> Iterator[float]:
    """Return the wait in seconds before each event: gaps up to ``max_gap``, over ``speed``."""
    last: int | None = None
    for time in times:
        gap = 0.0 if last is None else max(0, time - last) / 1_000_000
        yield (gap if max_gap is None else min(gap, max_gap)) / speed
        last = time


def _recorded(timings: Sequence[EventTiming]) -> list[int]:
    times: list[int] = []
    first = previous = timings[0]
    start = 0
    for timing in timings:
        if timing.session != previous.session:
            start = times[-1] + max(0, timing.at - previous.at)
            first = timing
        time = start + (timing.elapsed or 0) - (first.elapsed or 0)
        times.append(max(time, times[-1] if times else 0))
        previous = timing
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
