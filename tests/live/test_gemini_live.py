"""Calls of the google-genai client, watched: the log has the wire, and what the client gets."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest
from google import genai
from google.genai import errors, types

import runreel
from runreel.importing.record_lines import record_lines
from runreel.model.events import RUN, TOOL_RESULTS
from runreel.model.status import MessageStatus, RunStatus
from runreel.model.story import ToolCallStep
from tests.live import gemini_script as script
from tests.live.sse_server import Answer
from tests.live.told import kept
from tests.strategies import exact


def client_of(server, http=None):
    """The client of a server; its asynchronous calls go through ``http``."""
    url = server.url.removesuffix("/v1")
    options = types.HttpOptions(base_url=url, httpx_async_client=http)
    return genai.Client(api_key="secret-key", http_options=options)


@pytest.fixture
def gemini(server):
    client = client_of(server)
    yield client
    client.close()


def parts_of(events):
    """The parts of all chunks."""
    return [part for one in events for part in one["candidates"][0]["content"]["parts"]]


def of_client(chunks):
    """What the client got, as a log has it."""
    contents = [chunk.candidates[0].content for chunk in chunks if chunk.candidates]
    parts = [part for content in contents for part in content.parts or []]
    used = next(chunk.usage_metadata for chunk in reversed(chunks))
    calls = [part.function_call for part in parts if part.function_call]
    given = used.prompt_token_count or 0
    made = (used.candidates_token_count or 0) + (used.thoughts_token_count or 0)
    return {
        "text": "".join(part.text for part in parts if part.text and not part.thought),
        "reasoning": "".join(part.text for part in parts if part.text and part.thought),
        "calls": [(one.name, one.args) for one in calls],
        "tokens": (given, made, given + made),
        "cached": used.cached_content_token_count,
        "thought": used.thoughts_token_count,
        "model": chunks[-1].model_version,
        "status": RunStatus.TOOL_CALLS if calls else RunStatus.COMPLETED,
    }


def of_log(reel, run_id):
    run, details = reel.run(run_id), reel.run(run_id).usage_details
    result, calls = reel.result(run_id), run.tool_calls or ()
    usage = run.usage
    return {
        "text": result.text or "",
        "reasoning": reel.reasoning(run_id) or "",
        "calls": [(call.function.name, call.function.arguments) for call in calls],
        "tokens": (usage.input_text_tokens, usage.completion_tokens, usage.total_tokens),
        "cached": None if details is None else details.cached_tokens,
        "thought": None if details is None else details.reasoning_tokens,
        "model": run.model,
        "status": run.status,
    }


def ask(client, contents="Hello?", **config):
    return list(
        client.models.generate_content_stream(
            model=script.MODEL, contents=contents, config=config or None
        )
    )


def test_each_watched_stream_is_what_the_client_gets(watch, gemini, server, tmp_path):
    for name, events in script.STREAMS.items():
        server.stream(events)
        got = ask(gemini)
        (run,) = watch.reel.runs(limit=1)
        assert exact(kept(watch.reel, run.run_id)) == exact(events), name
        assert of_log(watch.reel, run.run_id) == of_client(got), name
        assert (run.recording, run.source) == ("closed", "google-gemini"), name
        lines = [json.dumps(event).encode() + b"\n" for event in events]
        report = record_lines(watch.reel.db, lines, run_id=name)
        assert (report.problems, report.cut, report.source) == ([], False, "google-gemini")
        assert of_log(watch.reel, name) == of_client(got), name


def test_asynchronous_streams_over_httpx_are_recorded(watch, server):
    async def main():
        server.stream(script.STREAMS["text"])
        async with httpx.AsyncClient() as http:
            asked = {"model": script.MODEL, "contents": "Hello?"}
            stream = await client_of(server, http).aio.models.generate_content_stream(**asked)
            return [chunk async for chunk in stream]

    got = asyncio.run(main())
    (run,) = watch.reel.runs()
    assert of_log(watch.reel, run.run_id) == of_client(got)


def test_finished_answers_are_recorded(watch, gemini, server):
    for name in ("text", "thinking", "a call"):
        whole = script.chunk(*parts_of(script.STREAMS[name]), reason="STOP", **script.END)
        server.say(Answer(body=whole))
        got = gemini.models.generate_content(model=script.MODEL, contents="Hello?")
        (run,) = watch.reel.runs(limit=1)
        assert of_log(watch.reel, run.run_id) == of_client([got]), name
        rows = [row.raw for row in watch.reel.events(run.run_id) if row.kind == RUN]
        assert exact(rows) == exact([whole])


def test_an_agent_run_is_one_run_though_calls_have_no_ids(watch, gemini, server):
    def weather(city: str) -> str:
        """The weather."""
        return f"Sunny in {city}"

    for name in ("a call", "a call", "text"):
        parts = parts_of(script.STREAMS[name])
        server.say(Answer(body=script.chunk(*parts, reason="STOP", **script.END)))
    got = gemini.models.generate_content(
        model=script.MODEL, contents="Weather?", config={"tools": [weather]}
    )
    assert got.text == "Hello, world"
    (run,) = watch.reel.runs()
    assert (run.status, run.recording) == (RunStatus.COMPLETED, "closed")
    calls = [one for one in watch.reel.story(run.run_id) if isinstance(one, ToolCallStep)]
    assert [(one.name, one.arguments) for one in calls] == [("weather", {"city": "Berlin"})] * 2
    assert [one.result for one in calls] == [{"result": "Sunny in Berlin"}] * 2
    rows = [row.raw for row in watch.reel.events(run.run_id) if row.kind == TOOL_RESULTS]
    assert [len(one["tool_results"]) for one in rows] == [1, 1]
    request = watch.reel.request(run.run_id)
    assert (request["model"], len(request["contents"])) == (script.MODEL, 5)
    assert "secret-key" not in str([row.raw for row in watch.reel.events(run.run_id)])


def test_short_and_blocked_answers_tell_why(watch, gemini, server):
    told = {
        "cut short": MessageStatus.TRUNCATED,
        "filtered": MessageStatus.FILTERED_CONTENT,
        "text": MessageStatus.COMPLETED,
    }
    for name, status in told.items():
        server.stream(script.STREAMS[name])
        ask(gemini)
        (run,) = watch.reel.runs(limit=1)
        assert watch.reel.result(run.run_id).message.status is status
    server.stream(script.BLOCKED)
    ask(gemini)
    (run,) = watch.reel.runs(limit=1)
    message = watch.reel.result(run.run_id).message
    assert (message.status, message.text) == (MessageStatus.FILTERED_CONTENT, "")
    assert message.finish_reason == "PROHIBITED_CONTENT"


def test_failures_are_failed_runs(watch, gemini, server):
    server.say(Answer(body=script.ERROR, status=503))
    with pytest.raises(errors.ServerError):
        ask(gemini)
    (run,) = watch.reel.runs()
    assert run.error == runreel.RunError("The model is overloaded.", 503)
    server.stream([*script.STREAMS["text"][:1], script.ERROR])
    with pytest.raises(errors.APIError):
        ask(gemini)
    (run,) = watch.reel.runs(limit=1)
    assert (run.status, run.recording) == (RunStatus.FAILED, "closed")
    assert run.error == runreel.RunError("The model is overloaded.", 503)


def test_other_calls_pass_untouched(watch, gemini, server):
    server.say(Answer(body={"totalTokens": 3}))
    gemini.models.count_tokens(model=script.MODEL, contents="Hello?")
    assert list(watch.reel.runs()) == []


@pytest.mark.parametrize("key", ["functionResponse", "function_response"])
@pytest.mark.parametrize("id_", [None, "of the client"])
def test_results_join_by_the_request_that_is_repeated(watch, server, key, id_):
    asked = [{"role": "user", "parts": [{"text": "Weather?"}]}]
    brief = {"parts": [{"text": "Be brief"}]}
    given = {"name": "weather", "response": {"result": "sun"}}
    called = {"role": "model", "parts": [script.call(city="Berlin")]}
    brought = {"role": "user", "parts": [{key: given if id_ is None else {**given, "id": id_}}]}
    path = f"{server.url}beta/models/{script.MODEL}:streamGenerateContent?alt=sse"
    for name, contents in (("a call", asked), ("text", [*asked, called, brought])):
        server.stream(script.STREAMS[name])
        httpx.post(path, json={"contents": contents, "systemInstruction": brief})
    (run,) = watch.reel.runs()
    assert (run.status, run.response_id) == (RunStatus.COMPLETED, script.ID)
    (call,) = [one for one in watch.reel.story(run.run_id) if isinstance(one, ToolCallStep)]
    assert call.result == {"result": "sun"}
    assert [match.run_id for match in watch.reel.search("be brief", in_=("request",))]
    # Another program that asks the same is not joined.
    server.stream(script.STREAMS["text"])
    httpx.post(path, json={"contents": [*asked, called, brought]})
    assert len(list(watch.reel.runs())) == 2
