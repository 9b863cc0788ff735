"""A recorded stream of responses is the client's own, and the log has what was on the wire."""

from __future__ import annotations

import json

import pytest

from runreel.model.errors import UsageError
from runreel.model.events import CONTEXT
from runreel.model.messages import FileChunk, UnknownSource
from runreel.model.results import Usage, UsageDetails
from runreel.model.status import MessageStatus, RunStatus, StreamEvent
from tests.live import openai_script as script
from tests.live.sse_server import Answer
from tests.live.told import kept
from tests.strategies import exact

ASKED = {"model": script.MODEL, "input": "Hello?"}
ITEMS = [script.output_of(["Hello, ", "world"], ["Second ", "part"])]

# An event of every kind that a reader maps, and of others that it does not.
OTHERS = [
    {"type": "response.queued", "response": script.response(status="queued")},
    {"type": "response.reasoning_text.delta", "item_id": "rs_1", "delta": "Hm", "output_index": 0},
    {"type": "response.web_search_call.searching", "item_id": "ws_1", "output_index": 0},
    {"type": "response.brand.new", "delta": 5, "response": "none", "nested": {"a": [1, 1.0]}},
    {"type": "keepalive", "sequence_number": 77},
    {"type": "response.output_text.delta", "delta": None, "output_index": "?"},
    {"type": "response.output_text.delta", "delta": ""},
    {"no": "type", "at": ["all", None, True, 2**70, 1e300]},
]


def texts(reel, run_id="resp_1", name="PARTIAL_MESSAGE"):
    return [row.event.parts for row in reel.events(run_id, type=name)]


def test_events_are_the_clients_own_and_the_log_has_the_wires(server, client, record, reel):
    told = script.events(ITEMS)
    server.stream(told)
    server.stream(told)
    bare = list(client.responses.create(**ASKED, stream=True))
    seen = list(record(client.responses.create(**ASKED, stream=True)))
    assert seen == bare
    assert [type(event) for event in seen] == [type(event) for event in bare]
    assert exact(kept(reel)) == exact(told)
    assert reel.run("resp_1").recording == "closed"


def test_an_event_is_in_the_log_before_the_program_has_it(server, client, record, reel):
    server.stream(script.events(ITEMS))
    for number, _ in enumerate(record(client.responses.create(**ASKED, stream=True)), 1):
        assert len(kept(reel)) == number


def test_text_is_cumulative_and_part_by_part(server, client, record, reel):
    server.stream(script.events([*ITEMS, script.message("m2", [script.refusal_part("No.")])]))
    list(record(client.responses.create(**ASKED, stream=True)))
    assert texts(reel) == [
        ("Hell",),
        ("Hello, w",),
        ("Hello, world",),
        ("Hello, world", "Seco"),
        ("Hello, world", "Second p"),
        ("Hello, world", "Second part"),
        ("Hello, world", "Second part", "No."),
    ]
    result = reel.result("resp_1")
    assert result.status is RunStatus.COMPLETED
    assert result.parts == ("Hello, world", "Second part", "No.")
    assert result.message.status is MessageStatus.COMPLETED
    assert result.usage == Usage(100, 114, 14)


def test_parts_that_are_told_in_turns_are_kept_apart(server, client, record, reel):
    places = [(1, 0, "b1"), (0, 0, "a1"), (1, 0, "b2"), (0, 1, "c"), (0, 0, "a2")]
    deltas = [
        {
            "type": "response.output_text.delta",
            "item_id": f"m{output}",
            "output_index": output,
            "content_index": content,
            "delta": text,
        }
        for output, content, text in places
    ]
    told = script.events([], chunk=4)
    told[2:2] = deltas
    server.stream(told)
    list(record(client.responses.create(**ASKED, stream=True)))
    assert texts(reel)[-1] == ("a1a2", "c", "b1b2")
    assert exact(kept(reel)) == exact(told)


