"""The pure parts of serving: timing, the form on the wire, whole completions."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
from hypothesis import given

from runreel.codec.json_text import loads
from runreel.serving import wire
from runreel.serving.timing import Timing, plan
from runreel.serving.whole_chat import whole_completion
from runreel.sources.requests import ANTHROPIC_MESSAGES, OPENAI_CHAT, OPENAI_RESPONSES
from runreel.sources.sse import SSEParser
from tests.live import openai_script as script
from tests.strategies import SOME
from tests.strategies import values as json_values

gaps = st.lists(st.integers(0, 10**8), max_size=12)


def times_of(found: list[int]) -> list[int]:
    return [sum(found[: n + 1]) for n in range(len(found))]


@SOME
@given(gaps, st.floats(0.1, 1000), st.none() | st.floats(0, 10))
def test_a_plan_keeps_the_order_and_divides_limited_pauses(found, speed, max_gap):
    times = times_of(found)
    planned = plan(times, Timing(speed, max_gap))
    assert planned == sorted(planned)
    limit = float("inf") if max_gap is None else max_gap
    expected = 0.0
    for gap, at in zip(found, planned, strict=True):
        expected += min(gap / 1e6, limit) / speed
        assert abs(at - expected) <= 1e-9 * (1 + expected)
    assert plan(times, Timing(speed, max_gap, instant=True)) == [0.0] * len(times)
    assert all(
        abs(at - time / 1e6) < 1e-9 * (1 + at) for at, time in zip(plan(times), times, strict=True)
    )


@SOME
@given(
    st.lists(json_values, max_size=4),
    st.sampled_from([OPENAI_CHAT, OPENAI_RESPONSES, ANTHROPIC_MESSAGES]),
)
def test_what_is_sent_is_read_as_the_same_events(values, source):
    sent = b"".join(wire.KEEP_ALIVE + wire.event(source, value) for value in values)
    parser = SSEParser()
    got = [*parser.feed(sent), *parser.end()]
    assert [loads(one.data.decode()) for one in got] == values


def test_events_have_their_names_and_chats_their_end():
    named = wire.event(OPENAI_RESPONSES, {"type": "response.created"})
    assert named == b'event: response.created\ndata: {"type":"response.created"}\n\n'
    assert wire.event(OPENAI_CHAT, {"type": "x"}) == b'data: {"type":"x"}\n\n'
    assert wire.end(OPENAI_CHAT, {}) == b"data: [DONE]\n\n"
    for source, last in (
        (OPENAI_CHAT, "[DONE]"),
        (OPENAI_CHAT, {"error": {}}),
        (OPENAI_RESPONSES, {}),
    ):
        assert wire.end(source, last) == b""


@SOME
@given(
    st.text(max_size=30),
    st.lists(st.tuples(st.sampled_from(["f", "g"]), st.text(max_size=12)), max_size=3),
    st.integers(1, 7),
)
def test_chunks_add_up_to_the_completion(text, calls, size):
    used = script.chat_usage(3, 4)
    chunks = script.chunks(text, calls=calls, used=used, chunk=size)
    found: Any = whole_completion([*chunks, "[DONE]"])
    (choice,) = found["choices"]
    assert (choice["message"]["content"] or "") == text
    made = choice["message"].get("tool_calls") or []
    assert [(one["function"]["name"], one["function"]["arguments"]) for one in made] == calls
    assert choice["finish_reason"] == ("tool_calls" if calls else "stop")
    assert (found["object"], found["usage"]) == ("chat.completion", used)
    for end in range(len(chunks) - 1):
        assert whole_completion(chunks[:end]) is None


def test_several_choices_and_failures():
    choice = {"delta": {"content": "a"}, "finish_reason": "stop"}
    both = script.chat_chunk([{"index": 1, **choice}, {"index": 0, **choice}])
    found: Any = whole_completion([both])
    assert [one["index"] for one in found["choices"]] == [0, 1]
    assert whole_completion([both, {"error": {"message": "x"}}]) is None


def test_a_response_is_whole_in_its_last_event():
    events = script.events([script.output_of(["Hi"])])
    assert wire.whole(OPENAI_RESPONSES, events) == events[-1]["response"]
    assert wire.whole(OPENAI_RESPONSES, events[:-1]) is None
