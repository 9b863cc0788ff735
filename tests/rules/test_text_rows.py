"""Rows built for a whole chunk are those of its events one by one."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runreel.integrity import digest_chain
from runreel.model.events import STREAM_EVENT
from runreel.projection.projector import RunProjector
from runreel.recording import event_builder, text_rows
from tests.rules.recordings import READERS, SHAPES
from tests.strategies import SOME, texts

AT, ELAPSED = 1_780_000_000_000_000, 500


def chat(text: Any, /, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": {"content": text}, "logprobs": None, "finish_reason": None}
    said = {"id": "c1", "created": 1, "model": "m", "choices": [choice | more.pop("choice", {})]}
    return {"object": "chat.completion.chunk", **said, **more}


def response(text: Any, /, **more: Any) -> dict[str, Any]:
    place = {"output_index": 0, "content_index": 0, "logprobs": []}
    return {"type": "response.output_text.delta", "delta": text, "item_id": "i", **place, **more}


# What real and odd servers add to a text delta.
ODD: dict[str, list[dict[str, Any]]] = {
    "openai-chat": [
        {},
        {"usage": None},
        {"usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}},
        {"choice": {"index": False}},
        {"choice": {"index": None}},
        {"choice": {"index": 0.0}},
        {"choice": {"logprobs": {"content": []}}},
        {"choice": {"finish_reason": "stop"}},
        {"choice": {"finish_reason": ""}},
        {"choice": {"delta": {"content": "a", "refusal": "b"}}},
        {"choice": {"delta": {"content": "a", "role": "assistant"}}},
        {"choice": {"delta": {"content": "", "tool_calls": [{"index": 0, "id": "t"}]}}},
        {"choice": {"delta": {"content": ["a", {"text": "b"}]}}},
        {"choices": []},
        {"choices": [{"index": 1, "delta": {"content": "x"}}]},
        {"error": {"message": "broken", "code": 500}},
        {"id": "", "model": None},
        {"created": 0, "x_groq": {"usage": {"total_tokens": 3}}},
        {"+": "x"},
    ],
    "openai-responses": [
        {},
        {"logprobs": [{"token": "a"}]},
        {"output_index": True},
        {"output_index": 0.0},
        {"output_index": 2, "content_index": 1},
        {"type": "response.refusal.delta"},
        {"type": "response.output_text.done", "text": "a"},
        {"type": "error", "message": "broken"},
        {"output": []},
        {"obfuscation": "x", "sequence_number": 10**30},
        {"+": "x"},
    ],
}
MADE = {"openai-chat": chat, "openai-responses": response}


def values(reader: Any) -> st.SearchStrategy[Any]:
    if reader.name in MADE:
        return st.builds(
            lambda text, odd: MADE[reader.name](text, **copy.deepcopy(odd)),
            texts | st.just("a "),
            st.sampled_from(ODD[reader.name]) | st.just({}),
        )
    shapes = [shape for shape in SHAPES[reader.name] if shape(0, ["a"])[0] == STREAM_EVENT]
    return st.builds(
        lambda shape, index, parts: shape(index, parts)[1],
        st.sampled_from(shapes),
        st.integers(0, 3),
        st.lists(texts, max_size=2),
    )


def begun(reader: Any, first: list[Any]) -> RunProjector:
    projector = RunProjector("run-1", reader.name)
    for value in first:
        event = reader.interpret(STREAM_EVENT, value)
        new = event_builder.build_events(projector, bytes(32), [event], AT, ELAPSED)
        event_builder.apply_events(projector, new)
    return projector


def one_by_one(projector: RunProjector, events: list[Any], digest: bytes) -> list[Any]:
    """The rows that only change the text, each built after the one before is applied."""
    built = []
    for event in events:
        if event.type != "PARTIAL_MESSAGE" or event.kind != STREAM_EVENT:
            break
        seq, text = projector.state.last_seq, projector.transcript.text
        new = event_builder.build_event(projector, seq, text, digest, event, AT, ELAPSED)
        if new.row.keep is None:
            break
        if new.interpretation is not None and not new.interpretation.changes_only_text():
            break
        projector.apply_text(new.text, new.interpretation)
        built.append(new)
    return built


@READERS
@SOME
@given(data=st.data())
def test_the_rows_of_a_chunk_are_those_of_its_events(reader, data):
    several = st.lists(values(reader), max_size=6)
    first, told = data.draw(several), data.draw(several)
    before = copy.deepcopy(told)
    projector, other = begun(reader, first), begun(reader, first)
    digest = digest_chain.genesis("run-1")
    expected = one_by_one(other, [reader.interpret(STREAM_EVENT, one) for one in told], digest)
    events = [reader.interpret(STREAM_EVENT, one) for one in told]
    built = text_rows.build(projector, digest, events, AT, ELAPSED)
    assert told == before
    if built is None:
        assert not expected
        return
    assert len(built.rows) == len(expected)
    for row, new in zip(built.rows, expected, strict=True):
        assert row._replace(salt=None, digest=b"") == new.row._replace(salt=None, digest=b"")
        committed = digest_chain.commitment(row.salt, row.payload)
        digest = digest_chain.digest(digest, *row[:9], committed)
        assert row.digest == digest
    assert len({row.salt for row in built.rows}) == len(built.rows)
    projector.apply_text(built.text, built.interpretation)
    assert projector.transcript.text == other.transcript.text
    assert projector.state.message == other.state.message
    assert projector.state.adapter_memory == other.state.adapter_memory


@pytest.mark.parametrize("name", ODD)
def test_a_chunk_of_plain_deltas_is_built_at_once(name):
    reader = next(mark for mark in READERS.args[1] if mark.name == name)
    told = [MADE[name](f"w{n} ") for n in range(50)]
    projector = begun(reader, told[:1])
    events = [reader.interpret(STREAM_EVENT, one) for one in told[1:]]
    built = text_rows.build(projector, bytes(32), events, AT, ELAPSED)
    assert built is not None
    assert len(built.rows) == len(events)
    assert built.text == "".join(f"w{n} " for n in range(50))