def test_what_a_run_is_comes_from_its_response(server, client, record, reel):
    about = {
        "metadata": {"team": "search"},
        "conversation": {"id": "conv_1"},
        "prompt": {"id": "agent_1"},
        "user": "ann",
    }
    server.stream(script.events(ITEMS, **about))
    list(record(client.responses.create(**ASKED, stream=True), labels={"env": "test"}))
    run = reel.run("resp_1")
    assert run.source == "openai-responses"
    assert run.model == script.MODEL
    assert run.labels == {"team": "search", "env": "test"}
    assert (run.thread_id, run.assistant_id, run.created_by) == ("conv_1", "agent_1", "ann")
    assert run.created_at.timestamp() == script.CREATED_AT
    assert run.usage == Usage(100, 114, 14)
    assert run.usage_details == UsageDetails(cached_tokens=8, reasoning_tokens=2)


def test_citations_are_told(server, client, record, reel):
    notes = [
        {"type": "url_citation", "title": "A page", "url": "https://example.org/a"},
        {"type": "file_citation", "file_id": "file_1", "filename": "a.txt", "index": 3},
        {"type": "new_citation"},
    ]
    server.stream(script.events([script.message("m", [script.text_part("See.", notes)])]))
    list(record(client.responses.create(**ASKED, stream=True)))
    page, file, new = (c.sources[0] for c in reel.result("resp_1").citations)
    assert page == UnknownSource("A page https://example.org/a")
    assert isinstance(file, FileChunk)
    assert (file.file.id, file.file.name) == ("file_1", "a.txt")
    assert new == UnknownSource("")


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        ("max_output_tokens", MessageStatus.TRUNCATED),
        ("content_filter", MessageStatus.FILTERED_CONTENT),
    ],
)
def test_an_incomplete_response_is_done_and_says_why(
    server, client, record, reel, *, reason, status
):
    details = {"incomplete_details": {"reason": reason}}
    server.stream(script.events(ITEMS, end="incomplete", **details))
    list(record(client.responses.create(**ASKED, stream=True)))
    result, run = reel.result("resp_1"), reel.run("resp_1")
    assert (result.status, result.message.status) == (RunStatus.COMPLETED, status)
    assert result.text == "Hello, worldSecond part"
    assert result.message.finish_reason == reason
    assert run.recording == "closed"


def test_a_failed_response_is_an_error(server, client, record, reel):
    error = {"code": "server_error", "message": "Out of luck"}
    server.stream(script.events(ITEMS, end="failed", error=error, usage=None))
    list(record(client.responses.create(**ASKED, stream=True)))
    run = reel.run("resp_1")
    assert (run.status, run.recording, run.usage) == (RunStatus.FAILED, "closed", None)
    assert (run.error.message, run.error.code) == ("Out of luck", "server_error")
    (last,) = reel.events("resp_1", type="ERROR")
    assert last.event.status is StreamEvent.ERROR


def test_an_error_event_is_an_error(server, client, record, reel):
    error = {"type": "error", "code": "rate_limit", "message": "Slow down", "param": None}
    told = [*script.events(ITEMS, end=None), error]
    server.stream(told)
    list(record(client.responses.create(**ASKED, stream=True)))
    run = reel.run("resp_1")
    assert (run.error.message, run.error.code, run.recording) == (
        "Slow down",
        "rate_limit",
        "closed",
    )
    assert exact(kept(reel)) == exact(told)


def test_what_nobody_knows_is_kept_and_harms_nothing(server, client, record, reel):
    told = script.events(ITEMS)
    told[2:2] = OTHERS[:4]
    told[9:9] = OTHERS[4:]
    server.stream(told)
    seen = list(record(client.responses.create(**ASKED, stream=True)))
    assert len(seen) == len(told)
    assert exact(kept(reel)) == exact(told)
    assert texts(reel)[-1] == ("Hello, world", "Second part")
    assert reel.run("resp_1").status is RunStatus.COMPLETED


