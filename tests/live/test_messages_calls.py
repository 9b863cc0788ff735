"""Calls of the anthropic client in a row: one agent run is one run; failures and retries of it."""

from __future__ import annotations

import json

import anthropic
import pytest

import runreel
from runreel.capture.calls.recording import CallRecording
from runreel.model.events import CONTEXT, TOOL_RESULTS
from runreel.model.results import Usage
from runreel.model.status import RunStatus
from runreel.model.story import ToolCallStep
from tests.live import messages_script as script
from tests.live.sse_server import Answer
from tests.live.told import break_the_log

TOOLS = [{"name": "weather", "input_schema": {"type": "object"}, "description": "x" * 200}]
SYSTEM = "Be brief. " * 30


def ask(client, items, *, stream=True, **more):
    """Send these messages; return the client's message."""
    asked = {**script.ASKED, "messages": items, "tools": TOOLS, "system": SYSTEM, **more}
    if stream:
        with client.messages.stream(**asked) as answered:
            return answered.get_final_message()
    return client.messages.create(**asked)


def result(id_, content="sunny"):
    return {"type": "tool_result", "tool_use_id": id_, "content": content}


def user(*content):
    return {"role": "user", "content": list(content)}


def said(message):
    return {"role": "assistant", "content": message.to_dict()["content"]}


@pytest.fixture
def tell(server):
    """Answers the next request with a stream, or with the message that it is.

    Each message has other ids of calls.
    """

    def tell(name, id_, *, stream=True, finals=None):
        if stream:
            body = [script.start(id=id_), *script.STREAMS[name][1:]]
        else:
            body = {**finals[name].to_dict(mode="json", warnings=False), "id": id_}
        body = json.loads(json.dumps(body).replace("toolu_", f"toolu_{id_}_"))
        server.say(Answer(events=body) if stream else Answer(body=body))

    return tell


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "finished"])
def test_an_agent_run_is_one_run(watch, messages, tell, finals, stream):
    tell("thinking and a call", "msg_1", stream=stream, finals=finals)
    items = [script.QUESTION]
    first = ask(messages, items, stream=stream)
    (run,) = watch.reel.runs()
    assert (run.status, [call.id for call in run.tool_calls]) == (
        RunStatus.TOOL_CALLS,
        ["toolu_msg_1_1"],
    )
    items += [said(first), user(result("toolu_msg_1_1"))]
    tell("text and two calls", "msg_2", stream=stream, finals=finals)
    second = ask(messages, items, stream=stream)
    items += [said(second), user(result("toolu_msg_2_1", "rain"), result("toolu_msg_2_2"))]
    tell("text", "msg_3", stream=stream, finals=finals)
    ask(messages, items, stream=stream)
    (run,) = watch.reel.runs()
    assert (run.status, run.response_id, run.tool_calls) == (RunStatus.COMPLETED, "msg_3", None)
    assert run.usage == Usage(36, 81, 45)
    assert watch.reel.result(run.run_id).text == "Hello, world"
    calls = [step for step in watch.reel.story(run.run_id) if isinstance(step, ToolCallStep)]
    assert [(call.id, call.result) for call in calls] == [
        ("toolu_msg_1_1", "sunny"),
        ("toolu_msg_2_1", "rain"),
        ("toolu_msg_2_2", "sunny"),
    ]
    brought = [row.raw for row in watch.reel.events(run.run_id) if row.kind == TOOL_RESULTS]
    assert [len(one["tool_results"]) for one in brought] == [1, 2]
    assert watch.reel.request(run.run_id)["messages"] == items


def test_a_history_that_is_repeated_is_stored_once(watch, messages, tell):
    items = []
    for number in range(8):
        items.append(user({"type": "text", "text": f"Question {number}? " + "x" * 500}))
        tell("text", f"msg_{number}")
        items.append(said(ask(messages, items)))
    runs = list(watch.reel.runs(limit=0))
    assert len({run.thread_id for run in runs}) == 1
    assert watch.reel.request(runs[0].run_id)["messages"] == items[:-1]
    assert watch.reel.request(runs[0].run_id)["system"] == SYSTEM
    stored = [row.raw for run in runs for row in watch.reel.events(run.run_id, type=CONTEXT)]
    stored = [
        row.raw for run in runs for row in watch.reel.events(run.run_id) if row.kind == CONTEXT
    ]
    assert [len(one["messages"]) for one in stored] == [2] * 7 + [1]
    assert sum("tools" in one for one in stored) == sum("system" in one for one in stored) == 1


