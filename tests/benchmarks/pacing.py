"""Many streams at the pace of real ones: how late events are, and how long everything stands still.

The same tasks and threads run without recording as well: what the machine itself adds.
"""

from __future__ import annotations

import asyncio
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from runreel.model.events import STREAM_EVENT
from tests.benchmarks import measure, workload
from tests.benchmarks.bench import DATABASES, DURABILITIES
from tests.benchmarks.measure import Sample
from tests.benchmarks.page import Row, Section, duration, latency

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from runreel.api.reel import Reel
    from runreel.recording.recorder import Recorder
    from tests.benchmarks.bench import Bench

    Append = Callable[[Recorder, Any], Awaitable[object]]

# Seconds from an event of a stream to its next.
PACE = 0.05
# Seconds from a look at the clock to the next.
_TICK = 0.001
_ROUNDS = 2


class Paced(NamedTuple):
    """How late each event was, and the longest that nothing else ran, in seconds."""

    sample: Sample
    stall: float


def run(bench: Bench) -> Section:
    """Latencies and stalls, recorded and bare."""
    section = Section("Latency at pace")
    for database in DATABASES:
        for durability in DURABILITIES:
            with bench.log(database, durability) as reel:
                section.rows += _rows(bench, reel, f"{database} `{durability}`")
    streams = bench.sizes.paced_streams
    section.note(
        f"**{streams} tasks** of one event loop, or {streams} threads, with an event every"
        f" {PACE * 1000:.0f} ms each: {streams / PACE:,.0f} events per second. Latency is from the"
        " scheduled time of an event to its commit, as median and 99th percentile;"
        " **not recorded** is the same without a recorder. In **one commit per event** each"
        " task commits its own events. The ratio compares the 99th percentiles."
    )
    section.note(
        "**Stall** is the longest time, in all rounds, by which a task that sleeps for"
        f" {_TICK * 1000:.0f} ms, of the same loop, comes late, or a thread that does. A program"
        " of threads shares the interpreter with the recorders."
    )
    return section


def _rows(bench: Bench, reel: Reel, place: str) -> Iterator[Row]:
    values = workload.partials(0, bench.sizes.paced)
    streams = bench.sizes.paced_streams
    works: dict[str, Callable[[], Paced]] = {
        "tasks": partial(_tasks, reel, streams, values, _shared),
        "bare tasks": partial(_tasks, reel, streams, values, _nothing),
        "threads": partial(_threads, reel, streams, values, recorded=True),
        "bare threads": partial(_threads, reel, streams, values, recorded=False),
    }
    found: dict[str, list[Paced]] = {name: [] for name in works}
    for _ in range(min(_ROUNDS, bench.sizes.rounds)):
        for name, work in works.items():
            found[name].append(work())
    for kind in ("tasks", "threads"):
        yield _row(f"{streams} {kind}, {place}", found[kind], "not recorded", found[f"bare {kind}"])
    alone = _tasks(reel, streams, values, _alone)
    yield _row(f"{streams} tasks, {place}", found["tasks"], "one commit per event", [alone])


def _row(work: str, ours: list[Paced], baseline: str, theirs: list[Paced]) -> Row:
    recorded, bare = ([one.sample for one in found] for found in (ours, theirs))
    ratio = measure.wait(bare, 0.99) / measure.wait(recorded, 0.99)
    return Row(work, _told(ours), baseline, _told(theirs), ratio)


def _told(found: list[Paced]) -> str:
    waits = latency([one.sample for one in found])
    return f"{waits}, stall {duration(max(one.stall for one in found))}"


async def _shared(recorder: Recorder, value: Any) -> None:
    await recorder.aoffer(STREAM_EVENT, value)


async def _alone(recorder: Recorder, value: Any) -> None:
    recorder.offer(STREAM_EVENT, value)


async def _nothing(_recorder: Recorder, _value: Any) -> None:
    """Take the event, as a program that is not recorded does."""


def _recorders(reel: Reel, count: int, value: Any) -> list[Recorder]:
    """Recordings that have begun."""
    found = [workload.recorder(reel, workload.fresh_id()) for _ in range(count)]
    for one in found:
        one.offer(STREAM_EVENT, value)
    return found


def _tasks(reel: Reel, streams: int, values: list[Any], append: Append) -> Paced:
    recorders = _recorders(reel, streams, values[0])
    waits: list[float] = []
    gaps: list[float] = []

    async def stream(place: int, recorder: Recorder, begin: float) -> None:
        for n, value in enumerate(values[1:]):
            due = begin + PACE * (n + place / streams)
            # Where it is late already, others get their turn all the same.
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            await append(recorder, value)
            waits.append(time.perf_counter() - due)

    async def watch() -> None:
        while True:
            begin = time.perf_counter()
            await asyncio.sleep(_TICK)
            gaps.append(time.perf_counter() - begin - _TICK)

    async def together() -> float:
        watching = asyncio.create_task(watch())
        start = time.perf_counter()
        await asyncio.gather(*(stream(n, one, start) for n, one in enumerate(recorders)))
        watching.cancel()
        return time.perf_counter() - start

    return Paced(Sample(asyncio.run(together()), len(waits), waits), max(gaps))


def _threads(reel: Reel, streams: int, values: list[Any], *, recorded: bool) -> Paced:
    recorders = _recorders(reel, streams, values[0])
    samples: list[list[float]] = []
    gaps: list[float] = []
    done = threading.Event()
    # All threads are there before the first event is due.
    begin = time.perf_counter() + 0.5

    def stream(place: int, recorder: Recorder) -> None:
        waits = []
        for n, value in enumerate(values[1:]):
            due = begin + PACE * (n + place / streams)
            time.sleep(max(0.0, due - time.perf_counter()))
            if recorded:
                recorder.offer(STREAM_EVENT, value)
            waits.append(time.perf_counter() - due)
        samples.append(waits)

    def watch() -> None:
        time.sleep(max(0.0, begin - time.perf_counter()))
        while not done.is_set():
            start = time.perf_counter()
            time.sleep(_TICK)
            gaps.append(time.perf_counter() - start - _TICK)

    watching = threading.Thread(target=watch)
    threads = [threading.Thread(target=stream, args=two) for two in enumerate(recorders)]
    for thread in (watching, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - begin
    done.set()
    watching.join()
    waits = [wait for sample in samples for wait in sample]
    return Paced(Sample(seconds, len(waits), waits), max(gaps))
