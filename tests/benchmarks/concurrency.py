"""Many streams at once: shared commits of threads and tasks, compared with one commit per event."""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from functools import partial
from typing import TYPE_CHECKING, Any

from runreel.model.events import STREAM_EVENT
from tests.benchmarks import measure, workload
from tests.benchmarks.bench import DATABASES, DURABILITIES, POSTGRES, SQLITE
from tests.benchmarks.measure import Sample
from tests.benchmarks.page import Goal, Row, Section, faster, latency

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runreel.api.reel import Reel
    from runreel.recording.recorder import Recorder
    from tests.benchmarks.bench import Bench

_GOALS = {
    ("tasks", SQLITE, "normal"): Goal(at_least=2),
    ("tasks", POSTGRES, "normal"): Goal(at_least=6),
    ("tasks", POSTGRES, "full"): Goal(at_least=6),
    ("threads", SQLITE, "normal"): Goal(at_least=1.2),
    ("threads", POSTGRES, "normal"): Goal(at_least=4),
    ("threads", POSTGRES, "full"): Goal(at_least=4),
}
_PACE = 0.05


def run(bench: Bench) -> Section:
    """Rates of many streams as fast as they can, and latencies at the pace of real ones."""
    sizes = bench.sizes
    section = Section("Many streams at once")
    for database in DATABASES:
        for durability in DURABILITIES:
            with bench.log(database, durability) as reel:
                section.rows += _unpaced(bench, reel, database, durability)
                section.rows += _paced(bench, reel, database, durability)
    section.note(
        f"**{sizes.streams} tasks** of one event loop, and **{sizes.streams} threads**: at full"
        f" speed, {sizes.of_each} partial messages each. The baseline is one thread that commits"
        " the same events one by one, in turn for each run. Latencies include waiting for the"
        " others."
    )
    section.note(
        "Shared commits save waits for the disk. At `normal` there are none: the bare driver"
        " itself is only 1.6 times as fast when it stores 64 rows of 64 runs in one"
        " transaction, because each run has its own page, and the Python work per event is the"
        " same. Threads share one interpreter."
    )
    section.note(
        f"**At pace**: {sizes.paced_streams} tasks with an event every {_PACE * 1000:.0f} ms, a"
        f" demand of {sizes.paced_streams / _PACE:,.0f} events per second. In the baseline each"
        " task commits its own events. Latency is measured from the scheduled time of an event"
        " to its commit; the ratio compares the 99th percentiles."
    )
    return section


def _unpaced(bench: Bench, reel: Reel, database: str, durability: str) -> Iterator[Row]:
    values = workload.partials(0, bench.sizes.of_each)
    arguments = reel, bench.sizes.streams, values
    found = measure.interleaved(
        bench.sizes.rounds,
        {
            "alone": partial(_in_turn, *arguments),
            "tasks": partial(_tasks, *arguments),
            "threads": partial(_threads, *arguments),
        },
    )
    for kind in ("tasks", "threads"):
        work = f"{bench.sizes.streams} {kind}, {database} `{durability}`"
        goal = _GOALS.get((kind, database, durability))
        yield faster(work, found[kind], "one commit per event", found["alone"], goal)


def _paced(bench: Bench, reel: Reel, database: str, durability: str) -> Iterator[Row]:
    values = workload.partials(0, bench.sizes.paced)
    arguments = reel, bench.sizes.paced_streams, values
    found = measure.interleaved(
        1,
        {
            "grouped": partial(_tasks, *arguments, pace=_PACE),
            "alone": partial(_tasks, *arguments, pace=_PACE, append=_alone),
        },
    )
    grouped, alone = found["grouped"], found["alone"]
    yield Row(
        f"{bench.sizes.paced_streams} tasks at pace, {database} `{durability}`",
        latency(grouped),
        "one commit per event",
        latency(alone),
        measure.wait(alone, 0.99) / measure.wait(grouped, 0.99),
    )


def _recorders(reel: Reel, count: int, value: Any) -> list[Recorder]:
    """Recordings that have begun."""
    name = uuid.uuid4().hex[:12]
    found = [workload.recorder(reel, f"fvt{name}-{n:03d}") for n in range(count)]
    for one in found:
        one.offer(STREAM_EVENT, value)
    return found


def _in_turn(reel: Reel, streams: int, values: list[Any]) -> Sample:
    recorders = _recorders(reel, streams, values[0])
    rest = [(one, value) for value in values[1:] for one in recorders]
    return measure.each(lambda event: event[0].offer(STREAM_EVENT, event[1]), rest)


def _threads(reel: Reel, streams: int, values: list[Any]) -> Sample:
    recorders = _recorders(reel, streams, values[0])
    samples: list[Sample] = []
    ready = threading.Barrier(streams + 1)

    def stream(recording: Recorder) -> None:
        ready.wait()
        offer = partial(recording.offer, STREAM_EVENT)
        samples.append(measure.each(offer, values[1:]))

    threads = [threading.Thread(target=stream, args=(one,)) for one in recorders]
    for thread in threads:
        thread.start()
    ready.wait()
    start = time.perf_counter()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - start
    waits = [wait for sample in samples for wait in sample.waits]
    return Sample(seconds, len(waits), waits)


async def _shared(recording: Recorder, value: Any) -> None:
    await recording.aoffer(STREAM_EVENT, value)


async def _alone(recording: Recorder, value: Any) -> None:
    recording.offer(STREAM_EVENT, value)


def _tasks(
    reel: Reel,
    streams: int,
    values: list[Any],
    *,
    pace: float = 0.0,
    append: Callable[[Recorder, Any], Any] = _shared,
) -> Sample:
    recorders = _recorders(reel, streams, values[0])
    waits: list[float] = []

    async def stream(place: int, recording: Recorder, begin: float) -> None:
        for n, value in enumerate(values[1:]):
            due = begin + pace * (n + place / streams) if pace else time.perf_counter()
            # Where it is late already, others get their turn all the same.
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            await append(recording, value)
            waits.append(time.perf_counter() - due)

    async def together() -> float:
        start = time.perf_counter()
        await asyncio.gather(*(stream(n, one, start) for n, one in enumerate(recorders)))
        return time.perf_counter() - start

    return Sample(asyncio.run(together()), len(waits), waits)
