"""The state of a run at a time: on the clock that the run itself has."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

import runreel
from runreel.importing.import_files import import_files
from runreel.model.errors import RunNotFound
from runreel.model.messages import PartialMessage
from runreel.model.results import RunResult, RunStreamEvent
from runreel.model.status import RunStatus, StreamEvent
from runreel.projection.event_times import wall_times
from tests import logs, traffic
from tests.strategies import SOME

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runreel.api.reel import Reel

MOMENT = timedelta(microseconds=1)


@pytest.fixture(scope="module")
def imported(shared_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reel]:
    """A log of imported runs whose sources say when they were."""
    folder: Path = tmp_path_factory.mktemp("clock")
    lines = [
        line for name, make in traffic.SHAPES.items() for line in make(f"run-{name}", created=5.0)
    ]
    with runreel.open(shared_url) as opened:
        import_files(opened.db, [traffic.write(folder / "f.jsonl", lines)])
        yield opened


@pytest.mark.parametrize("name", traffic.SHAPES)
def test_an_imported_run_is_asked_for_at_the_times_that_it_shows(imported, name):
    run_id = f"run-{name}"
    run, result = imported.state(run_id)
    assert imported.state(run_id, datetime.now(UTC)) == (run, result)
    with pytest.raises(RunNotFound, match="had no events then"):
        imported.state(run_id, run.started_at - MOMENT)
    first = imported.run(run_id).started_at
    assert imported.state(run_id, first)[0].last_seq >= 0
    if run.finished_at is not None:
        assert imported.state(run_id, run.finished_at)[0].status is run.status
        assert imported.result(run_id, run.finished_at) == result
    if run.finished_at is not None and run.finished_at > first:
        before = imported.state(run_id, run.finished_at - MOMENT)[0]
        assert before.last_seq < run.last_seq
        assert before.finished_at is None


def test_between_its_times_an_imported_run_grows_evenly(imported):
    run = imported.run("run-streamed")
    middle = run.started_at + (run.finished_at - run.started_at) / 2
    there = imported.state("run-streamed", middle)[0]
    assert 0 < there.last_seq < run.last_seq
    assert there.status is RunStatus.IN_PROGRESS


def test_a_run_that_says_no_times_is_asked_for_at_those_of_its_import(db_url, tmp_path):
    lines = [line for line in traffic.streamed("run") if line["type"] == "stream_event"]
    with runreel.open(db_url) as reel:
        import_files(reel.db, [traffic.write(tmp_path / "f.jsonl", lines)])
        run = reel.run("run")
        assert reel.state("run", run.started_at)[0].last_seq >= 0
        assert reel.state("run", datetime.now(UTC))[0] == run
        with pytest.raises(RunNotFound):
            reel.state("run", run.started_at - timedelta(days=1))


def test_a_run_that_was_imported_and_then_recorded_has_both_times(db_url, tmp_path):
    with runreel.open(db_url) as reel:
        line = {"type": "PARTIAL_MESSAGE", "text": "a", "run_id": "run"}
        first = {**line, "at": "2026-01-01T10:00:00Z"}
        import_files(reel.db, [traffic.write(tmp_path / "f.jsonl", [first])])
        imported_at = reel.run("run").started_at
        later = datetime(2026, 1, 1, 11, tzinfo=UTC)
        with logs.recording_at(reel, "run", later) as recording:
            recording.append(
                RunStreamEvent(StreamEvent.PARTIAL_MESSAGE, _message=PartialMessage(("ab",)))
            )
            recording.result(RunResult(RunStatus.COMPLETED, _message=PartialMessage(("ab",))))
        assert imported_at == datetime(2026, 1, 1, 10, tzinfo=UTC)
        assert reel.result("run", later - MOMENT).text == "a"
        assert reel.result("run", later).text == "ab"


@SOME
@given(
    known=st.dictionaries(st.integers(0, 9), st.integers(0, 1_000)),
    received=st.lists(st.integers(2_000, 3_000), min_size=10, max_size=10),
)
def test_times_never_fall_and_none_is_outside_of_those_known(known, received):
    times = wall_times(received, known)
    assert len(times) == len(received)
    assert times == sorted(times)
    bounds = [*known.values()] or received
    assert min(bounds) <= times[0]
    assert times[-1] <= max(bounds)
    rising = sorted(known) if sorted(known.values()) == [known[n] for n in sorted(known)] else []
    assert all(times[n] == known[n] for n in rising)
