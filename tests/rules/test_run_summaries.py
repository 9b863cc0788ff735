from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runreel.codec.source_protocol import Interpretation, RunMetadata
from runreel.codec.token_counts import NOT_UNDERSTOOD, tally
from runreel.model.events import CONTEXT, RUN, STREAM_EVENT, TOOL_RESULTS
from runreel.model.results import RunResult, RunStreamEvent, Usage, UsageDetails
from runreel.model.runs import RunSummary
from runreel.model.status import RunStatus, StreamEvent
from runreel.model.timestamps import rfc3339
from runreel.projection.run_reducer import apply, apply_note
from runreel.projection.run_state import RunState, summary
from tests.rules.steps import (
    CALLS,
    NOON,
    after,
    got,
    moment,
    noted,
    of,
    opened,
    other,
    seconds,
    streamed,
)
from tests.strategies import MANY, SOME, messages, partial_messages, texts, tool_calls, usages

# -- What is known of the run ----------------------------------------------------------------------


def test_a_run_is_what_its_note_its_snapshots_and_its_context_say():
    told = of(
        opened(source="plain", assistant_id="a0", labels={"team": "blue", "env": "dev"}),
        got(
            "PENDING", metadata=RunMetadata(thread_id="t", created_by="me", labels={"env": "prod"})
        ),
        other(CONTEXT, metadata=RunMetadata(assistant_id="a", model="gpt://b1g/lite")),
        other(CONTEXT, metadata=RunMetadata()),
    )
    assert (told.source, told.assistant_id, told.thread_id) == ("plain", "a", "t")
    assert (told.created_by, told.model) == ("me", "gpt://b1g/lite")
    assert list(told.labels.items()) == [("env", "prod"), ("team", "blue")]


@pytest.mark.parametrize(
    ("notes", "recording"),
    [
        ([], "open"),
        (["closed"], "closed"),
        (["interrupted"], "interrupted"),
        (["interrupted", "resumed"], "open"),
        (["closed", "resumed", "closed"], "closed"),
        (["conflict", "gap", "lost", "redacted", "of-the-future"], "open"),
        (["closed", "redacted"], "closed"),
    ],
)
def test_the_recording_is_what_its_notes_say_and_not_the_status(notes, recording):
    state = after(opened(), streamed("DONE", text="Hello"))
    for type_ in notes:
        assert noted(type_)(state) is True
    assert summary("run-1", state).recording == recording
    assert state.status is RunStatus.COMPLETED


def test_the_summary_of_a_recorded_run_is_this():
    told = of(
        opened(0, source="plain", model="m", requested_at=rfc3339(seconds(-0.5))),
        got("PENDING", 0.25, metadata=RunMetadata(created_at=moment(-1))),
        streamed("PARTIAL_MESSAGE", 1.5, text="He"),
        streamed("PARTIAL_MESSAGE", 2, text="Hello"),
        streamed("DONE", 3, text="Hello", time=moment(99)),
        got("COMPLETED", 4, text="Hello", usage=Usage(3, 7, 4)),
        noted("closed", 5),
    )
    assert told == RunSummary(
        run_id="run-1",
        source="plain",
        status=RunStatus.COMPLETED,
        recording="closed",
        assistant_id=None,
        thread_id=None,
        model="m",
        labels={},
        created_by=None,
        created_at=seconds(-1),
        started_at=seconds(0),
        finished_at=seconds(3),
        first_text_ms=2000.0,
        duration_ms=3500.0,
        error=None,
        tool_calls=None,
        usage=Usage(3, 7, 4),
        events=3,
        last_seq=6,
        requested_at=seconds(-0.5),
        first_text_at=seconds(1.5),
    )


def test_an_imported_run_has_the_times_of_its_source():
    told = of(
        opened(1000, via="import"),
        got("PENDING", 1000, metadata=RunMetadata(created_at=moment(1))),
        streamed("PARTIAL_MESSAGE", 1000, text="He"),
        streamed("DONE", 1000, text="Hello", time=moment(4)),
        got("COMPLETED", 1000, text="Hello", time=moment(5)),
    )
    assert (told.created_at, told.started_at, told.finished_at) == (
        seconds(1),
        seconds(1),
        seconds(4),
    )
    # When the first text came the import does not say.
    assert (told.first_text_ms, told.duration_ms) == (None, 3000.0)


def test_an_imported_run_begins_with_the_first_time_told_which_is_not_its_creation():
    told = of(
        opened(1000, via="import"),
        streamed("PARTIAL_MESSAGE", 1000, text="He", time=moment(2)),
        streamed("DONE", 1000, text="Hello", time=moment(4)),
    )
    assert (told.created_at, told.started_at, told.duration_ms) == (None, seconds(2), 2000.0)


def test_an_imported_run_of_which_no_time_is_told_begins_when_it_was_imported_and_has_no_end():
    told = of(opened(1000, via="import"), streamed("DONE", 1001, text="Hello"))
    assert (told.started_at, told.finished_at, told.duration_ms) == (seconds(1000), None, None)


def test_an_import_into_a_recorded_run_does_not_move_its_beginning():
    told = of(
        opened(0),
        streamed("PARTIAL_MESSAGE", 1, text="He"),
        noted("interrupted", 1),
        noted("resumed", 1000, via="import"),
        streamed("DONE", 1000, text="Hello", time=moment(3)),
    )
    assert (told.started_at, told.first_text_at) == (seconds(0), seconds(1))
    assert (told.first_text_ms, told.duration_ms) == (None, 3000.0)


