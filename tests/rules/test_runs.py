from __future__ import annotations

import pytest

from runreel.model.events import TOOL_RESULTS
from runreel.model.results import Usage, UsageDetails
from runreel.model.runs import RunError
from runreel.model.status import RunStatus
from tests.rules.steps import (
    CALLS,
    after,
    got,
    of,
    opened,
    other,
    streamed,
)

# -- Status ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "status"),
    [
        ("PARTIAL_MESSAGE", RunStatus.IN_PROGRESS),
        ("DONE", RunStatus.COMPLETED),
        ("ERROR", RunStatus.FAILED),
        ("TOOL_CALLS", RunStatus.TOOL_CALLS),
        ("UNKNOWN", RunStatus.PENDING),
        ("EVENT_TYPE_UNSPECIFIED", RunStatus.PENDING),
    ],
)
def test_the_stream_tells_the_status_until_get_does(event, status):
    assert of(opened(), got("PENDING"), streamed(event)).status is status


@pytest.mark.parametrize("status", [member.name for member in RunStatus])
def test_get_tells_the_status(status):
    assert of(opened(), streamed("PARTIAL_MESSAGE", text="He"), got(status)).status.name == status


def test_a_run_of_which_nothing_is_told_yet_is_unspecified():
    told = of(opened())
    assert (told.status, told.status_name) == (RunStatus.RUN_STATUS_UNSPECIFIED, "unknown")


@pytest.mark.parametrize("settled", ["COMPLETED", "FAILED"])
def test_what_the_stream_tells_once_get_has_settled_a_run_does_not_turn_it_back(settled):
    before = after(opened(), got(settled, text="Hello", usage=Usage(1, 3, 2), error_code=7))
    later = [
        streamed("PARTIAL_MESSAGE", text="He"),
        streamed("TOOL_CALLS", tool_calls=CALLS),
        streamed("ERROR", error="late"),
        streamed("DONE", text="Hello!"),
    ]
    state = before.copy()
    assert [step(state) for step in later][1:] == [False, False, False]
    assert state.result == before.result
    assert state.error_code == 7
    assert (state.events, state.last_seq) == (4, 5)


@pytest.mark.parametrize(
    "late", ["PENDING", "IN_PROGRESS", "TOOL_CALLS", "UNKNOWN", "RUN_STATUS_UNSPECIFIED"]
)
@pytest.mark.parametrize("ended", ["DONE", "ERROR"])
def test_a_get_that_lags_behind_does_not_take_back_the_end_of_the_stream(ended, late):
    ending = streamed(ended, 3, text="Hello", error="no")
    before = of(opened(), ending)
    told = of(opened(), ending, got(late, 4, usage=Usage(1, 3, 2)))
    assert (told.status, told.error, told.finished_at) == (
        before.status,
        before.error,
        before.finished_at,
    )
    assert told.usage == Usage(1, 3, 2)


def test_a_later_final_get_corrects_an_earlier_one():
    told = of(opened(), got("COMPLETED", text="Hello"), got("FAILED", error="moderated"))
    assert (told.status, told.error) == (RunStatus.FAILED, RunError("moderated", None))


def test_get_corrects_what_the_stream_ended_with():
    told = of(opened(), streamed("ERROR", error="cut"), got("COMPLETED", text="Hello"))
    assert (told.status, told.error) == (RunStatus.COMPLETED, None)


def test_a_stream_that_goes_on_after_its_end_is_in_progress_again():
    told = of(
        opened(), streamed("ERROR", 1, error="cut"), streamed("PARTIAL_MESSAGE", 2, text="He")
    )
    assert (told.status, told.error, told.finished_at) == (RunStatus.IN_PROGRESS, None, None)


def test_an_error_has_its_message_and_its_code():
    told = of(opened(), streamed("ERROR", error="no model", error_code=13))
    assert told.error == RunError("no model", 13)
    assert of(opened(), got("FAILED", error_code="E1")).error == RunError(None, "E1")
    assert of(opened(), got("FAILED", error="")).error == RunError("", None)
    assert of(opened(), got("FAILED")).error is None


# -- Message, tool calls, usage --------------------------------------------------------------------


