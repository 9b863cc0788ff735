"""Pages are made in threads that no one waits for at the end."""

from __future__ import annotations

import asyncio
import threading

import pytest

from runreel.web.threads import _MOST, Threads


def test_results_and_errors_come_back():
    async def ask():
        threads = Threads()
        names = [await threads.run(lambda: threading.current_thread().daemon)]
        with pytest.raises(KeyError, match="gone"):
            await threads.run(lambda: {}["gone"])
        return names

    assert asyncio.run(ask()) == [True]


def test_only_some_run_at_a_time():
    running, most, lock = [], [0], threading.Lock()
    full = threading.Event()

    def work():
        with lock:
            running.append(1)
            most[0] = max(most[0], len(running))
            if len(running) == _MOST:
                full.set()
        assert full.wait(30)
        with lock:
            running.pop()

    async def ask():
        threads = Threads()
        await asyncio.gather(*(threads.run(work) for _ in range(3 * _MOST)))

    asyncio.run(ask())
    assert most[0] == _MOST


def test_the_end_does_not_wait_for_what_still_runs():
    go, done = threading.Event(), threading.Event()

    def work():
        go.wait(30)
        done.set()

    async def ask():
        task = asyncio.ensure_future(Threads().run(work))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()

    asyncio.run(ask())
    assert not done.is_set()
    go.set()
    assert done.wait(30)
