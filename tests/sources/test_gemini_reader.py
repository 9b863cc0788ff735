"""What the reader of the Gemini API makes of responses, told at once and in pieces."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runreel.codec import json_text
from runreel.codec.token_counts import Tally
from runreel.model.events import CONTEXT, RUN, STREAM_EVENT
from runreel.model.results import Usage, UsageDetails
from runreel.model.status import MessageStatus, RunStatus
from runreel.sources import reader_of, thoughts
from tests.live import gemini_script as script
from tests.rules.recordings import meaning, read, write
from tests.sources.folding import calls_of, finished, states, streamed
from tests.strategies import MANY, exact, texts

READER = reader_of("google-gemini")
KINDS = ("text", "thought", "call", "code")
REASONS = {
    "STOP": MessageStatus.COMPLETED,
    "MAX_TOKENS": MessageStatus.TRUNCATED,
    "SAFETY": MessageStatus.FILTERED_CONTENT,
    "RECITATION": MessageStatus.FILTERED_CONTENT,
    "MALFORMED_FUNCTION_CALL": MessageStatus.UNKNOWN,
    "OF_THE_FUTURE": MessageStatus.UNKNOWN,
}


@st.composite
def told(draw: Any) -> tuple[list[list[Any]], str]:
    """The parts of each chunk of a stream, and its finish reason."""
    made = {
        "text": lambda text: {"text": text},
        "thought": lambda text: {"text": text, "thought": True},
        "call": lambda text: script.call("f", a=text),
        "code": lambda text: {"executableCode": {"language": "PYTHON", "code": text}},
    }
    part = st.builds(lambda kind, text: made[kind](text), st.sampled_from(KINDS), texts)
    chunks = draw(st.lists(st.lists(part, max_size=3), min_size=1, max_size=5))
    return chunks, draw(st.sampled_from(sorted(REASONS)))


@MANY
@given(told())
def test_a_stream_in_any_pieces_is_the_response(drawn):
    chunks, reason = drawn
    last = len(chunks) - 1
    events = [
        script.chunk(*parts, **({"reason": reason, **script.END} if number == last else {}))
        for number, parts in enumerate(chunks)
    ]
    every = [part for parts in chunks for part in parts]
    text = "".join(one["text"] for one in every if "text" in one and not one.get("thought"))
    calls = [
        (None, one["functionCall"]["name"], one["functionCall"]["args"])
        for one in every
        if "functionCall" in one
    ]
    found = streamed(READER, events)
    waits = bool(calls) and reason == "STOP"
    assert found.status is (RunStatus.TOOL_CALLS if waits else RunStatus.COMPLETED)
    assert calls_of(found) == calls
    assert found.usage == Usage(9, 21, 12)
    if text or not calls:
        assert (found.message.text, found.message.status) == (text, REASONS[reason])
    thought = "".join(one["text"] for one in every if one.get("thought"))
    for kind, values in (
        (STREAM_EVENT, events),
        (RUN, [script.chunk(*every, reason=reason, **script.END)]),
    ):
        assert (
            "".join(one.text for value in values for one in thoughts(READER.name, kind, value))
            == thought
        )
    whole = finished(READER, script.chunk(*every, reason=reason, **script.END))
    for name in ("status", "message", "tool_calls", "usage", "details", "metadata"):
        assert getattr(whole, name) == getattr(found, name), name
    rows = write(READER, [(STREAM_EVENT, value) for value in events])
    assert exact(read(READER, rows)) == exact(events)


@pytest.mark.parametrize("name", script.STREAMS)
def test_what_a_stream_holds_goes_through_json(name):
    for state in states(READER, script.STREAMS[name]):
        held = json_text.dumps(msgspec.to_builtins(state.adapter_memory))
        assert msgspec.convert(json_text.loads(held), READER.memory_type) == state.adapter_memory


def test_the_last_counts_are_those_of_the_response():
    found = [state.usage for state in states(READER, script.STREAMS["thinking"])]
    assert found == [Usage(9, 9, 0), Usage(9, 9, 0), Usage(9, 28, 19)]
    assert streamed(READER, script.STREAMS["thinking"]).details == UsageDetails(None, 7)
    tools = {"promptTokenCount": 9, "toolUsePromptTokenCount": 5, "totalTokenCount": 14}
    assert streamed(READER, [{**script.chunk(), "usageMetadata": tools}]).usage == Usage(14, 14, 0)


@pytest.mark.parametrize("usage", ["12", [], {"promptTokenCount": -1}, {"totalTokenCount": "9"}])
def test_usage_that_is_not_understood_is_said_to_be(usage):
    found = meaning(READER, STREAM_EVENT, {**script.chunk(), "usageMetadata": usage})
    assert (found.unread, found.usage) == (("usage",), Tally(unread=1))


def test_another_response_goes_on_with_the_run():
    second = [script.chunk(script.text("Sunny"), reason="STOP", id_="resp-2", **script.END)]
    found = streamed(READER, [*script.STREAMS["a call"], *second])
    assert (found.status, found.message.text) == (RunStatus.COMPLETED, "Sunny")
    assert (found.usage, found.tool_calls) == (Usage(18, 42, 24), None)


def test_errors_and_blocked_requests_end_the_run():
    found = streamed(READER, [*script.STREAMS["text"][:1], script.ERROR])
    assert (found.status, found.error, found.error_code) == (
        *(RunStatus.FAILED, "The model is overloaded."),
        503,
    )
    assert found.message.text == "Hello"
    blocked = streamed(READER, script.BLOCKED)
    assert blocked.message.status is MessageStatus.FILTERED_CONTENT
    assert READER.interpret(STREAM_EVENT, script.BLOCKED[0]).is_last


def test_a_request_tells_its_model():
    found = meaning(READER, CONTEXT, {"model": script.MODEL, "contents": []}).metadata
    assert found.model == script.MODEL
