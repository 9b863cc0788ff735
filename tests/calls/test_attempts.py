"""Calls without an answer: failed runs that say why; what the client tries again is one run."""

from __future__ import annotations

import json
import time

import pytest

from runreel.capture.calls.attempts import MAX_WAITING_BYTES, Attempts, key_of
from runreel.model.events import ATTEMPT
from runreel.model.runs import RunError
from runreel.model.status import RunStatus
from runreel.system.sync_bridge import completed
from tests.calls.hook import (
    CHAT,
    RESPONSES,
    ask,
    chat,
    chat_calls,
    fail,
    recording_of,
    said,
    tool,
    user,
)
from tests.live import openai_script as script

LIMIT = {"error": {"message": "Rate limit reached", "type": "tokens", "code": "rate_limit"}}
BODIES = {CHAT: chat(user("Hi")), RESPONSES: {"model": "m", "input": "Hi"}}
ANSWERS = {
    CHAT: script.chunks("Hello", used=script.chat_usage(3, 2)),
    RESPONSES: script.events([script.output_of(["Hello"])]),
}
sources = pytest.mark.parametrize("source", [CHAT, RESPONSES])


@pytest.fixture(autouse=True)
def whole(reel):
    """Whatever was stored, a rebuild finds nothing amiss."""
    yield
    assert reel.rebuild(check=True) == []
    assert list(reel.verify()) == []


def attempts(reel, run_id):
    return [row.raw for row in reel.events(run_id, type=ATTEMPT)]


@sources
@pytest.mark.parametrize(
    "body", [LIMIT, json.dumps(LIMIT), json.dumps(LIMIT).encode()], ids=["value", "text", "bytes"]
)
def test_a_refusal_is_a_failed_run_with_the_message_of_the_provider(reel, source, body):
    fail(reel, source, BODIES[source], status=429, body=body)
    (run,) = reel.runs()
    assert run.status is RunStatus.FAILED
    assert run.error == RunError("Rate limit reached", 429)
    assert run.recording == "closed"
    assert run.duration_ms is not None
    assert run.usage is None
    (attempt,) = attempts(reel, run.run_id)
    assert (attempt["status"], attempt["body"]) == (429, LIMIT)
    assert [found.run_id for found in reel.runs(has_error=True)] == [run.run_id]
    assert [found.run_id for found in reel.runs(status="failed")] == [run.run_id]


@pytest.mark.parametrize(
    ("failure", "message", "code"),
    [
        ({"error": ConnectionError("Connection refused")}, "Connection refused", None),
        ({"error": TimeoutError()}, "TimeoutError", None),
        ({"status": 502, "body": b"<html>Bad gateway"}, "HTTP status 502", 502),
        ({"status": 500, "body": b"overloaded"}, "overloaded", 500),
        ({"status": 503}, "HTTP status 503", 503),
        ({"status": 401, "body": {"message": "no key"}}, "no key", 401),
        (
            {"status": 529, "body": {"type": "error", "error": {"type": "o", "message": "busy"}}},
            "busy",
            529,
        ),
        ({"status": 400, "body": b"\xff\x00"}, "\ufffd\0", 400),
    ],
)
def test_what_a_failed_run_says(reel, failure, message, code):
    recording = fail(reel, CHAT, BODIES[CHAT], **failure)
    run = reel.run(recording.run_id)
    assert (run.status, run.error.code) == (RunStatus.FAILED, code)
    assert reel.result(recording.run_id).error == message


@sources
def test_a_retry_that_succeeds_is_one_run(reel, source):
    recording = fail(reel, source, BODIES[source], status=429, body=LIMIT)
    completed(recording.before_send())
    completed(recording.attempt_failed(status=500))
    completed(recording.before_send())
    for event in ANSWERS[source]:
        completed(recording.store_texts([json.dumps(event)], None))
    completed(recording.end("gone"))
    (run,) = reel.runs()
    assert (run.status, run.error, run.recording) == (RunStatus.COMPLETED, None, "closed")
    assert reel.result(run.run_id).text == "Hello"
    assert [attempt["status"] for attempt in attempts(reel, run.run_id)] == [429, 500]
    assert run.events == len(ANSWERS[source])