def test_a_server_that_numbers_nothing_and_ends_with_done_is_recorded(server, client, record, reel):
    told = script.events(ITEMS, numbered=False)
    server.stream(told, done=True)
    list(record(client.responses.create(**ASKED, stream=True)))
    assert exact(kept(reel)) == exact(told)
    assert reel.run("resp_1").recording == "closed"


def test_text_that_was_never_told_in_pieces_is_the_results_all_the_same(
    server, client, record, reel
):
    server.stream([event for event in script.events(ITEMS) if "delta" not in event["type"]])
    list(record(client.responses.create(**ASKED, stream=True)))
    assert reel.result("resp_1").parts == ("Hello, world", "Second part")


def test_half_a_character_per_piece_makes_a_whole_one(server, client, record, reel):
    told = script.events([script.output_of(["AB"])], chunk=1)
    deltas = [event for event in told if "delta" in event]
    deltas[0]["delta"], deltas[1]["delta"] = "\ud83d", "\ude00!"
    server.stream(told)
    list(record(client.responses.create(**ASKED, stream=True)))
    assert texts(reel) == [("\ud83d",), ("😀!",)]
    assert exact(kept(reel)) == exact(told)


def test_the_request_is_the_runs_context_without_keys_and_headers(server, client, record, reel):
    server.stream(script.events(ITEMS))
    tool = {
        "type": "mcp",
        "server_url": "https://mcp.example.org",
        "headers": {"Authorization": "Bearer hunter2"},
        "authorization": "hunter2",
    }
    request = {
        **ASKED,
        "tools": [tool, {"type": "function", "name": "f", "parameters": {"headers": {}}}],
        "extra_headers": {"X-Key": "hunter2"},
        "temperature": openai_not_given(),
        "text_format": Answer,
        "timeout": 3,
    }
    list(record(client.responses.create(**ASKED, stream=True), request=request))
    opened, context, first = list(reel.events("resp_1"))[:3]
    assert (opened.kind, context.kind, first.raw["type"]) == ("note", CONTEXT, "response.created")
    assert context.raw == {
        **ASKED,
        "tools": [
            {"type": "mcp", "server_url": "https://mcp.example.org"},
            {"type": "function", "name": "f", "parameters": {"headers": {}}},
        ],
        "text_format": "Answer",
    }
    everything = json.dumps([row.raw for row in reel.events("resp_1")])
    assert "hunter2" not in everything
    assert "sk-secret" not in everything


def openai_not_given():
    import openai

    return openai.NOT_GIVEN


def test_a_stream_that_was_read_before_is_refused(server, client, record, reel):
    server.stream(script.events(ITEMS))
    stream = client.responses.create(**ASKED, stream=True)
    next(stream)
    with pytest.raises(UsageError, match="was read before it was recorded"):
        next(record(stream))
    stream.close()
    assert list(reel.runs()) == []


@pytest.mark.parametrize("long", ["r" * 500, "resp\n1"])
def test_an_id_that_no_run_can_have_gets_one_that_stands_for_it(server, client, record, reel, long):
    server.stream(script.events(ITEMS, id_=long))
    list(record(client.responses.create(**ASKED, stream=True)))
    (run,) = reel.runs()
    assert run.run_id.startswith("openai-responses-")
    assert (run.response_id is not None, run.recording) == (True, "closed")
    server.stream(script.events(ITEMS, id_="next", previous_response_id=long))
    list(record(client.responses.create(**ASKED, stream=True)))
    (gone_on,) = reel.runs()
    assert (gone_on.run_id, gone_on.response_id) == (run.run_id, "next")


def test_a_server_that_calls_all_its_responses_alike_loses_none(server, client, record, reel):
    for text in ("One", "One", "Two"):
        server.stream(script.events([script.output_of([text])]))
        list(record(client.responses.create(**ASKED, stream=True)))
    assert sorted(reel.result(run.run_id).text for run in reel.runs()) == ["One", "One", "Two"]
