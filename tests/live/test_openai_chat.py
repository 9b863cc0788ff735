"""Recorded streams of chat completions."""

from __future__ import annotations

import gc

import openai
import pytest

from runreel.model.events import CONTEXT, INTERRUPTED
from runreel.model.results import Usage, UsageDetails
from runreel.model.status import MessageStatus, RunStatus
from tests.live import openai_script as script
from tests.live.told import kept, notes
from tests.strategies import exact

ASKED = {"model": script.MODEL, "messages": [{"role": "user", "content": "Hello?"}]}
RUN = "chatcmpl-1"


def asked(client, **more):
    return client.chat.completions.create(**ASKED, **more, stream=True)


def test_chunks_are_the_clients_own_and_the_log_has_the_wires(server, client, record, reel):
    told = script.chunks("Hello, world", used=script.chat_usage(9, 12))
    server.stream(told, done=True)
    server.stream(told, done=True)
    options = {"stream_options": {"include_usage": True}}
    bare = list(asked(client, **options))
    request = {**ASKED, **options}
    assert list(record(asked(client, **options), request=request)) == bare
    assert exact(kept(reel, RUN)) == exact(told)
    run, result = reel.run(RUN), reel.result(RUN)
    assert (run.source, run.status, run.recording) == (
        "openai-chat",
        RunStatus.COMPLETED,
        "closed",
    )
    assert (run.model, run.created_at.timestamp()) == (script.MODEL, script.CREATED_AT)
    assert (run.usage, run.usage_details) == (Usage(9, 21, 12), UsageDetails(4, 1))
    assert (result.text, result.message.status) == ("Hello, world", MessageStatus.COMPLETED)
    assert [row.raw for row in reel.events(RUN) if row.kind == CONTEXT] == [request]


def test_text_is_cumulative(server, client, record, reel):
    server.stream(script.chunks("Hello, world"), done=True)
    list(record(asked(client)))
    texts = [row.text for row in reel.events(RUN, type="PARTIAL_MESSAGE")]
    assert texts == ["Hell", "Hello, w", "Hello, world"]
    assert reel.run(RUN).usage is None


def test_calls_are_put_together_from_their_pieces(server, client, record, reel):
    calls = [("weather", '{"city": "Paris", "n": 9007199254740993}'), ("bad", "[1"), ("none", "")]
    server.stream(script.chunks(calls=calls), done=True)
    list(record(asked(client)))
    result = reel.result(RUN)
    assert (result.status, result.message) == (RunStatus.TOOL_CALLS, None)
    told = [(call.id, call.function.name, call.function.arguments) for call in result.tool_calls]
    assert told == [
        ("call_0", "weather", {"city": "Paris", "n": 9007199254740993}),
        ("call_1", "bad", {"_unparsed": "[1"}),
        ("call_2", "none", {}),
    ]


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        ("stop", MessageStatus.COMPLETED),
        ("length", MessageStatus.TRUNCATED),
        ("content_filter", MessageStatus.FILTERED_CONTENT),
    ],
)
def test_the_reason_why_it_ended_is_the_messages_status(
    server, client, record, reel, *, reason, status
):
    server.stream(script.chunks("Hello", reason=reason), done=True)
    list(record(asked(client)))
    assert reel.result(RUN).message.status is status


def test_a_forced_call_ends_the_run_and_shows_the_call(server, client, record, reel):
    server.stream(script.chunks(calls=[("f", "{}")], reason="stop"), done=True)
    list(record(asked(client)))
    result = reel.result(RUN)
    assert (result.status, len(result.tool_calls)) == (RunStatus.COMPLETED, 1)


def test_servers_that_number_calls_oddly_are_understood(server, client, record, reel):
    def piece(id_, name, text, **more):
        function = {"name": name, "arguments": text} if name else {"arguments": text}
        call = {"id": id_, "type": "function", "function": function, **more}
        choice = {"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": None}
        return script.chat_chunk([choice])

    alike = [
        *(piece("a", "f", '{"n":', index=0), piece(None, None, "1}", index=0)),
        *(piece("b", "g", "{}", index=0), piece("c", "h", '{"m":'), piece(None, None, "2}")),
    ]
    server.stream([*alike, *script.chunks(reason="tool_calls")[1:]], done=True)
    list(record(asked(client)))
    calls = reel.run(RUN).tool_calls
    told = [(call.id, call.function.name, call.function.arguments) for call in calls]
    assert told == [("a", "f", {"n": 1}), ("b", "g", {}), ("c", "h", {"m": 2})]


