"""What the reader of the Messages API makes of messages, told at once and in pieces."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runreel.codec import json_text
from runreel.codec.token_counts import Tally
from runreel.model.events import CONTEXT, RUN, STREAM_EVENT
from runreel.model.results import Usage, UsageDetails
from runreel.model.status import MessageStatus, RunStatus, StreamEvent
from runreel.projection.projector import RunProjector
from runreel.sources import reader_of, thoughts
from tests.live import messages_script as script
from tests.rules.recordings import meaning, read, write
from tests.sources.folding import calls_of, finished, states, streamed
from tests.strategies import MANY, exact, texts

READER = reader_of("anthropic-messages")
KINDS = ("text", "thinking", "tool_use", "server_tool_use", "redacted_thinking")
REASONS = {
    "end_turn": (RunStatus.COMPLETED, MessageStatus.COMPLETED),
    "stop_sequence": (RunStatus.COMPLETED, MessageStatus.COMPLETED),
    "max_tokens": (RunStatus.COMPLETED, MessageStatus.TRUNCATED),
    "model_context_window_exceeded": (RunStatus.COMPLETED, MessageStatus.TRUNCATED),
    "refusal": (RunStatus.COMPLETED, MessageStatus.FILTERED_CONTENT),
    "tool_use": (RunStatus.TOOL_CALLS, MessageStatus.COMPLETED),
    "of the future": (RunStatus.COMPLETED, MessageStatus.UNKNOWN),
}
NAMED = pytest.mark.parametrize("name", script.STREAMS)


@st.composite
def told(draw: Any) -> tuple[list[Any], list[Any], str]:
    """The blocks of a message, a stream of them in pieces, and the stop reason."""
    content, events = [], [script.start()]
    for index, kind in enumerate(draw(st.lists(st.sampled_from(KINDS), max_size=5))):
        whole = draw(texts)
        if kind in ("tool_use", "server_tool_use"):
            given = {"a": whole, "n": [index, None]}
            whole = json.dumps(given, ensure_ascii=draw(st.booleans()))
        places = sorted(draw(st.lists(st.integers(0, len(whole)), max_size=4)))
        spans = zip([0, *places], [*places, len(whole)], strict=True)
        pieces = [whole[start:end] for start, end in spans]
        if kind == "text":
            content.append({"type": kind, "text": whole})
            events += script.text(*pieces, index=index)
        elif kind == "thinking":
            content.append({"type": kind, "thinking": whole, "signature": "c2ln"})
            events += script.thinking(*pieces, index=index)
        elif kind == "redacted_thinking":
            content.append({"type": kind, "data": whole})
            events += script.block(index, content[-1])
        else:
            called = {"type": kind, "id": f"toolu_{index}", "name": "weather"}
            content.append({**called, "input": given})
            events += script.call(*pieces, index=index, type_=kind)
    reason = draw(st.sampled_from(sorted(REASONS)))
    for place in draw(st.lists(st.integers(0, len(events)), max_size=3)):
        events.insert(place, script.PING)
    return content, [*events, *script.end(reason)], reason


def reasoning(kind: str, values: list[Any]) -> dict[Any, str]:
    """The reasoning by its place."""
    found: dict[Any, str] = {}
    for value in values:
        for part, text, _ in thoughts(READER.name, kind, value):
            found[part] = found.get(part, "") + text
    return found


@MANY
@given(told())
@example(([], [script.start(), *script.end()], "end_turn"))
def test_a_stream_in_any_pieces_is_the_message(drawn):
    content, events, reason = drawn
    found = streamed(READER, events)
    parts = [block["text"] for block in content if block["type"] == "text" and block["text"]]
    calls = [
        (block["id"], block["name"], block["input"])
        for block in content
        if block["type"] == "tool_use"
    ]
    thought = {
        (index, 0, 0): block["thinking"]
        for index, block in enumerate(content)
        if block["type"] == "thinking" and block["thinking"]
    }
    assert calls_of(found) == calls
    assert reasoning(STREAM_EVENT, events) == thought
    assert (found.status, found.usage) == (REASONS[reason][0], Usage(12, 27, 15))
    if parts or not calls:
        assert (list(found.message.parts), found.message.id) == (parts, script.ID)
        assert (found.message.status, found.message.finish_reason) == (REASONS[reason][1], reason)
    else:
        assert found.message is None
    whole = script.message(content, reason)
    at_once = finished(READER, whole)
    for name in ("status", "message", "tool_calls", "usage", "details", "metadata"):
        assert getattr(at_once, name) == getattr(found, name), name
    assert reasoning(RUN, [whole]) == thought


@MANY
@given(told())
def test_a_stream_reads_back_exactly(drawn):
    rows = write(READER, [(STREAM_EVENT, value) for value in drawn[1]])
    assert exact(read(READER, rows)) == exact(drawn[1])


@NAMED
def test_what_a_stream_holds_goes_through_json(name):
    for state in states(READER, script.STREAMS[name]):
        held = json_text.dumps(msgspec.to_builtins(state.adapter_memory))
        assert msgspec.convert(json_text.loads(held), READER.memory_type) == state.adapter_memory


def test_a_delta_of_the_first_block_stores_its_text_alone():
    rows = write(READER, [(STREAM_EVENT, value) for value in script.text("Hi", index=0)])
    assert [row.payload for row in rows[1:2]] == ['{"+":"Hi"}']


@pytest.mark.parametrize("reason", REASONS)
def test_every_stop_reason_has_a_status(reason):
    state, status = REASONS[reason]
    events = [script.start(), *script.text("Hi"), *script.end(reason)]
    found = streamed(READER, events)
    assert (found.status, found.message.status) == (state, status)
    end = READER.interpret(STREAM_EVENT, events[-2])
    assert end.is_last
    assert end.type == ("TOOL_CALLS" if reason == "tool_use" else "DONE")


def test_a_paused_turn_goes_on():
    paused = [*script.STREAMS["paused"]]
    assert streamed(READER, paused).status is RunStatus.IN_PROGRESS
    assert READER.interpret(STREAM_EVENT, paused[-2]).is_last
    rest = [script.start(id="msg_2"), *script.text("Blue."), *script.end()]
    found = streamed(READER, [*paused, *rest])
    assert (found.status, found.message.text) == (RunStatus.COMPLETED, "Blue.")
    assert found.usage == Usage(24, 54, 30)


def test_usage_is_cumulative_and_what_is_not_reported_again_stays():
    events = [
        script.start(usage={"input_tokens": 3, "output_tokens": 1, **script.CACHED}),
        script.change(None, output_tokens=4),
        script.change(None, output_tokens=4, cache_read_input_tokens=None),
        script.change("end_turn", output_tokens=9, cache_read_input_tokens=60, input_tokens=5),
    ]
    usage = [state.usage for state in states(READER, events)]
    assert usage == [Usage(153, 154, 1), *[Usage(153, 157, 4)] * 2, Usage(165, 174, 9)]
    assert states(READER, events)[-1].details == UsageDetails(60, None, 100)


@pytest.mark.parametrize(
    "usage", ["12", [], {"input_tokens": -1, "output_tokens": 1}, {"output_tokens": 2**64}]
)
def test_usage_that_is_not_understood_is_said_to_be(usage):
    read_as = meaning(READER, STREAM_EVENT, script.start(usage=usage))
    assert (read_as.unread, read_as.usage) == (("usage",), Tally(unread=1))
    found = streamed(READER, [script.start(usage=usage), *script.end(input_tokens=12)])
    assert found.usage == Usage(12, 27, 15)


def test_a_message_that_arrives_again_is_counted_once():
    stream = script.STREAMS["cached input"]
    fold = RunProjector("run-1", READER.name)
    whole = script.message([{"type": "text", "text": "Hello, world"}])
    whole["usage"] |= script.CACHED
    for row in write(READER, [*((STREAM_EVENT, value) for value in stream), (RUN, whole)]):
        fold.apply(row)
    assert fold.state.usage == Usage(162, 177, 15)
    assert fold.state.details == UsageDetails(50, None, 100)


@pytest.mark.parametrize(
    "error",
    [
        script.OVERLOADED,
        {"error": {"type": "overloaded_error", "message": "Overloaded"}},
        {"type": "error", "error": {"message": "Overloaded", "type": "overloaded_error"}},
    ],
)
def test_errors_fail_the_run_and_keep_its_text(error):
    found = streamed(READER, [script.start(), *script.text("He", "llo")[:-1], error])
    assert (found.status, found.error) == (RunStatus.FAILED, "Overloaded")
    assert (found.error_code, found.message.text) == ("overloaded_error", "Hello")
    event = READER.interpret(STREAM_EVENT, error)
    assert (event.type, event.is_last) == ("ERROR", True)
    assert finished(READER, error).error == "Overloaded"


def test_a_stream_without_a_stop_reason_ends_with_its_stop():
    events = [script.start(), *script.text("Hi"), script.STOP]
    found = meaning_of_last(events)
    assert (found.event.status, found.event.message.finish_reason) == (StreamEvent.DONE, None)
    called = meaning_of_last([script.start(), *script.call("{}"), script.STOP])
    assert called.event.status is StreamEvent.TOOL_CALLS
    assert meaning_of_last(script.STREAMS["text"]).event is None


def meaning_of_last(events: list[Any]) -> Any:
    fold = RunProjector("run-1", READER.name)
    (*_, last) = [fold.apply(row) for row in write(READER, [(STREAM_EVENT, one) for one in events])]
    return last.interpretation


def test_arguments_that_are_cut_short_are_kept_as_they_came():
    found = streamed(READER, script.CUT_CALL)
    assert calls_of(found) == [("toolu_0", "weather", {"_unparsed": '{"city": "Be'})]
    assert found.status is RunStatus.COMPLETED


def test_a_request_tells_its_model_and_user():
    request = {**script.ASKED, "metadata": {"user_id": "u-1"}, "system": "Be brief."}
    found = meaning(READER, CONTEXT, request).metadata
    assert (found.model, found.created_by) == (script.MODEL, "u-1")
