"""Responses that go on from one another are one run; its usage is their sum."""

from __future__ import annotations

import copy

import pytest

from runreel.model.events import CONTEXT, STREAM_EVENT, TOOL_RESULTS
from runreel.model.results import Usage, UsageDetails
from runreel.model.status import RunStatus
from tests.live import openai_script as script
from tests.strategies import exact

FIRST = script.events([script.call("weather", {"city": "Paris", "day": 9007199254740993})])
SECOND = script.events(
    [script.output_of(["Let me ", "see"]), script.call("time", {}, 2), script.call("f", "[1", 3)],
    id_="resp_2",
    previous_response_id="resp_1",
    usage=script.usage(150, 20, 16, 3),
)
THIRD = script.events(
    [script.output_of(["Sunny ", "at noon"])],
    id_="resp_3",
    previous_response_id="resp_2",
    usage=script.usage(200, 30, 0, 5),
)


def output(call_id, told):
    return {"type": "function_call_output", "call_id": call_id, "output": told}


REQUESTS = [
    {"model": "m", "input": "Weather?"},
    {"model": "m", "previous_response_id": "resp_1", "input": [output("call_1", "sunny")]},
    {
        "model": "m",
        "previous_response_id": "resp_2",
        "input": [output("call_2", "noon"), output("call_3", "no")],
    },
]


def play(server, client, record, told, request, *, given=True):
    server.stream(told)
    stream = client.responses.create(**request, stream=True)
    return list(record(stream, request=request if given else None))


def test_two_rounds_of_tools_are_one_run(server, client, record, reel):
    play(server, client, record, FIRST, REQUESTS[0])
    run = reel.run("resp_1")
    assert run.status is RunStatus.TOOL_CALLS
    assert run.recording == "closed"
    (called,) = run.tool_calls
    assert (called.id, called.function.name) == ("call_1", "weather")
    assert called.function.arguments == {"city": "Paris", "day": 9007199254740993}
    assert type(called.function.arguments["day"]) is int

    play(server, client, record, SECOND, REQUESTS[1])
    first, second = reel.run("resp_1").tool_calls
    assert (first.id, first.function.arguments) == ("call_2", {})
    assert (second.id, second.function.arguments) == ("call_3", {"_unparsed": "[1"})
    assert reel.result("resp_1").text == "Let me see"

    play(server, client, record, THIRD, REQUESTS[2])
    (run,) = reel.runs()
    assert (run.run_id, run.response_id) == ("resp_1", "resp_3")
    assert (run.status, run.recording, run.tool_calls) == (RunStatus.COMPLETED, "closed", None)
    assert run.usage == Usage(450, 514, 64)
    assert run.usage_details == UsageDetails(24, 10)
    assert reel.result("resp_1").text == "Sunny at noon"


def test_the_rows_of_a_chain_are_in_order_and_exact(server, client, record, reel):
    for told, request in zip((FIRST, SECOND, THIRD), REQUESTS, strict=True):
        play(server, client, record, told, request)
    rows = list(reel.events("resp_1"))
    events = [row.raw for row in rows if row.kind == STREAM_EVENT]
    assert exact(events) == exact([*FIRST, *SECOND, *THIRD])
    assert [row.raw for row in rows if row.kind == CONTEXT] == REQUESTS
    results = [row.raw["tool_results"] for row in rows if row.kind == TOOL_RESULTS]
    assert results == [REQUESTS[1]["input"], REQUESTS[2]["input"]]
    kinds = [row.type or row.kind for row in rows if row.type or row.kind != STREAM_EVENT]
    assert [kind for kind in kinds if kind != "PARTIAL_MESSAGE"] == [
        *("opened", "context", "TOOL_CALLS", "closed"),
        *("resumed", "context", "tool_results", "TOOL_CALLS", "closed"),
        *("resumed", "context", "tool_results", "DONE", "closed"),
    ]


def test_outputs_are_tool_results_though_the_request_is_not_given(server, client, record, reel):
    for told, request in zip((FIRST, SECOND, THIRD), REQUESTS, strict=True):
        play(server, client, record, told, request, given=False)
    rows = list(reel.events("resp_1"))
    results = [row.raw["tool_results"] for row in rows if row.kind == TOOL_RESULTS]
    assert results == [REQUESTS[1]["input"], REQUESTS[2]["input"]]
    assert CONTEXT not in {row.kind for row in rows}


