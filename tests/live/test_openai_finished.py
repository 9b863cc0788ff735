"""Responses and completions that did not come as streams."""

from __future__ import annotations

import pytest

from runreel.model.events import CONTEXT, RUN, TOOL_RESULTS
from runreel.model.results import Usage
from runreel.model.status import RunStatus
from tests.live import openai_script as script
from tests.live.sse_server import Answer

OUTPUT = [script.output_of(["Hello, ", "world"], ["and you"])]
WHOLE = script.response(output=OUTPUT, usage=script.usage(100, 14))


def test_a_response_is_stored_and_answered_itself(server, client, record, reel):
    server.say(Answer(body=WHOLE))
    asked = {"model": "m", "input": "Hello?"}
    response = client.responses.create(**asked)
    assert record(response, request=asked) is response
    run, result = reel.run("resp_1"), reel.result("resp_1")
    assert (run.status, run.recording, run.model) == (RunStatus.COMPLETED, "closed", script.MODEL)
    assert result.parts == ("Hello, world", "and you")
    assert result.usage == Usage(100, 114, 14)
    assert [row.raw for row in reel.events("resp_1") if row.kind == CONTEXT] == [asked]
    (row,) = (row for row in reel.events("resp_1") if row.kind == RUN)
    assert row.raw == WHOLE


def test_a_response_that_is_recorded_twice_is_stored_once(server, client, record, reel):
    server.say(Answer(body=WHOLE))
    response = client.responses.create(model="m", input="Hello?")
    record(response)
    before = reel.run("resp_1")
    record(response)
    assert reel.run("resp_1") == before


def test_a_response_after_its_own_stream_counts_no_usage_twice(server, client, record, reel):
    server.stream(script.events(OUTPUT))
    list(record(client.responses.create(model="m", input="Hello?", stream=True)))
    server.say(Answer(body=WHOLE))
    record(client.responses.retrieve("resp_1"))
    run = reel.run("resp_1")
    assert run.usage == Usage(100, 114, 14)
    assert len(list(reel.runs())) == 1
    with reel.db.reading() as connection:
        rows = connection.all("SELECT added FROM events WHERE kind = 'run'")
    assert rows == [(0,)]


def test_rounds_of_tools_without_streams_are_one_run(server, client, record, reel):
    calling = script.response(output=[script.call("f", {"n": 1})], usage=script.usage(100, 14))
    server.say(Answer(body=calling))
    record(client.responses.create(model="m", input="Hello?"))
    assert reel.run("resp_1").status is RunStatus.TOOL_CALLS
    answer = {"type": "function_call_output", "call_id": "call_1", "output": "2"}
    asked = {"model": "m", "previous_response_id": "resp_1", "input": [answer]}
    done = script.response(
        "resp_2", previous_response_id="resp_1", output=OUTPUT, usage=script.usage(150, 23)
    )
    server.say(Answer(body=done))
    record(client.responses.create(**asked), request=asked)
    server.stream(script.events(OUTPUT, id_="resp_3", previous_response_id="resp_2"))
    list(record(client.responses.create(model="m", input="More", stream=True)))
    (run,) = reel.runs()
    assert (run.run_id, run.status) == ("resp_1", RunStatus.COMPLETED)
    assert run.usage == Usage(350, 401, 51)
    (told,) = (row.raw for row in reel.events("resp_1") if row.kind == TOOL_RESULTS)
    assert told == {"tool_results": [answer]}


@pytest.mark.parametrize(
    ("status", "more", "expected"),
    [
        ("queued", {}, RunStatus.PENDING),
        ("in_progress", {}, RunStatus.IN_PROGRESS),
        ("incomplete", {"incomplete_details": {"reason": "x"}}, RunStatus.COMPLETED),
        ("failed", {"error": {"code": "c", "message": "m"}}, RunStatus.FAILED),
        ("cancelled", {}, RunStatus.FAILED),
        ("of the future", {}, RunStatus.UNKNOWN),
    ],
)
def test_the_status_of_a_response_is_the_runs(
    server, client, record, reel, *, status, more, expected
):
    server.say(Answer(body=script.response(status=status, **more)))
    record(client.responses.create(model="m", input="Hello?", background=True))
    assert reel.run("resp_1").status is expected


def test_a_response_that_is_looked_at_until_it_is_done(server, client, record, reel):
    for status in ("queued", "in_progress", "in_progress"):
        server.say(Answer(body=script.response(status=status)))
        record(client.responses.retrieve("resp_1"))
    server.say(Answer(body=WHOLE))
    record(client.responses.retrieve("resp_1"))
    run = reel.run("resp_1")
    assert (run.status, run.usage) == (RunStatus.COMPLETED, Usage(100, 114, 14))
    statuses = [row.type for row in reel.events("resp_1") if row.kind == RUN]
    assert statuses == ["PENDING", "IN_PROGRESS", "COMPLETED"]


def test_what_the_client_parsed_is_not_taken_for_the_servers_word(server, client, record, reel):
    import pydantic

    class Answered(pydantic.BaseModel):
        n: int

    whole = script.response(output=[script.output_of(['{"n": 1}']), script.call("f", {})])
    server.say(Answer(body=whole))
    response = client.responses.parse(model="m", input="Hello?", text_format=Answered)
    assert response.output_parsed == Answered(n=1)
    record(response, request={"text_format": Answered})
    (row,) = (row for row in reel.events("resp_1") if row.kind == RUN)
    assert row.raw == whole


def test_a_completion_is_stored(server, client, record, reel):
    whole = script.completion("Hello!")
    server.say(Answer(body=whole))
    asked = {"model": "m", "messages": [{"role": "user", "content": "Hello?"}]}
    record(client.chat.completions.create(**asked), request=asked)
    run, result = reel.run("chatcmpl-1"), reel.result("chatcmpl-1")
    assert (run.source, run.status, run.recording) == (
        "openai-chat",
        RunStatus.COMPLETED,
        "closed",
    )
    assert (result.text, result.usage) == ("Hello!", Usage(9, 21, 12))
    (row,) = (row for row in reel.events("chatcmpl-1") if row.kind == RUN)
    assert row.raw == whole
