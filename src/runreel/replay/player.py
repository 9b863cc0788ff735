"""Replays a recorded stream with its timing."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from runreel.model.errors import UsageError
from runreel.model.events import NOTE, OPENED, RESUMED, STREAM_EVENT
from runreel.model.timeline import Timeline
from runreel.projection import event_times
from runreel.projection.event_times import EventTiming
from runreel.projection.projector import RunProjector
from runreel.query import run_history
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
    """Return the timeline of the stream events from seq ``start`` up to but not ``stop``.

    Raises:
        RunNotFound: if the log has no such run.
    """
    timings: list[EventTiming] = []
    projector, session, end = RunProjector(run_id), 0, -1
    with database.reading() as connection:
        run_id = run_history.with_id(connection, run_id)
        run_history.require_logged(connection, run_id)
        for row in event_log.read(connection, run_id, stop=stop):
            interpretation = projector.apply(row).interpretation
            end = row.seq
            if row.kind == NOTE and row.type in (OPENED, RESUMED):
                session += 1
            elif row.kind == STREAM_EVENT and row.seq >= start:
                elapsed = row.elapsed if projector.state.has_live_clock else None
                # Without a time of its own, the first event has the time of the run's creation.
                first_time = projector.state.metadata.created_at if not timings else None
                time = None if interpretation is None else interpretation.time
                timings.append(EventTiming(elapsed, session, row.at, time or first_time))
    times, clock = event_times.event_times(timings)

    def read() -> Iterator[StoredEvent]:
        for event in run_history.paged_events(database, run_id, start=start, stop=end + 1):
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
    """Yield the events with their original delays.

    Delays are limited to ``max_gap`` seconds and divided by ``speed``; ``instant`` skips them.

    Raises:
        UsageError: if ``speed`` or ``max_gap`` is out of range.
    """
    for delay, event in timed_events(found, speed=speed, max_gap=max_gap, instant=instant):
        if delay:
            sleep(delay)
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
        UsageError: as ``replay``, and if the task does not run in asyncio.
    """
    loops.running()
    steps = timed_events(
        await asyncio.to_thread(found), speed=speed, max_gap=max_gap, instant=instant
    )
    while (step := await asyncio.to_thread(next, steps, None)) is not None:
        delay, event = step
        if delay:
            await asyncio.sleep(delay)
        if event.event is not None:
            yield event.event


def timed_events(
    found: Timeline, *, speed: float = 1.0, max_gap: float | None = None, instant: bool = False
) -> Iterator[tuple[float, StoredEvent]]:
    """Yield each event with its delay in seconds.

    Raises:
        UsageError: if ``speed`` or ``max_gap`` is out of range.
    """
    if not 0 < speed < float("inf"):
        raise UsageError(f"invalid speed {speed}: use a number above 0")
    if max_gap is not None and not max_gap >= 0:
        raise UsageError(f"invalid max_gap {max_gap}: use a number of seconds from 0")
    delays = event_times.delays(found.times, speed=speed, max_gap=max_gap)
    for delay, frame in zip(delays, found.frames, strict=False):
        yield (0.0 if instant else delay), frame.event
