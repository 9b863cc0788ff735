"""What goes wrong with a recorded stream of responses is said clearly, and the log stays honest."""

from __future__ import annotations

import json
import socket

import openai
import pytest

import runreel
from runreel.model.errors import RecordingError, SourceMismatch, UsageError
from runreel.model.events import INTERRUPTED
from tests.live import openai_script as script
from tests.live.sse_server import Answer
from tests.live.told import break_the_log, kept, notes
from tests.strategies import exact

ASKED = {"model": script.MODEL, "input": "Hello?"}
ITEMS = [script.output_of(["Hello, ", "world"])]


def asked(client):
    return client.responses.create(**ASKED, stream=True)


WAYS = [
    lambda client, record: record(asked(client)),
    lambda client, record: record(client.responses.stream(**ASKED)).__enter__(),
    lambda client, record: record(client.responses.create(**ASKED)),
    lambda client, record: record(client.responses.retrieve("resp_9", stream=True)),
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("status", "error"), [(401, openai.AuthenticationError), (404, openai.NotFoundError)]
)
def test_a_refused_request_is_the_clients_error_and_leaves_no_trace(
    server, client, record, reel, *, way, status, error
):
    server.say(Answer(body={"error": {"message": "Wrong key, or wrong id"}}, status=status))
    with pytest.raises(error, match="Wrong key, or wrong id"):
        way(client, record)
    assert list(reel.runs()) == []


@pytest.mark.parametrize("way", WAYS)
def test_a_server_that_is_not_there_is_the_clients_error_and_leaves_no_trace(
    client, record, reel, way
):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        lost = client.with_options(base_url=f"http://127.0.0.1:{nobody.getsockname()[1]}/v1")
        with pytest.raises(openai.APIConnectionError):
            way(lost, record)
    assert list(reel.runs()) == []


def test_a_response_that_is_recorded_from_another_source_is_refused(server, client, reel):
    with reel.recording("resp_1") as recording:
        recording.offer("stream_event", {"type": "DONE", "text": "mine"})
    before = list(reel.events("resp_1"))
    told = script.events(ITEMS)
    server.stream(told)
    again = client.responses.retrieve("resp_1", stream=True)
    server.say(Answer(body=told[-1]["response"]))
    whole = client.responses.create(**ASKED)
    for record in (lambda: next(reel.record(again)), lambda: reel.record(whole)):
        with pytest.raises(RecordingError, match="recorded from plain") as raised:
            record()
        assert isinstance(raised.value.__cause__, SourceMismatch)
        assert raised.value.exit_code == 4
    again.close()
    assert list(reel.events("resp_1")) == before


@pytest.mark.parametrize("garbage", ["data: {not json\n\n", "data: \x00\x01\n\n"])
def test_garbage_raises_the_clients_error_and_interrupts(server, client, record, reel, garbage):
    told = script.events(ITEMS, end=None)
    server.stream([*told, garbage])
    with pytest.raises(json.JSONDecodeError):
        list(record(asked(client)))
    assert notes(reel) == [(INTERRUPTED, "JSONDecodeError")]
    assert exact(kept(reel)) == exact(told)


def test_what_is_no_json_value_is_refused_before_the_program_has_it(server, client, record, reel):
    told = script.events(ITEMS, end=None)
    server.stream([*told, 'data: {"type":"response.new","n":NaN}\n\n'])
    seen = []
    with pytest.raises(RecordingError, match="NaN is not JSON") as raised:
        seen.extend(record(asked(client)))
    assert raised.value.event.type == "response.new"
    assert notes(reel) == [(INTERRUPTED, "RecordingError")]


def test_a_log_that_fails_raises_with_the_event(server, client, reel, monkeypatch):
    server.stream(script.events(ITEMS))
    stream = reel.record(asked(client))
    next(stream)
    break_the_log(reel, monkeypatch)
    with pytest.raises(RecordingError, match="gone") as raised:
        next(stream)
    assert raised.value.event.type == "response.in_progress"
    stream.close()


def test_a_log_that_fails_for_a_while_costs_its_events_and_says_so(
    server, client, db_url, monkeypatch, caplog
):
    told = script.events(ITEMS)
    server.stream(told)
    with runreel.open(db_url, on_error="warn") as reel:
        seen = []
        for event in reel.record(asked(client)):
            seen.append(event)
            if event.type == "response.in_progress":
                break_the_log(reel, monkeypatch)
            if event.type == "response.content_part.added":
                monkeypatch.undo()
        assert len(seen) == len(told)
        assert exact(kept(reel)) == exact([*told[:2], *told[4:]])
        lost = next(row for row in reel.events("resp_1") if row.type == "lost")
        assert lost.raw == {"events": 2}
        assert reel.run("resp_1").recording == "closed"
        assert reel.rebuild(check=True) == []
    assert "2 events of run resp_1 are not in the log" in caplog.text


def test_a_log_that_cannot_be_opened_kills_no_stream(server, client, tmp_path, caplog):
    server.stream(script.events(ITEMS))
    with runreel.open(tmp_path, on_error="warn") as reel:
        assert len(list(reel.record(asked(client)))) == len(script.events(ITEMS))
    assert "is not in the log" in caplog.text


def test_what_is_no_stream_of_responses_is_refused(server, client, record, reel):
    server.stream([{"object": "text_completion", "choices": []}])
    completions = client.completions.create(model="m", prompt="p", stream=True)
    with completions, pytest.raises(UsageError, match="cannot record streams from /v1/completions"):
        record(completions)
    with pytest.raises(UsageError, match="cannot record openai's OpenAI"):
        record(client)
    assert list(reel.runs()) == []