def test_each_response_tells_a_text_of_its_own(server, client, record, reel):
    for told, request in zip((FIRST, SECOND, THIRD), REQUESTS, strict=True):
        play(server, client, record, told, request)
    partial = [row.text for row in reel.events("resp_1", type="PARTIAL_MESSAGE")]
    assert partial[:3] == ["Let ", "Let me s", "Let me see"]
    assert partial[3:] == ["Sunn", "Sunny at", "Sunny at noo", "Sunny at noon"]


@pytest.mark.parametrize("echoed", [True, False])
def test_a_chain_is_known_by_the_response_or_by_what_was_asked(
    server, client, record, reel, echoed
):
    second = SECOND
    if not echoed:
        second = script.events([], id_="resp_2", usage=script.usage(1, 1))
    play(server, client, record, FIRST, REQUESTS[0], given=False)
    play(server, client, record, second, REQUESTS[1], given=False)
    assert [run.run_id for run in reel.runs()] == ["resp_1"]


def test_a_conversation_goes_on_after_an_answer(server, client, record, reel):
    play(server, client, record, script.events([script.output_of(["Hi"])]), REQUESTS[0])
    play(server, client, record, SECOND[:5], REQUESTS[1])
    run = reel.run("resp_1")
    assert (run.status, run.recording, run.finished_at) == (
        RunStatus.IN_PROGRESS,
        "interrupted",
        None,
    )


def test_what_follows_a_failed_response_is_no_failure(server, client, record, reel):
    failed = script.events([], end="failed", error={"code": "x", "message": "no"}, usage=None)
    play(server, client, record, failed, REQUESTS[0])
    assert reel.run("resp_1").status is RunStatus.FAILED
    play(server, client, record, SECOND, REQUESTS[1])
    run = reel.run("resp_1")
    assert (run.status, run.error) == (RunStatus.TOOL_CALLS, None)


def test_a_fork_from_an_earlier_response_is_a_run_of_its_own(server, client, record, reel):
    play(server, client, record, FIRST, REQUESTS[0])
    play(server, client, record, SECOND, REQUESTS[1])
    fork = script.events([script.output_of(["Other"])], id_="resp_9", previous_response_id="resp_1")
    play(server, client, record, fork, REQUESTS[1])
    assert sorted(run.run_id for run in reel.runs()) == ["resp_1", "resp_9"]
    assert reel.result("resp_9").text == "Other"
    assert reel.run("resp_1").response_id == "resp_2"


def test_a_response_after_one_that_nobody_recorded_begins_a_run(server, client, record, reel):
    play(server, client, record, THIRD, REQUESTS[2])
    assert [run.run_id for run in reel.runs()] == ["resp_3"]


def test_rounds_that_tell_the_very_same_lose_none_of_it(server, client, record, reel):
    twin = copy.deepcopy(FIRST)
    for event in twin:
        if "response" in event:
            event["response"]["id"] = "resp_2"
    play(server, client, record, FIRST, REQUESTS[0])
    play(server, client, record, twin, REQUESTS[1])
    rows = [row.raw for row in reel.events("resp_1") if row.kind == STREAM_EVENT]
    assert exact(rows) == exact([*FIRST, *twin])


def test_a_stream_that_is_asked_for_again_adds_what_is_new(server, client, record, reel):
    server.stream(THIRD[:6])
    list(record(client.responses.create(**REQUESTS[0], stream=True)))
    server.stream(THIRD[4:])
    again = client.responses.retrieve("resp_3", stream=True, starting_after=3)
    assert len(list(record(again))) == len(THIRD) - 4
    rows = [row.raw for row in reel.events("resp_3") if row.kind == STREAM_EVENT]
    assert exact(rows) == exact(THIRD)
    run = reel.run("resp_3")
    assert (run.recording, run.status) == ("closed", RunStatus.COMPLETED)
    assert run.usage == Usage(200, 230, 30)
    assert reel.result("resp_3").text == "Sunny at noon"
