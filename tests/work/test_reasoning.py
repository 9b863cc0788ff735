"""The reasoning beside an answer, and what was written before a failure."""

from __future__ import annotations

import pytest

from runreel.model.errors import RunNotFound
from runreel.model.status import RunStatus
from tests.live import openai_script as script

PIECES = ["I add ", "the two.", "\n\nIt is 4."]
THOUGHT = "".join(PIECES)


def record(reel, values, source="openai-chat", run_id="run-1"):
    with reel.recording(run_id, source=source) as recording:
        for value in values:
            recording.offer("run" if value.get("object") == "response" else "stream_event", value)


def chat(key, wrapped=lambda piece: piece):
    deltas = [{key: wrapped(piece)} for piece in PIECES]
    first = [script.chat_chunk([{"index": 0, "delta": delta}]) for delta in deltas]
    return [*first, *script.chunks("4")]


@pytest.mark.parametrize(
    "chunks",
    [
        chat("reasoning_content"),
        chat("reasoning"),
        chat("reasoning_details", lambda piece: [{"type": "reasoning.text", "text": piece}]),
        chat("content", lambda piece: [{"type": "thinking", "thinking": [{"text": piece}]}]),
        [
            script.chat_chunk(
                [
                    {
                        "index": 0,
                        "delta": {
                            "reasoning": piece,
                            "reasoning_content": piece,
                            "reasoning_details": [{"type": "reasoning.text", "text": piece}],
                        },
                    },
                    {"index": 1, "delta": {"reasoning": "other"}},
                ]
            )
            for piece in PIECES
        ],
    ],
    ids=["reasoning_content", "reasoning", "details", "thinking", "all alike"],
)
def test_reasoning_of_a_chat_stream(reel, chunks):
    record(reel, chunks)
    assert reel.reasoning("run-1") == THOUGHT
    assert reel.reasoning("run-1", at=2) == "".join(PIECES[:2])
    assert THOUGHT not in (reel.result("run-1").text or "")
    assert reel.rebuild(check=True) == []


def thinking(kind, *, item=True, output=True):
    """A response whose reasoning streams as text or as a summary of two parts."""
    texts = [THOUGHT] if kind == "reasoning_text" else [THOUGHT, "Second"]
    index = "content_index" if kind == "reasoning_text" else "summary_index"
    key = "content" if kind == "reasoning_text" else "summary"
    done = {"id": "rs", "type": "reasoning", "summary": [], "encrypted_content": "x"}
    done |= {key: [{"type": kind, "text": text} for text in texts]}
    events = script.events([done if output else done | {key: []}, script.output_of(["4"])])
    streamed = []
    for place, text in enumerate(texts):
        where = {"output_index": 0, index: place, "item_id": "rs"}
        pieces = PIECES if text == THOUGHT else [text]
        name = "response.reasoning_text" if index == "content_index" else None
        name = name or "response.reasoning_summary_text"
        streamed += [{"type": f"{name}.delta", **where, "delta": piece} for piece in pieces]
        streamed.append({"type": f"{name}.done", **where, "text": text})
    return [*events[:3], *streamed, *events[3 if item else 4 :]]


@pytest.mark.parametrize("item", [True, False])
@pytest.mark.parametrize("output", [True, False])
@pytest.mark.parametrize(
    ("kind", "expected"),
    [("reasoning_text", THOUGHT), ("summary_text", f"{THOUGHT}\n\nSecond")],
)
def test_reasoning_of_a_response(reel, kind, expected, item, output):
    events = thinking(kind, item=item, output=output)
    record(reel, events, "openai-responses")
    assert reel.reasoning("run-1") == expected
    assert reel.reasoning("run-1", at=4) == PIECES[0]
    if output:
        whole = events[-1]["response"]
        record(reel, [whole], "openai-responses", "run-2")
        assert reel.reasoning("run-2") == expected
        record(reel, [whole], "openai-responses")
        assert reel.reasoning("run-1") == expected


def test_reasoning_is_that_of_the_last_answer(reel):
    record(reel, thinking("reasoning_text"), "openai-responses")
    answer = script.events([script.output_of(["5"])], id_="resp_2", previous_response_id="resp_1")
    record(reel, answer, "openai-responses")
    assert reel.reasoning("run-1") is None
    assert reel.result("run-1").text == "5"


def test_a_run_without_reasoning_has_none(reel):
    with reel.recording("run-1") as recording:
        recording.offer("stream_event", {"type": "DONE", "text": "4"})
    assert reel.reasoning("run-1") is None
    with pytest.raises(RunNotFound):
        reel.reasoning("run-2")


def test_what_was_written_before_a_failure_stays(reel):
    stories = {
        "openai-chat": [*script.chunks("Hello, world")[:3], {"error": {"message": "m"}}],
        "openai-responses": [
            *script.events([script.output_of(["Hello, world"])])[:6],
            {"type": "error", "message": "m"},
        ],
        "plain": [{"type": "PARTIAL_MESSAGE", "text": "Hello"}, {"type": "ERROR", "error": "m"}],
    }
    for source, values in stories.items():
        record(reel, values, source, source)
        run, result = reel.run(source), reel.result(source)
        assert (run.status, run.error.message) == (RunStatus.FAILED, "m")
        assert result.text_so_far in ("Hello", "Hello, w")
        assert list(result.parts_so_far) == [result.text_so_far]
        with pytest.raises(ValueError, match="failed"):
            assert result.text
    assert reel.rebuild(check=True) == []