@sources
def test_a_retry_with_a_finished_answer_is_one_run(reel, source):
    recording = fail(reel, source, BODIES[source], status=500)
    answer = script.completion("Hello")
    if source == RESPONSES:
        answer = script.response("resp_1", output=[script.output_of(["Hello"])])
    completed(recording.before_send())
    completed(recording.store_finished(answer, None))
    (run,) = reel.runs()
    assert (run.status, run.error, run.recording) == (RunStatus.COMPLETED, None, "closed")
    assert reel.result(run.run_id).text == "Hello"


def test_a_failure_in_the_second_turn_fails_the_run_and_a_retry_completes_it(reel):
    call = ("call_a", "f", "{}")
    run_id = ask(reel, CHAT, chat(user("Hi")), chat_calls("one", call, used={"total_tokens": 5}))
    body = chat(user("Hi"), said(None, call), tool("call_a", "1"))
    recording = fail(reel, CHAT, body, status=500, body=LIMIT)
    assert recording.run_id == run_id
    assert reel.run(run_id).status is RunStatus.FAILED
    completed(recording.before_send())
    for event in script.chunks("Done", id_="two"):
        completed(recording.store_texts([json.dumps(event)], None))
    completed(recording.end("gone"))
    (run,) = reel.runs()
    assert (run.status, run.error) == (RunStatus.COMPLETED, None)
    assert reel.result(run_id).text == "Done"


def test_a_call_that_is_cancelled_while_it_is_sent(reel):
    recording = recording_of(reel, CHAT, BODIES[CHAT])
    completed(recording.before_send())
    completed(recording.end("CancelledError"))
    (run,) = reel.runs()
    assert (run.recording, run.finished_at, run.error) == ("interrupted", None, None)


def test_times_count_from_the_request(reel):
    asked = time.time_ns() // 1_000 - 1_700_000
    recording = recording_of(reel, CHAT, BODIES[CHAT], at=asked)
    completed(recording.before_send())
    for event in ANSWERS[CHAT]:
        completed(recording.store_texts([json.dumps(event)], None))
    completed(recording.end("gone"))
    run = reel.run(recording.run_id)
    assert 1700 <= run.first_text_ms < 3000
    assert run.first_text_ms <= run.duration_ms


def test_masks_apply_to_the_bodies_of_failures(db_url):
    import runreel

    with runreel.open(db_url, mask=["secrets"]) as reel:
        body = {"error": {"message": "Incorrect API key provided: sk-12345678901234567890abcd"}}
        recording = fail(reel, CHAT, BODIES[CHAT], status=401, body=body)
        told = str(attempts(reel, recording.run_id)) + str(reel.run(recording.run_id).error)
        assert "Incorrect API key" in told
        assert "sk-1234" not in told


def test_attempts_of_one_call_share_a_recording(reel):
    waiting = Attempts()
    made = []

    def make():
        made.append(recording_of(reel, CHAT, BODIES[CHAT]))
        return made[-1]

    key = key_of("http://x", None, b"{}")
    first = waiting.recording(key, 0, make)
    waiting.failed(key, first)
    assert waiting.recording(key, 1, make) is first
    assert waiting.recording(key, 2, make) is not first
    waiting.failed(key, first)
    assert waiting.recording(key, 0, make) is not first
    assert key != key_of("http://x", None, b"[]")
    assert key_of("http://x", "k", b"{}") == key_of("http://x", "k", b"[]")


class Failed:
    """The recording of a call whose attempt has failed."""

    open = False


def test_failed_attempts_are_remembered_up_to_a_size():
    """A program that runs for long, whose calls fail, keeps no request of every one of them."""
    waiting, failed = Attempts(), [Failed() for _ in range(10)]
    for number, one in enumerate(failed):
        waiting.failed(str(number), one, MAX_WAITING_BYTES // 3)
    found = [waiting.recording(str(number), 1, lambda: None) for number in range(10)]
    assert found == [*[None] * 7, *failed[7:]]
    # The newest is kept whatever its size, and those that were taken do not count.
    waiting.failed("large", failed[0], 2 * MAX_WAITING_BYTES)
    assert waiting.recording("large", 1, lambda: None) is failed[0]
    for number, one in enumerate(failed[:3]):
        waiting.failed(str(number), one, MAX_WAITING_BYTES // 3)
    assert waiting.recording("0", 1, lambda: None) is failed[0]
