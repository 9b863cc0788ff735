"""A recorded asynchronous run never makes its event loop wait, and leaves nothing open."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING

import anyio
import pytest

from runreel.model.errors import SourceMismatch
from runreel.model.events import INTERRUPTED
from runreel.recording.group_commit import Committer
from runreel.recording.recorder import Recorder
from tests.live.assistants_script import Partial, Pause, Script, answer
from tests.live.yandex import async_sdk, record, stream

if TYPE_CHECKING:
    from runreel.api.reel import Reel
    from tests.live.assistants_service import AssistantsService

ENDLESS = Script([Partial("a"), Partial("ab"), Partial("abc"), Pause(60)])


def test_no_reading_and_no_wait_for_a_commit_is_in_the_loops_own_thread(
    reel: Reel, assistants: AssistantsService, readers: set[int]
) -> None:
    async def listens() -> str:
        script = Script(answer(5))
        run = record(reel, await async_sdk(assistants).runs.get(assistants.play(script)))
        async for _ in run:
            break
        assert len([event async for event in run]) == 6
        await run.wait()
        assert readers
        assert threading.get_ident() not in readers
        return str(run.id)

    run_id = asyncio.run(listens())
    assert len(stream(reel, run_id)) == 6


def test_a_run_that_is_recorded_from_another_source_is_refused_when_it_is_first_awaited(
    reel: Reel, assistants: AssistantsService
) -> None:
    run_id = assistants.play(Script(answer(2)))
    other = Recorder(reel.db, run_id, source="plain", via="program")
    other.offer("stream_event", {"type": "DONE", "text": "mine"})

    async def listens() -> None:
        run = record(reel, await async_sdk(assistants).runs.get(run_id))
        with pytest.raises(SourceMismatch):
            await anext(run.listen())
        with pytest.raises(SourceMismatch):
            await run.wait()

    asyncio.run(listens())
    assert stream(reel, run_id)[-1].text == "mine"


@pytest.mark.parametrize("scope", ["once", "again and again"])
def test_tasks_that_are_cancelled_while_an_event_is_stored_leave_nothing_open(
    reel: Reel, assistants: AssistantsService, monkeypatch: pytest.MonkeyPatch, scope: str
) -> None:
    slow = threading.Event()
    real = Committer.commit_all

    def commit_all(committer, units):
        time.sleep(0.3 if slow.is_set() else 0)
        return real(committer, units)

    monkeypatch.setattr(Committer, "commit_at_once", lambda *_: None)
    monkeypatch.setattr(Committer, "commit_all", commit_all)

    async def one(sdk) -> str:
        run = record(reel, await sdk.runs.get(assistants.play(ENDLESS)))
        events = run.listen()
        await anext(events)
        slow.set()
        if scope == "once":
            task = asyncio.create_task(anext(events))
            await asyncio.sleep(0.1)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        else:
            with anyio.move_on_after(0.1):
                await anext(events)
        await events.aclose()
        return str(run.id)

    async def everyone() -> list[str]:
        sdk = async_sdk(assistants)
        ids = await asyncio.gather(*(one(sdk) for _ in range(8)))
        for _ in range(3_000):
            if not assistants.listening:
                return ids
            await asyncio.sleep(0.01)
        raise AssertionError(f"{assistants.listening} streams are open")

    for run_id in asyncio.run(everyone()):
        assert reel.run(run_id).recording == INTERRUPTED
    assert reel.rebuild(check=True) == []