def test_a_new_turn_of_the_user_is_another_run_of_the_thread(watch, messages, tell):
    tell("text", "msg_1")
    items = [script.QUESTION, said(ask(messages, [script.QUESTION]))]
    tell("text", "msg_2")
    ask(messages, [*items, user({"type": "text", "text": "And then?"})])
    second, first = watch.reel.runs()
    assert first.run_id != second.run_id
    assert first.thread_id == second.thread_id


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "finished"])
def test_a_paused_turn_goes_on_in_its_run(watch, messages, tell, finals, stream):
    tell("paused", "msg_1", stream=stream, finals=finals)
    items = [script.QUESTION]
    items.append(said(ask(messages, items, stream=stream)))
    (run,) = watch.reel.runs()
    assert (run.status, run.recording) == (RunStatus.IN_PROGRESS, "closed")
    tell("paused", "msg_2", stream=stream, finals=finals)
    items.append(said(ask(messages, items, stream=stream)))
    tell("text", "msg_3", stream=stream, finals=finals)
    ask(messages, items, stream=stream)
    (run,) = watch.reel.runs()
    assert (run.status, run.recording, run.usage) == (
        *(RunStatus.COMPLETED, "closed"),
        Usage(36, 81, 45),
    )
    assert watch.reel.result(run.run_id).text == "Hello, world"
    # The beginning of an answer that a program gives is no pause.
    tell("text", "msg_4")
    ask(messages, [script.QUESTION, {"role": "assistant", "content": "The answer is ("}])
    assert len(list(watch.reel.runs())) == 2


def failing(status, type_, **headers):
    error = {"type": "error", "error": {"type": type_, "message": f"no: {type_}"}}
    return Answer(body=error, status=status, headers={"retry-after-ms": "1", **headers})


FAILURES = [
    (401, "authentication_error", anthropic.AuthenticationError),
    (400, "invalid_request_error", anthropic.BadRequestError),
    (429, "rate_limit_error", anthropic.RateLimitError),
    (500, "api_error", anthropic.InternalServerError),
    (529, "overloaded_error", anthropic.APIStatusError),
]


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "finished"])
@pytest.mark.parametrize("way", ["watch", "record"])
def test_calls_that_fail_are_failed_runs(reel, messages, server, stream, way):
    for status, type_, error in FAILURES:
        server.say(failing(status, type_))
        call = lambda: messages.messages.create(**script.ASKED, stream=stream)  # noqa: E731
        with pytest.raises(error):
            if way == "watch":
                with reel.watch():
                    call()
            else:
                reel.record(call)
        (run,) = reel.runs(limit=1)
        assert (run.status, run.source) == (RunStatus.FAILED, "anthropic-messages")
        assert run.error == runreel.RunError(f"no: {type_}", status)
    assert len(list(reel.runs())) == len(FAILURES)
    assert reel.rebuild(check=True) == []


def test_what_the_client_tries_again_is_one_run(watch, messages, server):
    patient = messages.with_options(max_retries=2)
    server.say(failing(529, "overloaded_error"), failing(529, "overloaded_error"))
    server.stream(script.STREAMS["text"])
    list(patient.messages.create(**script.ASKED, stream=True))
    (run,) = watch.reel.runs()
    assert (run.status, run.error) == (RunStatus.COMPLETED, None)
    attempts = [row.raw["status"] for row in watch.reel.events(run.run_id, type="attempt")]
    assert attempts == [529, 529]
    assert len(server.asked) == 3


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "finished"])
def test_a_log_that_is_gone_never_makes_the_client_ask_again(
    reel, messages, server, monkeypatch, stream
):
    tries = []
    with reel.watch():
        break_the_log(reel, monkeypatch)
        before = CallRecording.before_send
        monkeypatch.setattr(
            CallRecording, "before_send", lambda self: tries.append(1) or before(self)
        )
        with pytest.raises(runreel.RecordingError, match="the model was not asked"):
            messages.with_options(max_retries=2).messages.create(**script.ASKED, stream=stream)
        monkeypatch.undo()
    assert server.asked == []
    assert tries == [1]


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "finished"])
def test_a_log_that_is_lost_later_is_told_once(reel, messages, server, monkeypatch, stream):
    def answer(_asked):
        break_the_log(reel, monkeypatch)
        body = script.message([{"type": "text", "text": "Hello"}])
        return Answer(events=script.STREAMS["text"]) if stream else Answer(body=body)

    server.say(*[answer] * 3)
    patient = messages.with_options(max_retries=2)
    with reel.watch(), pytest.raises(runreel.RecordingError):
        got = patient.messages.create(**script.ASKED, stream=stream)
        list(got)
    monkeypatch.undo()
    assert len(server.asked) == 1


def test_a_mask_erases_secrets_of_requests_and_answers(db_url, messages, server):
    with runreel.open(db_url, mask=["Hel+o"]) as reel, reel.watch():
        server.stream(script.STREAMS["text"])
        list(messages.messages.create(**script.ASKED, stream=True))
        (run,) = reel.runs()
        assert "Hello" not in str([row.raw for row in reel.events(run.run_id)])
        assert reel.result(run.run_id).text.endswith(", world")
