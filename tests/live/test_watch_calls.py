"""Whole calls of a real client: their runs, times and requests."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import textwrap
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import openai
import pytest

import runreel
from runreel.model.status import RunStatus
from tests.frameworks import model_server
from tests.live import openai_script as script
from tests.live.callers import ASKED, QUESTION, REFUSED, TOLD, WAYS, ask, client_of
from tests.live.hooked import Wire, wire
from tests.live.sse_server import Answer, Pause

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.usefixtures("watch")


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "finished"])
@pytest.mark.parametrize(("turn", "source"), WAYS, ids=["responses", "chat"])
def test_an_agent_run_with_a_tool_is_one_run(reel, server, turn, source, stream):
    server.say(*[model_server.answer] * 4)
    with client_of(server.url) as client:
        for _ in range(2):
            items = turn(client, [QUESTION], stream=stream)
            turn(client, items, stream=stream)
    runs = list(reel.runs())
    assert len(runs) == 2
    for run in runs:
        assert (run.source, run.status, run.recording) == (source, RunStatus.COMPLETED, "closed")
        assert reel.result(run.run_id).text == model_server.ANSWER
        (results,) = reel.events(run.run_id, type="tool_results")
        assert len(results.raw["tool_results"]) == 1
        assert reel.request(run.run_id) is not None


PROGRAM = """
    import json, sys, openai, runreel
    from tests.live.callers import complete, respond

    log, url, way, items = sys.argv[1:]
    turn = {"respond": respond, "complete": complete}[way]
    with runreel.watch(log) as watch, openai.OpenAI(base_url=url, api_key="k") as client:
        print(json.dumps(turn(client, json.loads(items), stream=True)))
    watch.reel.close()
"""


@pytest.mark.parametrize(("turn", "source"), WAYS, ids=["responses", "chat"])
def test_two_processes_continue_one_run(reel, server, db_url, turn, source):
    server.say(*[model_server.answer] * 2)
    items = json.dumps([QUESTION])
    program = [sys.executable, "-c", textwrap.dedent(PROGRAM)]
    for _ in range(2):
        items = subprocess.run(
            [*program, db_url, server.url, turn.__name__, items],
            cwd=ROOT,
            check=True,
            timeout=60,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout
    (run,) = reel.runs()
    assert (run.source, run.status) == (source, RunStatus.COMPLETED)
    assert reel.result(run.run_id).text == model_server.ANSWER


def test_the_usage_of_a_streamed_chat_is_unknown_unless_the_program_asks_for_it(reel, watch):
    """The request is what the program has made of it."""
    asked = {"model": "m", "messages": [QUESTION], "stream": True}
    connection = Wire()
    bodies = []
    for stop in (False, True):
        connection.answer(wire(script.chunks("Hello"), done=True))
        with connection.client() as client:
            list(client.chat.completions.create(**asked))
        bodies.append(connection.asked[-1].content)
        if not stop:
            watch.stop()
    assert bodies[0] == bodies[1]
    (run,) = reel.runs()
    assert (run.status, run.usage) == (RunStatus.COMPLETED, None)
    assert reel.usage().totals.unknown == 1


def test_times_are_between_those_of_the_program_and_of_the_server(reel, server):
    received = []

    def late(_asked):
        received.append(datetime.now(UTC))
        time.sleep(0.2)
        return Answer(events=[Pause(0.2), *TOLD])

    server.say(late)
    with client_of(server.url) as client:
        called = datetime.now(UTC)
        stream = client.responses.create(**ASKED, stream=True)
        seen = next(
            datetime.now(UTC) for event in stream if event.type == "response.output_text.delta"
        )
        list(stream)
    run = reel.run("resp_1")
    # The clocks are one; a busy machine delays a step but does not change their order.
    assert called <= run.requested_at <= received[0]
    assert received[0] + timedelta(seconds=0.4) <= run.first_text_at <= seen
    assert run.first_text_ms == (run.first_text_at - run.requested_at) / timedelta(milliseconds=1)
    assert run.duration_ms >= run.first_text_ms


@pytest.mark.parametrize("requests", [True, False])
def test_without_requests_their_time_is_stored_all_the_same(reel, watch, server, requests):
    watch.stop()
    server.stream(TOLD)
    with reel.watch(requests=requests), client_of(server.url) as client:
        ask(client, stream=True)
    assert (reel.request("resp_1") is not None) is requests
    assert reel.run("resp_1").requested_at is not None


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "finished"])
def test_watch_and_a_recorded_function_record_once(reel, server, stream):
    server.say(
        Answer(events=TOLD) if stream else Answer(body=TOLD[-1]["response"]),
        Answer(body=REFUSED, status=401),
    )
    with client_of(server.url) as client:
        got = reel.record(
            lambda: client.responses.create(**ASKED, stream=stream), labels={"by": "me"}
        )
        assert not stream or len(list(got)) == len(TOLD)
        with pytest.raises(openai.AuthenticationError):
            reel.record(lambda: client.responses.create(**ASKED), labels={"by": "me"})
    statuses = [run.status for run in reel.runs()]
    assert statuses == [RunStatus.FAILED, RunStatus.COMPLETED]
    assert [run.labels for run in reel.runs()] == [{"by": "me"}] * 2


def text(number):
    return f"{number:02d} " + "".join(chr(97 + (number * 7 + n * n) % 26) for n in range(1997))


def size(path):
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (length,) = connection.execute("SELECT sum(length(payload)) FROM events").fetchone()
    connection.close()
    return length


def conversation(log, *, repeat):
    """Ask 20 times, with the whole conversation so far or with one message alone."""
    items = []
    connection = Wire()
    with runreel.watch(log) as watch, connection.client() as client:
        for number in range(20):
            said, id_ = script.output_of([text(100 + number)]), f"resp_{number}"
            told = script.events([said], id_=id_, chunk=100)
            connection.answer(wire(told))
            message = {"role": "user", "content": text(number)}
            items = [*items, message] if repeat else [message]
            list(client.responses.create(model="m", input=items, stream=True))
            items = [*items, {"role": "assistant", "content": text(100 + number)}]
    return watch.reel, items[:-1]


def test_a_conversation_costs_at_most_twice_its_messages(tmp_path, watch):
    watch.stop()
    alone, _ = conversation(tmp_path / "alone.db", repeat=False)
    whole, items = conversation(tmp_path / "whole.db", repeat=True)
    assert whole.request("resp_19")["input"] == items
    assert len({run.thread_id for run in whole.runs()}) == 1
    assert len(list(whole.runs())) == 20
    for reel in (alone, whole):
        reel.close()
    assert size(tmp_path / "whole.db") <= 2 * size(tmp_path / "alone.db")
