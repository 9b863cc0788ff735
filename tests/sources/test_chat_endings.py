"""Streams of chat completions as servers end and shape them: `[DONE]`, contents that are lists."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runreel.model.events import STREAM_EVENT
from runreel.model.status import RunStatus
from tests.live import openai_script as script
from tests.rules.recordings import read
from tests.sources.folding import CHAT, DONE, calls_of, finished, states, streamed
from tests.sources.test_openai_readers import written
from tests.strategies import exact

CALLS = [("f", '{"n": 1}'), ("g", "{}")]


def without_reasons(chunks):
    for chunk in chunks:
        for choice in chunk["choices"]:
            choice["finish_reason"] = None
    return chunks


@pytest.mark.parametrize("used", [None, script.chat_usage(9, 12)])
@pytest.mark.parametrize(
    ("text", "calls", "status"),
    [
        ("Hello, world", None, RunStatus.COMPLETED),
        ("", CALLS, RunStatus.TOOL_CALLS),
        ("Let me see.", CALLS, RunStatus.TOOL_CALLS),
        ("", None, RunStatus.COMPLETED),
    ],
)
def test_done_ends_a_stream_that_gave_no_finish_reason(text, calls, status, used):
    chunks = without_reasons(script.chunks(text, calls=calls, used=used))
    *_, before, after = states(CHAT, [*chunks, DONE])
    assert before.status is not status
    assert (after.status, after.events) == (status, len(chunks))
    assert (after.result.text or "") == text
    assert [call[1:] for call in calls_of(after)] == ([("f", {"n": 1}), ("g", {})] if calls else [])
    if after.result.message is not None:
        assert after.result.message.id == "chatcmpl-1"


@pytest.mark.parametrize("reason", ["stop", "length", "tool_calls", "error"])
def test_done_changes_nothing_where_a_chunk_was_the_last(reason):
    chunks = script.chunks("Hello", reason=reason, used=script.chat_usage(1, 2))
    *_, before, after = states(CHAT, [*chunks, DONE])
    assert after.result == before.result
    assert (after.status, after.events) == (before.status, before.events)


def test_done_is_stored_as_it_came():
    told = [*script.chunks("Hello"), DONE]
    assert exact(read(CHAT, written(CHAT, told))) == exact(told)


TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=5)
PARTS = st.lists(
    st.one_of(
        TEXTS.map(lambda text: {"type": "text", "text": text}),
        TEXTS.map(lambda text: {"type": "thinking", "thinking": [{"type": "text", "text": text}]}),
        st.just({"type": "reference", "reference_ids": [1]}),
        st.just({"type": "image_url", "image_url": {"url": "data:"}}),
    ),
    max_size=4,
)


def said(content):
    if isinstance(content, str):
        return content
    return "".join(part["text"] for part in content if part["type"] == "text")


@given(contents=st.lists(TEXTS | PARTS, max_size=6))
def test_content_that_is_a_list_of_parts_is_read(contents):
    choices = [{"index": 0, "delta": {"content": content}} for content in contents]
    chunks = [script.chat_chunk([choice]) for choice in choices]
    chunks.append(script.chunks("")[-1])
    rows = written(CHAT, chunks)
    assert exact(read(CHAT, rows)) == exact(chunks)
    state = streamed(CHAT, chunks)
    assert (state.status, state.result.text or "") == (
        RunStatus.COMPLETED,
        "".join(map(said, contents)),
    )


@given(content=PARTS)
def test_a_finished_content_has_a_part_for_each_text(content):
    state = finished(CHAT, script.completion(content))
    texts = [part["text"] for part in content if part["type"] == "text"]
    assert list(state.result.parts) == texts
    assert state.result.text == "".join(texts)


def test_text_in_a_list_is_stored_once():
    part = {"type": "text", "text": "Hello, world"}
    chunk = script.chat_chunk([{"index": 0, "delta": {"content": [part]}}])
    (row,) = written(CHAT, [chunk])
    assert (row.type, row.added) == ("PARTIAL_MESSAGE", len(part["text"]))
    assert row.payload.count("Hello") == 1


@pytest.mark.parametrize("index", [0, None])
def test_chunks_of_servers_that_leave_keys_out(index):
    """No `object`, an `index` of null, a delta of null, usage inside the choice."""
    place = {} if index is None else {"index": None}
    chunks = [
        {"id": "c", "created": 1, "model": "m", "choices": [{**place, "delta": {"content": "Hi"}}]},
        {"id": "c", "choices": [{**place, "delta": None, "finish_reason": "stop"}]},
        {"type": "keepalive"},
        {},
    ]
    state = streamed(CHAT, chunks)
    assert (state.status, state.result.text) == (RunStatus.COMPLETED, "Hi")
    assert state.metadata.model == "m"


def test_a_last_chunk_with_the_whole_message_adds_nothing():
    """The shape of servers that repeat the answer in every chunk, and name the last otherwise."""
    chunks = script.chunks("Hello, world")
    for chunk in chunks:
        chunk["choices"][0]["message"] = {"role": "assistant", "content": "Hello, world"}
    chunks[-1]["object"] = "chat.completion.done"
    assert streamed(CHAT, chunks).result.text == "Hello, world"
    last = script.completion("Hello, world") | {"object": "chat.completion.done"}
    state = streamed(CHAT, [*chunks[:-1], last])
    assert (state.status, state.result.parts) == (RunStatus.COMPLETED, ("Hello, world",))
    assert streamed(CHAT, [last]).result.text == "Hello, world"
    assert CHAT.interpret(STREAM_EVENT, last).type == "DONE"


def test_an_answer_and_its_refusal_are_two_parts_of_one_text():
    whole = script.completion("Well, ")
    whole["choices"][0]["message"]["refusal"] = "no."
    result = finished(CHAT, whole).result
    assert (result.parts, result.text) == (("Well, ", "no."), "Well, no.")