def test_usage_that_grows_from_chunk_to_chunk_is_its_last(server, client, record, reel):
    told = script.chunks("Hello, world")
    for number, chunk in enumerate(told):
        chunk["usage"] = script.chat_usage(9, number)
    server.stream(told, done=True)
    list(record(asked(client)))
    assert reel.run(RUN).usage == Usage(9, 9 + len(told) - 1, len(told) - 1)
    assert reel.run(RUN).usage_details == UsageDetails(4, 1)


def test_of_several_choices_the_first_is_read_and_all_are_kept(server, client, record, reel):
    told = script.chunks("Hello, world")
    for chunk in list(told):
        other = [{**choice, "index": 1} for choice in chunk["choices"]]
        told.insert(told.index(chunk), {**chunk, "choices": other})
    server.stream(told, done=True)
    list(record(asked(client)))
    assert reel.result(RUN).text == "Hello, world"
    assert exact(kept(reel, RUN)) == exact(told)


def test_a_refusal_is_text_of_its_own(server, client, record, reel):
    told = script.chunks("Well. ")
    refused = script.chunks("I cannot.", reason="stop")
    for chunk in refused:
        for choice in chunk["choices"]:
            if "content" in choice["delta"]:
                choice["delta"] = {"refusal": choice["delta"].pop("content")}
    server.stream([*told[:-1], *refused[1:]], done=True)
    list(record(asked(client)))
    assert reel.result(RUN).parts == ("Well. ", "I cannot.")


def test_a_first_chunk_without_an_id_is_of_the_completion_that_follows(
    server, client, record, reel
):
    first = {"id": "", "object": "", "created": 0, "model": "", "choices": [], "filters": [{}]}
    told = [first, *script.chunks("Hello", id_="chatcmpl-7")]
    server.stream(told, done=True)
    seen = [chunk.to_dict(mode="json") for chunk in record(asked(client))]
    assert [chunk["id"] for chunk in seen] == ["", *["chatcmpl-7"] * (len(told) - 1)]
    (run,) = reel.runs()
    assert run.run_id == "chatcmpl-7"
    assert (run.model, run.recording) == (script.MODEL, "closed")
    assert run.created_at.timestamp() == script.CREATED_AT
    assert exact(kept(reel, run.run_id)) == exact(told)


def test_a_loop_that_breaks_interrupts(server, client, record, reel):
    server.stream(script.chunks("Hello, world"), done=True)
    for chunk in record(asked(client)):
        if chunk.choices[0].delta.content:
            break
    assert notes(reel, RUN) == [(INTERRUPTED, "the program stopped reading")]


def test_a_loop_that_leaves_when_it_is_finished_has_seen_all(server, client, record, reel):
    server.stream(script.chunks("Hello", used=script.chat_usage(1, 1)), done=True)
    for chunk in record(asked(client)):
        if chunk.choices[0].finish_reason:
            break
    gc.collect()
    assert notes(reel, RUN) == [("closed", None)]


@pytest.mark.parametrize("cut", [None, "silent"])
def test_a_stream_that_is_not_finished_is_interrupted(server, client, record, reel, cut):
    server.stream(script.chunks("Hello, world")[:-1], cut=cut)
    list(record(asked(client)))
    assert notes(reel, RUN) == [(INTERRUPTED, "the stream ended before its last event")]
    assert reel.run(RUN).status is RunStatus.IN_PROGRESS


def test_an_error_in_the_stream_is_stored_and_raised(server, client, record, reel):
    told = [*script.chunks("Hello, world")[:-1], {"error": {"message": "Overloaded", "code": 503}}]
    server.stream(told)
    with pytest.raises(openai.APIError, match="Overloaded"):
        list(record(asked(client)))
    run = reel.run(RUN)
    assert (run.status, run.recording) == (RunStatus.FAILED, "closed")
    assert (run.error.message, run.error.code) == ("Overloaded", 503)
    assert exact(kept(reel, RUN)) == exact(told)


def test_completions_of_one_name_are_runs_of_their_own(server, client, record, reel):
    for _ in range(3):
        server.stream(script.chunks("Hello"), done=True)
        list(record(asked(client)))
    assert [reel.result(run.run_id).text for run in reel.runs()] == ["Hello"] * 3