def test_a_copy_moves_on_by_itself():
    state = after(opened(labels={"a": "1"}))
    twin = state.copy()
    other(CONTEXT, metadata=RunMetadata(model="m", labels={"b": "2"}))(twin)
    noted("resumed", labels={"c": "3"})(twin)
    assert (state.metadata.model, state.metadata.labels, state.last_seq) == (None, {"a": "1"}, 0)
    assert (twin.metadata.model, twin.last_seq) == ("m", 2)
    assert twin.metadata.labels == {"a": "1", "b": "2", "c": "3"}


# -- What a list shows -----------------------------------------------------------------------------

_outcome: dict[str, Any] = {
    "error": st.none() | texts,
    "tool_calls": st.none() | tool_calls,
    "_message": st.none() | partial_messages | messages,
}
_times = st.none() | st.integers(NOON, NOON + 5)
_names = st.sampled_from([None, None, "a", "b"])
readings = st.builds(
    Interpretation,
    event=st.none() | st.builds(RunStreamEvent, status=st.sampled_from(StreamEvent), **_outcome),
    result=st.none()
    | st.builds(RunResult, status=st.sampled_from(RunStatus), usage=st.none() | usages, **_outcome),
    usage=st.none() | usages.map(tally),
    total=st.sampled_from([None, None, NOT_UNDERSTOOD]) | usages.map(tally),
    details=st.none() | st.builds(UsageDetails, st.none() | st.just(1), st.none() | st.just(2)),
    starts_response=st.booleans(),
    error_code=st.none() | st.integers(0, 2) | texts,
    metadata=st.none()
    | st.builds(
        RunMetadata,
        assistant_id=_names,
        thread_id=_names,
        created_by=_names,
        model=_names,
        created_at=_times,
        response_id=_names,
        labels=st.none() | st.dictionaries(st.sampled_from("ab"), st.sampled_from("12")),
    ),
    time=_times,
)
rows = st.tuples(
    st.sampled_from([STREAM_EVENT, STREAM_EVENT, RUN, CONTEXT, TOOL_RESULTS]),
    st.integers(NOON, NOON + 5),
    readings,
)
notes = st.tuples(
    st.sampled_from(["opened", "resumed", "closed", "interrupted", "conflict"]),
    st.integers(NOON, NOON + 5),
    st.fixed_dictionaries({}, optional={"via": st.just("import"), "labels": st.just({"a": "1"})}),
)


@MANY
@given(st.lists(rows | notes, max_size=8))
def test_only_counts_move_where_nothing_is_said_to_have_changed(told):
    state = RunState()
    for kind, at, what in told:
        before = summary("run-1", state)
        if isinstance(what, Interpretation):
            changed = apply(state, kind, at, what)
        else:
            changed = apply_note(state, kind, at, what)
        now = summary("run-1", state)
        assert now.last_seq == before.last_seq + 1
        if not changed:
            assert counted_out(now) == counted_out(before)


@MANY
@given(st.lists(rows, max_size=6), st.sampled_from(["time", "same status", "any"]), st.data())
def test_what_is_absent_changes_nothing(told, how, data):
    state = RunState()
    for kind, at, reading in told:
        apply(state, kind, at, reading)
    before, summed = state.copy(), counted_out(summary("run-1", state))
    event = RunStreamEvent(data.draw(st.sampled_from(StreamEvent)))
    result = RunResult(
        state.status if how == "same status" else data.draw(st.sampled_from(RunStatus))
    )
    empty = Interpretation(memory=state.adapter_memory)
    if how == "time":
        apply(state, data.draw(st.sampled_from([RUN, STREAM_EVENT, CONTEXT])), NOON + 9, empty)
        assert counted_out(summary("run-1", state)) == summed
    elif how == "same status":
        finished = state.finished_at
        apply(state, RUN, NOON + 9, msgspec.structs.replace(empty, result=result))
        if finished is not None:
            assert counted_out(summary("run-1", state)) == summed
        assert (state.error, state.error_code) == (before.error, before.error_code)
        assert state.tool_calls == before.tool_calls
    else:
        said = {"event": event} if data.draw(st.booleans()) else {"result": result}
        apply(state, RUN, NOON + 9, msgspec.structs.replace(empty, **said))
    for name in ("message", "usage", "details", "metadata"):
        assert getattr(state, name) == getattr(before, name), name


def counted_out(told: RunSummary) -> list[Any]:
    return [getattr(told, name) for name in told._fields if name not in ("events", "last_seq")]


@SOME
@given(st.lists(rows, max_size=8))
def test_the_events_of_the_stream_are_counted_and_no_other_rows(told):
    state = RunState()
    for kind, at, reading in told:
        apply(state, kind, at, reading)
    assert state.events == sum(kind == STREAM_EVENT for kind, _, _ in told)
    assert state.last_seq == len(told) - 1


def test_a_longer_partial_message_is_no_change_to_a_list():
    state = after(opened(), streamed("PARTIAL_MESSAGE", 1, text="He"))
    assert streamed("PARTIAL_MESSAGE", 2, text="Hello")(state) is False
    assert state.result.text == "Hello"


@pytest.mark.parametrize(
    "step",
    [
        streamed("PARTIAL_MESSAGE", 2, text="Hello", error="odd"),
        streamed("PARTIAL_MESSAGE", 2, text="Hello", tool_calls=CALLS),
        streamed("PARTIAL_MESSAGE", 2, text="Hello", usage=Usage(1, 2, 1)),
        streamed("DONE", 2, text="Hello"),
        got("IN_PROGRESS", 2),
        other(CONTEXT, metadata=RunMetadata(model="m")),
    ],
)
def test_what_a_list_shows_is_a_change(step):
    state = after(opened(), streamed("PARTIAL_MESSAGE", 1, text="He"))
    assert step(state) is True
