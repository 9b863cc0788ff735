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
from tests.benchmarks.page import Goal, Section, faster

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.api.reel import Reel
    from runreel.recording.recorder import Recorder
    from tests.benchmarks.bench import Bench
    from tests.benchmarks.page import Row

_GOALS = {
    ("tasks", SQLITE, "normal"): Goal(at_least=2),
    ("tasks", POSTGRES, "normal"): Goal(at_least=6),
    ("tasks", POSTGRES, "full"): Goal(at_least=6),
    ("threads", SQLITE, "normal"): Goal(at_least=1.2),
    ("threads", POSTGRES, "normal"): Goal(at_least=4),
    ("threads", POSTGRES, "full"): Goal(at_least=4),
}


def run(bench: Bench) -> Section:
    """Rates of many streams, as fast as they can."""
    sizes = bench.sizes
    section = Section("Many streams at once")
    for database in DATABASES:
        for durability in DURABILITIES:
            with bench.log(database, durability) as reel:
                section.rows += _unpaced(bench, reel, database, durability)
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


def _tasks(reel: Reel, streams: int, values: list[Any]) -> Sample:
    recorders = _recorders(reel, streams, values[0])
    waits: list[float] = []

    async def stream(recording: Recorder) -> None:
        for value in values[1:]:
            start = time.perf_counter()
            # Others get their turn.
            await asyncio.sleep(0)
            await recording.aoffer(STREAM_EVENT, value)
            waits.append(time.perf_counter() - start)

    async def together() -> float:
        start = time.perf_counter()
        await asyncio.gather(*map(stream, recorders))
        return time.perf_counter() - start

    return Sample(asyncio.run(together()), len(waits), waits)
