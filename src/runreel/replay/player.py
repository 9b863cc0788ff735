"""A recorded stream once more, with its timing."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from runreel.model.errors import RunNotFound, UsageError
from runreel.model.events import NOTE, OPENED, RESUMED, STREAM_EVENT
from runreel.model.identifiers import check_lookup_id
from runreel.model.timeline import Timeline
from runreel.projection import event_times
from runreel.projection.event_times import EventTiming
from runreel.projection.projector import RunProjector
from runreel.query import runs as queries
from runreel.store.events import event_log
from runreel.system import loops

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from runreel.model.events import StoredEvent
    from runreel.model.results import RunStreamEvent
    from runreel.store.database import Database


def timeline(
    database: Database, run_id: str, *, start: int = 0, stop: int | None = None
) -> Timeline:
    """The timeline of the stream events in rows ``start`` up to but not ``stop``.

    Raises:
        RunNotFound: if the log has no such run.
    """
    check_lookup_id(run_id)
    beats: list[EventTiming] = []
    folded, session, end = RunProjector(run_id), 0, -1
    with database.reading() as connection:
        queries.require_kept(connection, run_id)
        for row in event_log.read(connection, run_id, stop=stop):
            reading = folded.apply(row).interpretation
            end = row.seq
            if row.kind == NOTE and row.type in (OPENED, RESUMED):
                session += 1
            elif row.kind == STREAM_EVENT and row.seq >= start:
                elapsed = row.elapsed if folded.state.has_live_clock else None
                # The run's creation is when its first event could have come.
                first = folded.state.created_at if not beats else None
                time = None if reading is None else reading.time
                beats.append(EventTiming(elapsed, session, row.at, time or first))
        if end < 0 and event_log.last_position(connection, run_id) < 0:
            raise RunNotFound(f"no run is called {run_id!r}")
    times, clock = event_times.event_times(beats)

    def read() -> Iterator[StoredEvent]:
        for event in queries.paged_events(database, run_id, start=start, stop=end + 1):
            if event.kind == STREAM_EVENT:
                yield event

    return Timeline(clock, times, read)


def replay(
    found: Timeline,
    *,
    speed: float = 1.0,
    max_gap: float | None = None,
    instant: bool = False,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[RunStreamEvent]:
    """The events as they came: pauses capped at ``max_gap`` s, divided by ``speed``.

    Raises:
        UsageError: if ``speed`` or ``max_gap`` is out of range.
    """
    for pause, event in timed_events(found, speed=speed, max_gap=max_gap, instant=instant):
        if pause:
            sleep(pause)
        if event.event is not None:
            yield event.event


async def areplay(
    found: Callable[[], Timeline],
    *,
    speed: float = 1.0,
    max_gap: float | None = None,
    instant: bool = False,
) -> AsyncIterator[RunStreamEvent]:
    """Like ``replay``, without blocking the event loop.

    Raises:
        UsageError: as ``replay``, and where something other than asyncio runs the task.
    """
    loops.running()
    steps = timed_events(
        await asyncio.to_thread(found), speed=speed, max_gap=max_gap, instant=instant
    )
    while (step := await asyncio.to_thread(next, steps, None)) is not None:
        pause, event = step
        if pause:
            await asyncio.sleep(pause)
        if event.event is not None:
            yield event.event


def timed_events(
    found: Timeline, *, speed: float = 1.0, max_gap: float | None = None, instant: bool = False
) -> Iterator[tuple[float, StoredEvent]]:
    """Each event with the seconds to wait before it.

    Raises:
        UsageError: if ``speed`` or ``max_gap`` is out of range.
    """
    if not 0 < speed < float("inf"):
        raise UsageError("the speed of a replay is a number above 0")
    if max_gap is not None and not max_gap >= 0:
        raise UsageError("the longest gap of a replay is a number of seconds from 0")
    pauses = event_times.delays(found.times, speed=speed, max_gap=max_gap)
    for pause, frame in zip(pauses, found.frames, strict=False):
        yield (0.0 if instant else pause), frame.event