def test_the_message_is_what_was_told_last():
    steps = [opened(), streamed("PARTIAL_MESSAGE", text="He"), streamed("DONE", text="Hello")]
    assert after(*steps[:2]).result.text == "He"
    assert after(*steps).result.text == "Hello"
    assert after(*steps, got("COMPLETED", text="Hello!")).result.text == "Hello!"


def test_a_get_in_progress_does_not_take_back_the_text_written_so_far():
    partial = streamed("PARTIAL_MESSAGE", text="He")
    assert after(opened(), partial, got("IN_PROGRESS")).result.text == "He"
    assert after(opened(), partial, got("TOOL_CALLS", tool_calls=CALLS)).result.text == "He"


def test_tool_calls_do_not_end_a_recording():
    told = of(opened(), streamed("TOOL_CALLS", 1, tool_calls=CALLS))
    assert told.status is RunStatus.TOOL_CALLS
    assert told.tool_calls == CALLS
    assert (told.recording, told.finished_at, told.duration_ms) == ("open", None, None)


def test_tool_results_set_a_waiting_run_going_again():
    waiting = streamed("TOOL_CALLS", tool_calls=CALLS)
    told = of(opened(), waiting, other(TOOL_RESULTS))
    assert (told.status, told.tool_calls) == (RunStatus.IN_PROGRESS, None)
    done = of(opened(), waiting, other(TOOL_RESULTS), streamed("DONE", text="Sunny"))
    assert (done.status, done.tool_calls) == (RunStatus.COMPLETED, None)


@pytest.mark.parametrize("status", ["PENDING", "COMPLETED", "FAILED"])
def test_tool_results_for_a_run_that_does_not_wait_change_nothing(status):
    state = after(opened(), got(status))
    assert other(TOOL_RESULTS)(state) is False
    assert state.status.name == status


def test_usage_is_what_was_reported_last_and_never_the_sum_of_reports():
    told = of(
        opened(),
        got("IN_PROGRESS", usage=Usage(83, 100, 17)),
        got("TOOL_CALLS", usage=Usage(100, 114, 14)),
        got("COMPLETED", usage=Usage(234, 287, 53)),
    )
    assert told.usage == Usage(234, 287, 53)


def test_usage_that_came_early_stays_when_later_reports_leave_it_out():
    told = of(opened(), got("IN_PROGRESS", usage=Usage(83, 100, 17)), got("FAILED", error="no"))
    assert told.usage == Usage(83, 100, 17)


def test_usage_that_was_never_reported_is_none_and_reported_zeros_are_zeros():
    assert of(opened(), got("COMPLETED", text="Hello")).usage is None
    assert of(opened(), got("COMPLETED", usage=Usage(0, 0, 0))).usage == Usage(0, 0, 0)


def test_details_of_usage_are_added_up_where_they_are_told():
    told = of(
        opened(),
        streamed("TOOL_CALLS", details=UsageDetails(10, None)),
        streamed("PARTIAL_MESSAGE", text="So"),
        streamed("DONE", details=UsageDetails(None, 7)),
        streamed("DONE", details=UsageDetails(5, 1)),
    )
    assert told.usage_details == UsageDetails(cached_tokens=15, reasoning_tokens=8)
    assert of(opened(), streamed("DONE")).usage_details is None


def test_a_run_that_goes_on_is_in_progress_with_nothing_said_yet_but_its_usage_spent():
    ended = [opened(), got("FAILED", 1, error="cut", error_code=7, usage=Usage(1, 3, 2))]
    going = streamed("UNKNOWN", 5, starts_response=True)
    told = of(*ended, going)
    assert (told.status, told.error, told.finished_at) == (RunStatus.IN_PROGRESS, None, None)
    assert told.usage == Usage(1, 3, 2)
    done = after(*ended, going, streamed("DONE", 6, text="Hello", usage=Usage(1, 2, 1)))
    assert (done.result.text, done.usage) == ("Hello", Usage(2, 5, 3))


def test_usage_of_responses_is_added_up():
    told = of(
        opened(),
        streamed("TOOL_CALLS", usage=Usage(100, 114, 14)),
        streamed("DONE", usage=Usage(134, 173, 39)),
    )
    assert told.usage == Usage(234, 287, 53)
