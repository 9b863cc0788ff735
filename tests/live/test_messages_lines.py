"""Streams of the Messages API in files: what they are is what the client's accumulator makes."""

from __future__ import annotations

import json

import anthropic
import pytest

from runreel.importing.record_lines import record_lines
from runreel.model.events import STREAM_EVENT
from tests.live import messages_script as script
from tests.live.messages_client import of_client, of_log
from tests.live.sse_server import sse
from tests.logs import verify
from tests.strategies import exact

NAMED = pytest.mark.parametrize("name", script.STREAMS)


@pytest.fixture(scope="module")
def finals():
    """The client's own message of each stream, by its name."""
    from tests.live.sse_server import serving

    with (
        serving() as server,
        anthropic.Anthropic(
            base_url=server.url.removesuffix("/v1"), api_key="k", max_retries=0
        ) as client,
    ):
        found = {}
        for name, events in script.STREAMS.items():
            server.stream(events)
            with client.messages.stream(**script.ASKED) as stream:
                found[name] = stream.get_final_message()
        return found


def json_lines(events, **more):
    return [json.dumps({**event, **more}).encode() + b"\n" for event in events]


def sse_lines(events):
    return "".join(map(sse, events)).encode().splitlines(keepends=True)


def kept(reel, run_id="run-1"):
    return [row.raw for row in reel.events(run_id) if row.kind == STREAM_EVENT]


@NAMED
@pytest.mark.parametrize("lines", [json_lines, sse_lines])
def test_a_recorded_stream_is_the_clients_message(reel, finals, name, lines):
    events = script.STREAMS[name]
    report = record_lines(reel.db, lines(events), run_id="run-1")
    assert (report.problems, report.cut, report.source) == ([], False, "anthropic-messages")
    assert exact(kept(reel)) == exact(events)
    assert of_log(reel, "run-1") == of_client(finals[name])
    assert reel.run("run-1").recording == "closed"


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
