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
from tests import logs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runreel.api.reel import Reel

# Another process holds the write lock until it is told to let go of it.
_HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.readline()
connection.execute("ROLLBACK")
"""
# So many iterations of a loop while the lock is held; a loop that waits for it has none.
BEATS = 20


def partial(n: int) -> dict[str, str]:
    return {"type": "PARTIAL_MESSAGE", "text": "word " * n}


def recorder(reel: Reel, run_id: str = "run-0") -> Recorder:
    return Recorder(reel.db, run_id, source="plain", via="test")


def texts(reel: Reel, run_id: str) -> list[str | None]:
    return [event.text for event in reel.events(run_id, type="PARTIAL_MESSAGE")]


@contextmanager
def write_lock(reel: Reel) -> Iterator[Callable[[], None]]:
    """Another process holds SQLite's write lock from now on, until the function is called."""
    path = str(reel.db.url.database)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", _HOLD, path], **pipes) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        yield process.stdin.close


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_loop_goes_on_while_another_process_holds_the_write_lock(reel: Reel) -> None:
    async def record(n: int, begun: asyncio.Event) -> None:
        one = recorder(reel, f"run-{n}")
        for k in range(20):
            await one.aoffer(STREAM_EVENT, partial(k))
            begun.set()
            await asyncio.sleep(0.001)
        await one.aclose()

    async def main() -> None:
        begun = asyncio.Event()
        early = [asyncio.create_task(record(n, begun)) for n in range(3)]
        await begun.wait()
        with write_lock(reel) as let_go:
            late = [asyncio.create_task(record(n, begun)) for n in range(3, 6)]
            for _ in range(BEATS):
                await asyncio.sleep(0.01)
            assert not any(task.done() for task in late)
            let_go()
            await asyncio.gather(*early, *late)

    asyncio.run(main())
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
    with write_lock(reel) as let_go:
        later = threading.Timer(0.2, let_go)

        async def main() -> None:
            task = asyncio.create_task(one.aoffer(STREAM_EVENT, partial(2)))
            for _ in range(BEATS):
                await asyncio.sleep(0.01)
            assert not task.done()
            later.start()

        asyncio.run(main())
        later.join()
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


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_reader_does_not_wait_for_a_thread_that_waits_for_the_write_lock(
    reel: Reel, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = recorder(reel)
    one.append(STREAM_EVENT, partial(1))
    appending = threading.Event()
    write = Database.write

    def watched_write(*arguments):
        appending.set()
        return write(*arguments)

    monkeypatch.setattr(Database, "write", watched_write)
    with write_lock(reel) as let_go:
        waiting = threading.Thread(target=one.append, args=(STREAM_EVENT, partial(2)))
        waiting.start()
        appending.wait()
        # The lock is not let go before the log was read.
        assert texts(reel, "run-0") == ["word "]
        assert waiting.is_alive()
        let_go()
        waiting.join()
    one.close()
    assert texts(reel, "run-0") == ["word ", "word word "]
