"""Calls in an event loop, many at once; and logs that cannot be written."""

from __future__ import annotations

import asyncio
import json

import pytest

import runreel
from runreel.model.errors import RecordingError
from runreel.model.results import Usage
from runreel.model.status import RunStatus
from runreel.system.sync_bridge import completed
from tests.calls.hook import CHAT, chat, chat_calls, recording_of, said, tool, user
from tests.live import openai_script as script


async def aask(reel, body, answer):
    recording = recording_of(reel, CHAT, body, blocking=False)
    await recording.before_send()
    for event in answer:
        await recording.store_texts([json.dumps(event)], None)
        await asyncio.sleep(0)
    await recording.end("gone")
    return recording.run_id


async def agent(reel, name):
    """An agent run of a tool call and an answer; its runs."""
    call = (f"call_{name}", "f", json.dumps({"name": name}))
    messages = [user(f"Go {name}")]
    used = script.chat_usage(10, 5)
    first = await aask(reel, chat(*messages), chat_calls(f"a{name}", call, used=used))
    messages += [said(None, call), tool(call[0], f"result {name}")]
    used = script.chat_usage(20, 3)
    second = await aask(
        reel, chat(*messages), script.chunks(f"I am {name}", id_=f"b{name}", used=used)
    )
    return first, second


def test_sixteen_agents_at_once_are_sixteen_runs(reel):
    async def program():
        return await asyncio.gather(*(agent(reel, str(n)) for n in range(16)))

    runs = asyncio.run(program())
    assert all(first == second for first, second in runs)
    assert len({first for first, _ in runs}) == 16
    for n, (run_id, _) in enumerate(runs):
        run = reel.run(run_id)
        assert (run.status, run.usage) == (RunStatus.COMPLETED, Usage(30, 38, 8))
        assert reel.result(run_id).text == f"I am {n}"
    assert reel.rebuild(check=True) == []
    assert list(reel.verify()) == []


def test_a_failure_in_an_event_loop(reel):
    async def program():
        recording = recording_of(reel, CHAT, chat(user("Hi")), blocking=False)
        await recording.before_send()
        await recording.attempt_failed(error=TimeoutError())
        return recording.run_id

    run = reel.run(asyncio.run(program()))
    assert (run.status, run.error.message) == (RunStatus.FAILED, "TimeoutError")
    assert run.recording == "closed"


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_log_that_cannot_be_written_is_found_out_before_the_request_is_sent(
    tmp_path, asynchronous
):
    (tmp_path / "file").touch()
    with runreel.open(tmp_path / "file" / "log.db") as reel:
        recording = recording_of(reel, CHAT, chat(user("Hi")), blocking=not asynchronous)
        with pytest.raises(RecordingError):
            if asynchronous:
                asyncio.run(recording.before_send())
            else:
                completed(recording.before_send())


def test_with_warnings_only_the_call_goes_on(tmp_path, caplog):
    (tmp_path / "file").touch()
    with runreel.open(tmp_path / "file" / "log.db") as reel:
        recording = recording_of(reel, CHAT, chat(user("Hi")), on_error="warn")
        completed(recording.before_send())
        completed(recording.store_texts([json.dumps(script.chunks("x")[0])], None))
        completed(recording.attempt_failed(status=500))
        completed(recording.end("gone"))
    assert "not in the log" in caplog.text
