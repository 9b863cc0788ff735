"""The result in a row of ``runs``: of ended recordings, the log has that of open ones."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import runreel
from runreel.model.events import CLOSED, OPEN
from runreel.model.messages import PartialMessage
from runreel.model.results import RunResult, Usage
from runreel.model.status import RunStatus
from runreel.projection import run_state
from runreel.projection.result_codec import NO_RESULT, decode_result, encode_result
from runreel.projection.run_mapper import as_dict, differing_columns, to_row
from runreel.projection.run_projection import RunProjection
from runreel.projection.run_state import RunState
from runreel.recording.recorder import Recorder
from tests import traffic

SOURCE = "yandex-assistants"
TEXT = "Hello, world"
RESULT = RunResult(RunStatus.COMPLETED, _message=PartialMessage((TEXT,)), usage=Usage(1, 3, 2))


def projected(recording: str = OPEN, text: str = TEXT) -> RunProjection:
    state = RunState(last_seq=0, recording=recording)
    return RunProjection(run_state.summary("run", state), RESULT, text)


def test_the_result_of_an_open_recording_is_not_stored():
    assert as_dict(to_row(projected()))["result"] == NO_RESULT


def test_the_result_of_an_ended_recording_is_stored_without_its_text():
    ended = projected(CLOSED)
    stored = as_dict(to_row(ended))["result"]
    assert stored == encode_result(ended)
    assert decode_result("run", stored, TEXT) == RESULT
    assert TEXT not in str(decode_result("run", stored, "another text")._message)


@pytest.mark.parametrize("recording", [OPEN, CLOSED])
def test_a_stored_result_is_right_or_is_found_wrong(recording):
    expected = projected(recording)
    stored = as_dict(to_row(expected))
    # As earlier versions stored it.
    early = stored | {"result": encode_result(expected)}
    wrong = early | {"result": encode_result(replace(expected, text="Hello"))}
    none = stored | {"result": NO_RESULT}
    assert not found_wrong(stored, expected)
    assert not found_wrong(early, expected)
    assert found_wrong(wrong, expected) == ["result"]
    assert bool(found_wrong(none, expected)) is (recording == CLOSED)


def found_wrong(stored: dict[str, object], expected: RunProjection) -> list[str]:
    return [name for name, *_ in differing_columns(tuple(stored.values()), expected)]


def recorder(reel, run_id):
    return Recorder(reel.db, run_id, source=SOURCE, via="test")


def test_open_and_ended_runs_show_their_results(reel):
    run = traffic.Run("run-1")
    recording = recorder(reel, run.id)
    for line, text in ((run.partial("Hello"), "Hello"), (run.done("Hello, world"), "Hello, world")):
        recording.offer(line["type"], line["data"])
        assert reel.result(run.id).message.text == text
    line = run.completed("Hello, world")
    recording.offer(line["type"], line["data"])
    result = reel.result(run.id)
    assert result.usage is not None
    assert reel.rebuild(check=True) == []
    recording.close()
    assert reel.result(run.id) == result
    assert reel.rebuild(check=True) == []


RUN = traffic.Run("run-1", labels={"team": "search"})
LINES = [RUN.pending(), RUN.partial("Hello"), RUN.done("Hello, world"), RUN.completed("Hello, all")]
STEPS = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from([*range(len(LINES)), "close", "all", "rebuild"])),
    max_size=12,
)


@settings(max_examples=15)
@given(steps=STEPS)
def test_recorders_that_take_turns_store_the_same_row_as_a_rebuild(shared_url, steps):
    with runreel.open(shared_url) as reel:
        run_id = uuid.uuid4().hex
        recorders = [recorder(reel, run_id), recorder(reel, run_id)]
        recorders[0].offer(LINES[0]["type"], LINES[0]["data"])
        for which, step in steps:
            if step == "close":
                recorders[which].close()
            elif step == "rebuild":
                reel.rebuild([run_id])
            elif step == "all":
                recorders[which].offer_all([(line["type"], line["data"]) for line in LINES])
            else:
                recorders[which].append(LINES[step]["type"], LINES[step]["data"])
        assert reel.rebuild([run_id], check=True) == []


def test_a_run_is_recorded_behind_a_pooler_that_forgets_prepared_statements(reel):
    run = traffic.Run("run-1", labels={"team": "search"})
    recording = recorder(reel, run.id)
    for line in (run.pending(), run.partial("Hello"), run.done("Hello"), run.completed("Hello")):
        recording.offer(line["type"], line["data"])
        if reel.db.url.postgres:
            with reel.db.writing() as connection:
                connection.raw.execute("DEALLOCATE ALL")
    recording.close()
    assert reel.run(run.id).recording == CLOSED
    assert len(list(reel.events(run.id))) == 6
    assert reel.rebuild(check=True) == []
