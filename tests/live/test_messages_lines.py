"""Streams of the Messages API in files: what they are is what the client's accumulator makes."""

from __future__ import annotations

import json

import pytest

from runreel.importing.record_lines import record_lines
from runreel.model.events import STREAM_EVENT
from tests.live import gemini_script, openai_script
from tests.live import messages_script as script
from tests.live.messages_client import of_client, of_log
from tests.live.sse_server import sse
from tests.logs import verify
from tests.strategies import exact

SUMMED = ("input_text_tokens", "completion_tokens", "cached", "cache_write", "reasoning")


def json_lines(events, **more):
    return [json.dumps({**event, **more}).encode() + b"\n" for event in events]


def sse_lines(events):
    return "".join(map(sse, events)).encode().splitlines(keepends=True)


def kept(reel, run_id="run-1"):
    return [row.raw for row in reel.events(run_id) if row.kind == STREAM_EVENT]


@pytest.mark.parametrize("lines", [json_lines, sse_lines])
def test_recorded_lines_are_the_clients_messages(reel, finals, lines):
    for name, events in script.STREAMS.items():
        report = record_lines(reel.db, lines(events), run_id=name)
        assert (report.problems, report.cut, report.source) == ([], False, "anthropic-messages")
        assert exact(kept(reel, name)) == exact(events)
        assert of_log(reel, name) == of_client(finals[name])
        assert reel.run(name).recording == "closed"
    assert reel.rebuild(check=True) == []


def test_imported_streams_are_the_clients_messages(reel, finals, tmp_path):
    path = tmp_path / "streams.jsonl"
    path.write_bytes(
        b"".join(
            line
            for name, events in script.STREAMS.items()
            for line in json_lines(events, run_id=name)
        )
    )
    report = reel.import_file(path)
    assert report.problems == []
    for name in script.STREAMS:
        assert of_log(reel, name) == of_client(finals[name])
    again = reel.import_file(path)
    assert again.events_new == 0
    assert reel.rebuild(check=True) == []
    verify(reel)


def test_reasoning_is_found_and_shown(reel):
    for name in ("thinking twice", "redacted thinking"):
        record_lines(reel.db, json_lines(script.STREAMS[name]), run_id=name)
    (match,) = reel.search("second.", in_=("reasoning",))
    assert match.run_id == "thinking twice"
    assert [step.step for step in reel.story("thinking twice")] == ["reasoning", "text"] * 2
    assert reel.reasoning("redacted thinking") is None


def test_usage_of_several_sources_is_the_sum_by_hand(reel):
    told = {
        "cached input": script.STREAMS["cached input"],
        "counted again": script.STREAMS["cached input counted again"],
        "gemini": gemini_script.STREAMS["cached input"],
        "gemini thinking": gemini_script.STREAMS["thinking"],
        "chat": openai_script.chunks("Hello", used=openai_script.chat_usage(9, 12)),
        "responses": openai_script.events([openai_script.output_of(["Hello"])]),
    }
    for run_id, events in told.items():
        assert record_lines(reel.db, json_lines(events), run_id=run_id).problems == []
    found = {item.key[0]: item.totals for item in reel.usage(by="model").items}
    sums = {
        model: (totals.runs, *(getattr(totals, name) for name in SUMMED))
        for model, totals in found.items()
    }
    # The input of a message is what was new, written to the cache and read from it.
    assert sums[script.MODEL] == (2, (12 + 100 + 50) + (30 + 100 + 60), 30, 110, 200, None)
    assert sums[gemini_script.MODEL] == (2, 18, 12 + (12 + 7), 4, None, 7)
    assert sums[openai_script.MODEL][:3] == (2, 109, 26)
    assert reel.rebuild(check=True) == []
