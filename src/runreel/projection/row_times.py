"""The time of each row of a run, on the run's own clock."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from runreel.codec.json_values import as_object
from runreel.model.events import NOTE, OPENED, RESUMED, RUN, STREAM_EVENT, TOOL_RESULTS
from runreel.model.timestamps import micros
from runreel.projection import event_times
from runreel.projection.event_times import EVEN_GAP, EventTiming

if TYPE_CHECKING:
    from runreel.model.events import EventRow
    from runreel.model.timeline import Clock
    from runreel.projection.projector import ProjectedRow
    from runreel.projection.run_state import RunState


class RowTimes(NamedTuple):
    """Times in µs since the run was asked or, if that is unknown, since its first row.

    ``rows`` has the time of each row, never decreasing; ``requests`` that of the request that a
    row ``opened`` or ``resumed`` begins, by seq; ``wall`` each row's time since the epoch.
    """

    clock: Clock
    rows: list[int]
    requests: dict[int, int]
    wall: list[int]


class RowClock:
    """Collects what is known of the times of a run's rows, from the first."""

    def __init__(self) -> None:
        self._timings: list[EventTiming] = []
        self._kinds: list[str] = []
        self._requested: dict[int, int] = {}
        self._first_time: int | None = None
        self._session = 0
        # The times that were computed last, and from what.
        self._known: tuple[tuple[int, int | None], RowTimes] | None = None

    def add(self, row: EventRow, projected: ProjectedRow, state: RunState) -> None:
        """Note the times of the next row; ``state`` is that after it."""
        if row.kind == NOTE and row.type in (OPENED, RESUMED):
            self._session += 1
            requested = micros(as_object(projected.value).get("requested_at"))
            if requested is not None:
                self._requested[row.seq] = requested
        interpretation = projected.interpretation
        time = None if interpretation is None else interpretation.time
        if row.kind == TOOL_RESULTS:
            time = micros(as_object(projected.value).get("at"))
        if self._first_time is None:
            self._first_time = state.metadata.created_at
        elapsed = row.elapsed if state.has_live_clock else None
        self._timings.append(EventTiming(elapsed, self._session, row.at, time))
        self._kinds.append(row.kind)

    def times(self, requested_at: int | None) -> RowTimes:
        """Return the times; ``requested_at`` is when the run was asked, in µs since the epoch."""
        key = len(self._timings), requested_at
        if self._known is None or self._known[0] != key:
            is_recorded = all(timing.elapsed is not None for timing in self._timings)
            self._known = key, self._recorded() if is_recorded else self._imported(requested_at)
        return self._known[1]

    def _recorded(self) -> RowTimes:
        times, clock = event_times.event_times(self._timings)
        requests: dict[int, int] = {}
        for seq, requested in self._requested.items():
            waited = max(0, self._timings[seq].at - requested)
            # A request comes after the rows before it.
            requests[seq] = max(times[seq] - waited, times[seq - 1] if seq else -waited)
        start = min(0, *requests.values()) if requests else 0
        return RowTimes(
            clock,
            [time - start for time in times],
            {seq: time - start for seq, time in requests.items()},
            [timing.at for timing in self._timings],
        )

    def _imported(self, requested_at: int | None) -> RowTimes:
        """Only events have times; requests and notes have that of the event before them."""
        numbers = self._numbers(RUN, STREAM_EVENT, TOOL_RESULTS)
        timings = [_imported(self._timings[n]) for n in numbers]
        if timings and timings[0].source is None:
            # As a replay does: the first event has the time of the run's creation.
            timings[0] = replace(timings[0], source=self._first_time)
        times, clock = event_times.event_times(timings)
        if clock != "source":
            return self._unknown()
        begin = next(timing.source for timing in timings if timing.source is not None)
        rows, start, requests = self._filled(times, numbers), 0, {}
        if requested_at is not None:
            start, requests = min(0, requested_at - begin), {0: 0}
        wall = [begin + time for time in rows]
        return RowTimes(clock, [time - start for time in rows], requests, wall)

    def _unknown(self) -> RowTimes:
        numbers = self._numbers(STREAM_EVENT)
        even = [n * EVEN_GAP for n in range(len(numbers))]
        received = [timing.at for timing in self._timings]
        return RowTimes("even", self._filled(even, numbers), {}, received)

    def _numbers(self, *kinds: str) -> list[int]:
        return [number for number, kind in enumerate(self._kinds) if kind in kinds]

    def _filled(self, times: list[int], numbers: list[int]) -> list[int]:
        """The time of each row: the last of those given for the rows ``numbers`` up to it."""
        rows: list[int] = []
        known = dict(zip(numbers, times, strict=True))
        time = times[0] if times else 0
        for number in range(len(self._kinds)):
            time = known.get(number, time)
            rows.append(time)
        return rows


def _imported(timing: EventTiming) -> EventTiming:
    return EventTiming(None, timing.session, timing.at, timing.source)
