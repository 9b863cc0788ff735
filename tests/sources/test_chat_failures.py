"""A chat completion that failed is FAILED, wherever its server says so and whatever follows."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runreel.model.status import MessageStatus, RunStatus
from tests.live import openai_script as script
from tests.sources.folding import CHAT, DONE, finished, states, streamed
from tests.strategies import MANY

TEXT = "Hello, world"
ERRORS = st.fixed_dictionaries(
    {"message": st.text(max_size=8)},
    optional={
        "code": st.none() | st.integers(1, 999) | st.sampled_from(["overloaded", "rate"]),
        "type": st.sampled_from(["server_error", "x"]),
        "param": st.none(),
    },
)
NO_ERRORS = st.sampled_from([None, {}, "", False, []])


def code_of(error):
    code = error.get("code")
    return error.get("type") if code is None else code


def with_error(chunk, place, error):
    """The chunk with an error object at one of the places where servers put it."""
    chunk = copy.deepcopy(chunk)
    choice = {"index": 0, "delta": {"content": ""}, "finish_reason": None}
    chunk["choices"] = chunk["choices"] or [choice]
    match place:
        case "body":
            return {"error": error}
        case "chunk":
            chunk["error"] = error
        case "choice":
            chunk["choices"][0]["error"] = error
        case "delta":
            chunk["choices"][0]["delta"]["error"] = error
        case "other choice":
            chunk["choices"].append({"index": 1, "delta": {}, "error": error})
    return chunk


PLACES = st.sampled_from(["body", "chunk", "choice", "delta", "other choice"])


@MANY
@given(
    error=ERRORS,
    place=PLACES,
    at=st.integers(0, 4),
    reason=st.sampled_from([None, "stop", "error", "tool_calls"]),
    rest=st.booleans(),
    done=st.booleans(),
)
def test_an_error_anywhere_in_a_chunk_fails_the_run(*, error, place, at, reason, rest, done):
    chunks = script.chunks(TEXT)
    failing = with_error(chunks[at], place, error)
    if place != "body":
        failing["choices"][0]["finish_reason"] = reason
    told = [*chunks[:at], failing, *(chunks[at + 1 :] if rest else ()), *([DONE] if done else ())]
    state = streamed(CHAT, told)
    assert state.status is RunStatus.FAILED
    assert (state.error, state.error_code) == (error["message"], code_of(error))
    assert state.tool_calls is None
    kept = told if place != "body" else [*told[:at], *told[at + 1 :]]
    said = "".join(
        chunk["choices"][0]["delta"].get("content") or "" for chunk in kept if chunk != DONE
    )
    assert (state.result.text_so_far or "") == said


@given(error=NO_ERRORS, place=st.sampled_from(["chunk", "choice", "delta", "other choice"]))
def test_an_empty_error_is_none(error, place):
    chunks = [with_error(chunk, place, error) for chunk in script.chunks(TEXT)]
    state = streamed(CHAT, chunks)
    assert (state.status, state.error, state.result.text) == (RunStatus.COMPLETED, None, TEXT)


@given(error=ERRORS, place=st.sampled_from(["completion", "choice", "message"]))
def test_a_finished_completion_with_an_error_failed(error, place):
    whole = script.completion(TEXT)
    choice = whole["choices"][0]
    {"completion": whole, "choice": choice, "message": choice["message"]}[place]["error"] = error
    state = finished(CHAT, whole)
    assert state.status is RunStatus.FAILED
    assert (state.error, state.error_code) == (error["message"], code_of(error))
    assert state.result.text_so_far == TEXT
    assert CHAT.interpret("run", whole).type == "FAILED"


@pytest.mark.parametrize(
    ("body", "message", "code"),
    [
        ({"error": "overloaded"}, "overloaded", None),
        ({"error": {"message": "m", "type": "t", "code": None}}, "m", "t"),
        ({"error": {"detail": "m", "code": 7}}, "m", 7),
        ({"object": "error", "message": "m", "type": "BadRequestError", "code": 400}, "m", 400),
        ({"object": "error", "message": "m", "type": "invalid", "param": None}, "m", "invalid"),
        ({"message": "m", "request_id": "r"}, "m", None),
        ({"detail": "Not Found"}, "Not Found", None),
        ({"type": "error", "error": {"type": "overloaded_error", "message": "m"}}, "m", None),
        ({"type": "error", "message": "m", "code": "c"}, "m", "c"),
        (
            {"error": {"message": "m", "code": 502, "metadata": {"raw": 1}}, "user_id": "u"},
            "m",
            502,
        ),
    ],
)
def test_a_body_is_an_error_in_the_shapes_of_many_servers(body, message, code):
    if "overloaded_error" in str(body):
        code = "overloaded_error"
    state = streamed(CHAT, [*script.chunks(TEXT)[:3], body])
    assert (state.status, state.error, state.error_code) == (RunStatus.FAILED, message, code)
    assert CHAT.interpret("stream_event", body).type == "ERROR"


@pytest.mark.parametrize("reason", ["error", "insufficient_system_resource"])
def test_a_finish_reason_that_is_a_failure_fails_the_run(reason):
    state = streamed(CHAT, script.chunks(TEXT, reason=reason))
    assert (state.status, state.error_code) == (RunStatus.FAILED, reason)
    assert reason in state.error
    assert state.result.text_so_far == TEXT
    whole = script.completion(TEXT)
    whole["choices"][0]["finish_reason"] = reason
    assert finished(CHAT, whole).error_code == reason


@given(reason=st.text(min_size=1, max_size=12) | st.sampled_from(["eos", "model_length", "SAFETY"]))
def test_any_other_finish_reason_is_kept_and_no_failure(reason):
    whole = script.completion(TEXT)
    whole["choices"][0]["finish_reason"] = reason
    if reason in ("error", "insufficient_system_resource", "tool_calls", "function_call"):
        return
    for state in (streamed(CHAT, script.chunks(TEXT, reason=reason)), finished(CHAT, whole)):
        assert state.status is RunStatus.COMPLETED
        assert (state.result.text, state.result.message.finish_reason) == (TEXT, reason)


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        ("stop", MessageStatus.COMPLETED),
        ("length", MessageStatus.TRUNCATED),
        ("model_length", MessageStatus.TRUNCATED),
        ("content_filter", MessageStatus.FILTERED_CONTENT),
        ("eos", MessageStatus.UNKNOWN),
    ],
)
def test_the_message_says_how_it_ended(reason, status):
    message = streamed(CHAT, script.chunks(TEXT, reason=reason)).result.message
    assert message.status is status


def test_a_filter_that_failed_is_no_failure_of_the_completion():
    chunks = script.chunks(TEXT)
    results = {"error": {"code": "content_filter_error", "message": "not filtered"}}
    for chunk in chunks:
        chunk["choices"][0]["content_filter_results"] = results
    assert streamed(CHAT, chunks).status is RunStatus.COMPLETED


def test_every_state_from_the_error_on_is_failed():
    chunks = script.chunks(TEXT)
    told = [chunks[0], {"error": {"message": "m"}}, *chunks[1:], DONE]
    found = states(CHAT, told)
    assert {state.status for state in found[1:]} == {RunStatus.FAILED}
    assert {state.error for state in found[1:]} == {"m"}
