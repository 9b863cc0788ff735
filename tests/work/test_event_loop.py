"""What an event loop records never makes it wait: not for a lock, a disk, or a reading."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from runreel.model.errors import DatabaseUnavailable
from runreel.model.events import STREAM_EVENT
from runreel.recording.recorder import Recorder
from runreel.store.database import Database
from runreel.system import loops
from runreel.system.turns import EventLoopBatcher
from tests import logs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.api.reel import Reel

# The other process holds the lock for so many seconds; a loop that waits for it stalls as long.
HELD = 2.5
_HOLD = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
time.sleep(float(sys.argv[2]))
connection.execute("ROLLBACK")
"""


def partial(n: int) -> dict[str, str]:
    return {"type": "PARTIAL_MESSAGE", "text": "word " * n}


def recorder(reel: Reel, run_id: str = "run-0") -> Recorder:
    return Recorder(reel.db, run_id, source="plain", via="test")


def texts(reel: Reel, run_id: str) -> list[str | None]:
    return [event.text for event in reel.events(run_id, type="PARTIAL_MESSAGE")]


@contextmanager
def write_lock(reel: Reel, seconds: float = HELD) -> Iterator[None]:
    """Another process holds SQLite's write lock from now on, for so many seconds."""
    path = str(reel.db.url.database)
    held = [sys.executable, "-c", _HOLD, path, str(seconds)]
    with subprocess.Popen(held, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield


async def beat(stalls: list[float]) -> None:
    last = time.perf_counter()
    while True:
        await asyncio.sleep(0.01)
        now = time.perf_counter()
        stalls.append(now - last)
        last = now


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_loop_goes_on_while_another_process_holds_the_write_lock(reel: Reel) -> None:
    stalls: list[float] = []

    async def record(n: int) -> None:
        one = recorder(reel, f"run-{n}")
        for k in range(20):
            await one.aoffer(STREAM_EVENT, partial(k))
            await asyncio.sleep(0.01)
        await one.aclose()

    async def main() -> None:
        beating = asyncio.create_task(beat(stalls))
        early = [asyncio.create_task(record(n)) for n in range(3)]
        await asyncio.sleep(0.05)
        with write_lock(reel):
            late = [asyncio.create_task(record(n)) for n in range(3, 6)]
            await asyncio.gather(*early, *late)
        beating.cancel()

    asyncio.run(main())
    # Generous, for a busy machine: a loop that waits stalls for as long as the lock is held.
    assert max(stalls) < HELD / 2
    for n in range(6):
        assert texts(reel, f"run-{n}") == ["word " * k for k in range(20)]
        assert reel.run(f"run-{n}").recording == "closed"
    assert reel.rebuild(check=True) == []


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_loop_that_ends_while_the_lock_is_held_ends_with_what_became_of_its_rows(
    reel: Reel,
) -> None:
    one = recorder(reel)
    one.offer(STREAM_EVENT, partial(1))

    async def main() -> None:
        task = asyncio.create_task(one.aoffer(STREAM_EVENT, partial(2)))
        await asyncio.sleep(0.1)
        assert not task.done()

    with write_lock(reel, 1.0):
        asyncio.run(main())
    one.offer(STREAM_EVENT, partial(3))
    one.close()
    assert texts(reel, "run-0") == ["word " * n for n in (1, 2, 3)]


async def after_a_failure(reel: Reel, one: Recorder) -> None:
    """The next append after one that failed reads the log again."""
    with pytest.MonkeyPatch.context() as patch:
        for way in ("write", "writing", "write_at_once"):
            patch.setattr(Database, way, gone)
        with pytest.raises(DatabaseUnavailable):
            await one.aappend(STREAM_EVENT, partial(2))
    await one.aappend(STREAM_EVENT, partial(3))


def gone(*_: object) -> None:
    raise DatabaseUnavailable("gone")


async def behind_another(reel: Reel, one: Recorder) -> None:
    """Another recorder of the run was faster."""

    def append() -> None:
        recorder(reel).append(STREAM_EVENT, partial(2))

    await asyncio.to_thread(append)
    await one.aappend(STREAM_EVENT, partial(3))


async def again(reel: Reel, one: Recorder) -> None:
    """An event that the log may have already is looked for in it."""
    other = await asyncio.to_thread(recorder, reel)
    assert not (await other.aoffer(STREAM_EVENT, partial(1))).new


async def to_the_end(reel: Reel, one: Recorder) -> None:
    """A recorder that knows nothing of the log any more ends its recording."""
    one._stale = True
    await one.aclose()


@pytest.mark.parametrize("steps", [after_a_failure, behind_another, again, to_the_end])
def test_no_reading_and_no_wait_for_a_commit_is_in_the_loops_own_thread(
    reel: Reel, readers: set[int], steps
) -> None:
    async def main() -> None:
        one = await asyncio.to_thread(recorder, reel)
        await one.aappend(STREAM_EVENT, partial(1))
        await steps(reel, one)
        assert readers
        assert threading.get_ident() not in readers

    asyncio.run(main())
    readers.clear()
    logs.verify(reel)


def test_a_task_that_is_cancelled_while_its_commit_fails_is_cancelled(reel: Reel) -> None:
    """And does not go on with an error that its recording puts up with."""
    from runreel.recording.error_policy import GuardedRecorder

    failing = threading.Event()

    def slow_failure(*_: object) -> None:
        failing.set()
        time.sleep(0.2)
        raise DatabaseUnavailable("gone")

    async def main(patch: pytest.MonkeyPatch) -> None:
        keeper = GuardedRecorder(recorder(reel), "warn", blocking=False)
        await keeper.offer(STREAM_EVENT, partial(1))
        for way in ("write", "writing"):
            patch.setattr(Database, way, slow_failure)
        patch.setattr(Database, "write_at_once", gone)
        task = asyncio.create_task(keeper.offer(STREAM_EVENT, partial(2)))
        await asyncio.to_thread(failing.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with pytest.MonkeyPatch.context() as patch:
        asyncio.run(main(patch))


class Works:
    """Work whose speed the test sets; ``places`` is where each group was done."""

    def __init__(self) -> None:
        self.places: list[str] = []
        self.seconds = 0.0
        self.blocked = False

    def at_once(self, items: list[int]) -> list[bool] | None:
        if self.blocked:
            return None
        self.places.append("loop")
        time.sleep(self.seconds)
        return [True] * len(items)

    def wait(self, items: list[int]) -> list[bool]:
        self.places.append("thread")
        time.sleep(self.seconds)
        return [True] * len(items)

    def turns(self, *, slow: bool = False) -> EventLoopBatcher[int, bool]:
        return EventLoopBatcher(self.wait, self.at_once, measured=slow, max_group=10)


def do(turns: EventLoopBatcher[int, bool], count: int) -> None:
    async def main() -> None:
        for n in range(count):
            await turns.add(n, loops.running())

    asyncio.run(main())


def test_what_was_slow_in_the_loop_is_done_in_a_thread_for_a_while() -> None:
    works = Works()
    turns = works.turns()
    do(turns, 3)
    works.seconds = 0.04
    do(turns, 1)
    works.seconds = 0.0
    do(turns, 40)
    places = works.places
    assert places[:4] == ["loop"] * 4
    assert places[4:20] == ["thread"] * 16
    assert set(places[20:]) == {"loop"}


def test_what_stays_slow_in_the_thread_stays_there() -> None:
    works = Works()
    works.seconds = 0.04
    do(works.turns(slow=True), 40)
    assert works.places == ["thread"] * 40


def test_what_would_wait_goes_to_the_thread_and_comes_back() -> None:
    works = Works()
    turns = works.turns()
    works.blocked = True
    do(turns, 2)
    works.blocked = False
    do(turns, 2)
    assert works.places == ["thread", "thread", "loop", "loop"]


def test_what_is_put_off_in_the_loop_is_done_in_the_thread_now_and_then() -> None:
    works = Works()
    do(works.turns(), 2_100)
    assert works.places.count("thread") == 2


def test_groups_are_capped_and_in_order() -> None:
    done: list[list[int]] = []

    def wait(items: list[int]) -> list[bool]:
        done.append(list(items))
        return [True] * len(items)

    async def main() -> None:
        turns = EventLoopBatcher(wait, None, measured=False, max_group=10)
        await asyncio.gather(*[later(turns, n) for n in range(25)])

    async def later(turns: EventLoopBatcher[int, bool], n: int) -> None:
        await turns.add(n, loops.running())

    asyncio.run(main())
    assert [n for group in done for n in group] == list(range(25))
    assert max(map(len, done)) == 10


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_reader_does_not_wait_for_a_thread_that_waits_for_the_write_lock(reel: Reel) -> None:
    one = recorder(reel)
    one.append(STREAM_EVENT, partial(1))
    with write_lock(reel):
        waiting = threading.Thread(target=one.append, args=(STREAM_EVENT, partial(2)))
        waiting.start()
        time.sleep(0.2)
        began = time.perf_counter()
        assert texts(reel, "run-0") == ["word "]
        assert time.perf_counter() - began < HELD / 2
        waiting.join()
    one.close()
