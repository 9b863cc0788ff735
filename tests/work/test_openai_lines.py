"""Streams of OpenAI's interfaces, caught by other means, taken in line by line."""

from __future__ import annotations

import json

import pytest

from runreel.importing.record_lines import record_lines
from runreel.model.events import STREAM_EVENT
from runreel.model.results import Usage
from runreel.model.status import RunStatus
from tests.live import openai_script as script
from tests.live.sse_server import sse
from tests.strategies import exact

CALLING = script.events([script.call("f", {"n": 1})])
ANSWER = script.events(
    [script.output_of(["Hello, ", "world"])], id_="resp_2", previous_response_id="resp_1"
)
CHAIN = [*CALLING, *ANSWER]
CHAT = script.chunks("Hello, world", used=script.chat_usage(9, 12))


def json_lines(told):
    return [json.dumps(event).encode() + b"\n" for event in told]


def sse_lines(told):
    text = "".join(["retry: 100\n", ": ping\n", *map(sse, told), "data: [DONE]\n\n"])
    return text.encode().splitlines(keepends=True)


def kept(reel, run_id):
    return [row.raw for row in reel.events(run_id) if row.kind == STREAM_EVENT]


@pytest.mark.parametrize("lines", [json_lines, sse_lines])
@pytest.mark.parametrize(
    ("source", "told", "usage"),
    [
        ("openai-responses", CHAIN, Usage(200, 228, 28)),
        ("openai-chat", CHAT, Usage(9, 21, 12)),
    ],
)
def test_lines_of_a_stream_are_a_run(reel, lines, source, told, usage):
    report = record_lines(reel.db, lines(told), run_id="run-1")
    assert (report.problems, report.source, report.events_new) == ([], source, len(told))
    assert exact(kept(reel, "run-1")) == exact(told)
    run, result = reel.run("run-1"), reel.result("run-1")
    assert (run.status, run.recording, run.usage) == (RunStatus.COMPLETED, "closed", usage)
    assert (run.model, result.text) == (script.MODEL, "Hello, world")
    assert reel.rebuild(check=True) == []


@pytest.mark.parametrize("told", [CHAIN, CHAT])
def test_lines_that_come_again_add_nothing_and_the_rest_goes_in(reel, told):
    record_lines(reel.db, json_lines(told[:4]), run_id="run-1")
    again = record_lines(reel.db, json_lines(told), run_id="run-1")
    assert (again.events_known, again.events_new) == (4, len(told) - 4)
    before = reel.run("run-1")
    record_lines(reel.db, json_lines(told), run_id="run-1")
    assert reel.run("run-1") == before
    assert exact(kept(reel, "run-1")) == exact(told)


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (script.response(output=[script.output_of(["Hello"])]), RunStatus.COMPLETED),
        (script.completion("Hello"), RunStatus.COMPLETED),
        ({"type": "error", "message": "no", "sequence_number": 0}, RunStatus.FAILED),
        ({"error": {"message": "no"}}, RunStatus.FAILED),
    ],
)
def test_a_line_may_be_all_that_there_is(reel, line, status):
    assert record_lines(reel.db, json_lines([line]), run_id="run-1").problems == []
    assert reel.run("run-1").status is status


def test_an_error_ends_a_chat_whose_source_is_named(reel):
    told = [*CHAT[:3], {"error": {"message": "no"}}]
    record_lines(reel.db, json_lines(told), run_id="run-1", source="openai-chat")
    assert exact(kept(reel, "run-1")) == exact(told)
    assert reel.run("run-1").error.message == "no"


def test_events_of_another_kind_are_kept(reel):
    odd = {"type": "keepalive", "sequence_number": 3}
    report = record_lines(reel.db, json_lines([*CHAIN[:2], odd, *CHAIN[2:]]), run_id="run-1")
    assert report.problems == []
    assert reel.result("run-1").text == "Hello, world"
