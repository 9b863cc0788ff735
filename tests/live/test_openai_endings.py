"""How a recorded stream of responses can end, and what the log says of it."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading

import openai
import pytest

from runreel.model.events import INTERRUPTED
from runreel.model.status import RunStatus
from tests.live import openai_script as script
from tests.live.sse_server import Pause
from tests.live.told import kept, notes
from tests.strategies import exact

ASKED = {"model": script.MODEL, "input": "Hello?"}
ITEMS = [script.output_of(["Hello, ", "world"])]


def asked(client):
    return client.responses.create(**ASKED, stream=True)


LEFT = (INTERRUPTED, "the program stopped reading")


def test_a_loop_that_breaks_interrupts_the_recording_at_once(server, client, record, reel):
    told = script.events(ITEMS)
    server.stream(told)
    stream = record(asked(client))
    for event in stream:
        if event.type == "response.output_text.delta":
            break
    assert notes(reel) == [LEFT]
    assert kept(reel) == told[:5]
    stream.close()
    assert notes(reel) == [LEFT]


def test_a_loop_that_leaves_with_the_last_event_has_seen_all(server, client, record, reel):
    server.stream(script.events(ITEMS))
    for event in record(asked(client)):
        if event.type == "response.completed":
            break
    assert notes(reel) == [("closed", None)]


def test_an_exception_in_the_loop_interrupts_the_recording(server, client, record, reel):
    server.stream(script.events(ITEMS))
    with pytest.raises(ZeroDivisionError):
        for event in record(asked(client)):
            event.sequence_number / 0
    gc.collect()
    assert notes(reel) == [LEFT]


def test_an_exception_in_a_with_block_is_named(server, client, record, reel):
    server.stream(script.events(ITEMS))
    with pytest.raises(ZeroDivisionError), record(asked(client)) as stream:
        next(stream).sequence_number / 0
    assert notes(reel) == [(INTERRUPTED, "ZeroDivisionError")]


def test_closing_interrupts_and_leaving_a_block_after_the_end_does_not(
    server, client, record, reel
):
    server.stream(script.events(ITEMS))
    stream = record(asked(client))
    next(stream)
    stream.close()
    assert notes(reel) == [LEFT]
    server.stream(script.events(ITEMS, id_="resp_2"))
    with record(asked(client)) as stream:
        assert len(list(stream)) == len(script.events(ITEMS))
    assert notes(reel, "resp_2") == [("closed", None)]


def test_a_loop_that_goes_on_where_another_broke_resumes_the_recording(
    server, client, record, reel
):
    told = script.events(ITEMS)
    server.stream(told)
    stream = record(asked(client))
    for event in stream:
        if event.type == "response.output_text.delta":
            break
    assert len(list(stream)) == len(told) - 5
    assert notes(reel) == [LEFT, ("resumed", None), ("closed", None)]
    assert exact(kept(reel)) == exact(told)


def test_a_stream_that_was_never_read_leaves_no_trace(server, client, record, reel):
    server.stream(script.events(ITEMS))
    record(asked(client), request=ASKED).close()
    gc.collect()
    assert list(reel.runs()) == []


@pytest.mark.parametrize("end", [None, "silent"])
def test_a_stream_without_its_last_event_is_interrupted(server, client, record, reel, end):
    told = script.events(ITEMS, end=None)
    server.stream(told, cut=end)
    assert len(list(record(asked(client)))) == len(told)
    assert notes(reel) == [(INTERRUPTED, "the stream ended before its last event")]
    assert reel.run("resp_1").status is RunStatus.IN_PROGRESS


@pytest.mark.parametrize("cut", ["length", "chunk"])
def test_a_stream_that_is_torn_off_is_interrupted_and_raises(server, client, record, reel, cut):
    told = script.events(ITEMS, end=None)
    server.stream(told, cut=cut)
    seen = []
    with pytest.raises(openai.APIConnectionError):
        seen.extend(record(asked(client)))
    assert notes(reel) == [(INTERRUPTED, "APIConnectionError")]
    assert exact(kept(reel)) == exact(told)


def test_a_client_that_waits_too_long_interrupts_the_recording(server, client, record, reel):
    told = script.events(ITEMS)
    ready = threading.Event()
    server.stream([*told[:4], Pause(20, ready), *told[4:]])
    with pytest.raises(openai.APITimeoutError):
        list(record(client.responses.create(**ASKED, stream=True, timeout=0.2)))
    ready.set()
    assert notes(reel) == [(INTERRUPTED, "APITimeoutError")]
    assert kept(reel) == told[:4]


@pytest.mark.parametrize("body", [{"error": {"message": "Quota", "code": 429}}, {"error": "Quota"}])
def test_a_body_that_is_an_error_is_stored_and_raised(server, client, record, reel, body):
    told = script.events(ITEMS, end=None)
    server.stream([*told, body])
    with pytest.raises(openai.APIError) as raised:
        list(record(asked(client)))
    assert type(raised.value) is openai.APIError
    assert exact(kept(reel)) == exact([*told, body])
    run = reel.run("resp_1")
    assert (run.status, run.recording, run.error.message) == (RunStatus.FAILED, "closed", "Quota")


def test_an_error_is_all_that_comes(server, client, record, reel):
    server.stream([{"error": {"message": "No such model", "type": "invalid_request_error"}}])
    with pytest.raises(openai.APIError):
        list(record(asked(client), request=ASKED))
    (run,) = reel.runs()
    assert run.run_id.startswith("openai-responses-")
    assert (run.status, run.recording, run.model) == (RunStatus.FAILED, "closed", script.MODEL)
    assert (run.error.message, run.error.code) == ("No such model", "invalid_request_error")


PROGRAM = """
    import os, sys, openai, runreel

    client = openai.OpenAI(base_url=sys.argv[1], api_key="k", max_retries=0)
    reel = runreel.open(sys.argv[2])
    stream = reel.record(client.responses.create(model="m", input="Hello?", stream=True))
    reader = iter(stream)
    for _ in range(4):
        next(reader)
    print("read", flush=True)
    {then}
"""


def program(server, db_url, then):
    code = textwrap.dedent(PROGRAM).format(then=then)
    command = [sys.executable, "-c", code, server.url, db_url]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def test_a_program_that_ends_with_a_half_read_stream_ends(server, record, reel, db_url):
    server.stream([*script.events(ITEMS)[:6], Pause(20)])
    with program(server, db_url, "") as process:
        assert process.wait(30) == 0
    assert notes(reel) == [LEFT]


def test_ctrl_c_interrupts_the_recording(server, record, reel, db_url):
    server.stream([*script.events(ITEMS)[:4], Pause(20)])
    with program(server, db_url, "next(reader)") as process:
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) != 0
    # It may come just before the program waits for the next event.
    assert notes(reel) in ([(INTERRUPTED, "KeyboardInterrupt")], [LEFT])


def test_a_killed_program_leaves_an_open_recording_that_is_recovered(server, reel, db_url):
    told = script.events(ITEMS)
    server.stream([*told[:4], Pause(20)])
    with program(server, db_url, "next(reader)") as process:
        process.stdout.readline()
        process.kill()
    assert kept(reel) == told[:4]
    assert [item.action for item in reel.recover()] == ["interrupted"]


def test_a_forked_child_ends_nothing(server, client, record, reel):
    server.stream(script.events(ITEMS))
    stream = record(asked(client))
    next(stream)
    child = os.fork()
    if not child:
        stream.close()
        os._exit(0)
    os.waitpid(child, 0)
    assert notes(reel) == []
    stream.close()
    assert notes(reel) == [LEFT]
