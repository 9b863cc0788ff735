"""Projections against the log: every lie is named and mended, and no reader sees it half done."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

import runreel
from runreel.importing.import_files import import_files
from runreel.model.columns import RUNS
from runreel.model.errors import LogError, ProjectionOutdated, RunNotFound
from runreel.model.results import RunResult, RunStreamEvent, Usage
from runreel.model.runs import PLAIN_COLUMNS
from runreel.model.status import RunStatus, StreamEvent
from runreel.store.projections import run_table
from runreel.store.projections.usage_buckets import SUMS
from runreel.store.schema import migrations
from runreel.store.schema.tables import runs
from tests import logs, traffic

if TYPE_CHECKING:
    from runreel.api.reel import Reel

LABELS = {"team": "search", "stage": "test"}
SHAPES = list(traffic.SHAPES.values())
FALSE: dict[str, Any] = {"result": b"x\x9c\x03\0\0\0\0\x01", "labels": '{"team":"ads"}'}


@pytest.fixture(scope="module")
def shared(shared_url, tmp_path_factory):
    """A reel on a log with a labelled run of every shape, which the tests here share."""
    path = tmp_path_factory.mktemp("rebuild") / "f.jsonl"
    lines = [line for n, make in enumerate(SHAPES) for line in make(f"run-{n}", labels=LABELS)]
    with runreel.open(shared_url) as opened:
        import_files(opened.db, [traffic.write(path, lines)])
        yield opened


@pytest.fixture
def truth(shared):
    """What the projections hold before the test, and again behind it."""
    before = state_of(shared)
    assert shared.rebuild(check=True) == []
    yield before
    assert state_of(shared) == before
    assert shared.rebuild(check=True) == []


@pytest.fixture
def reel(shared, truth):
    """The shared reel, which a test leaves as it was."""
    return shared


@pytest.fixture
def own(db_url):
    """A reel on a log of the test's own."""
    with runreel.open(db_url) as opened:
        for n in range(60):
            with opened.recording(f"run-{n:02d}", model="right", labels=LABELS) as recording:
                recording.append(RunStreamEvent(StreamEvent.DONE))
        yield opened


def state_of(reel: Reel) -> tuple[Any, ...]:
    """Everything that the projections hold."""
    return (
        logs.execute(reel, f"SELECT {', '.join(RUNS)} FROM runs ORDER BY run_id"),
        logs.execute(reel, "SELECT key, value, started_at, run_id FROM run_labels ORDER BY 4, 1"),
        logs.execute(
            reel, f"SELECT span, start, {SUMS} FROM usage_by_time GROUP BY 1, 2 ORDER BY 1, 2"
        ),
        logs.execute(
            reel,
            f"SELECT dimension, span, start, value, named, {SUMS} FROM usage_by_value"
            " GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5",
        ),
    )


def named(reel: Reel, run_ids: list[str] | None = None) -> list[tuple[str, str]]:
    """Runs and columns that a check names; it changes nothing."""
    before = state_of(reel), logs.rows(reel)
    found = [(d.run_id, d.column) for d in reel.rebuild(run_ids, check=True)]
    assert (state_of(reel), logs.rows(reel)) == before
    return found


def falsify(value: Any, column: str) -> Any:
    if column in FALSE:
        return FALSE[column]
    return f"{value}!" if column in TEXTS else (value or 0) + 1


TEXTS = {column.name for column in runs.columns if str(column.type) == "TEXT"}


@pytest.mark.parametrize("column", [column for column in RUNS if column != "run_id"])
def test_a_falsified_column_is_named_with_both_values_and_mended(reel, truth, column):
    for run_id in (f"run-{n}" for n in range(len(SHAPES))):
        ((value,),) = logs.execute(reel, f"SELECT {column} FROM runs WHERE run_id = ?", (run_id,))
        wrong = falsify(value, column)
        logs.execute(reel, f"UPDATE runs SET {column} = ? WHERE run_id = ?", (wrong, run_id))

        assert named(reel, [run_id]) == [(run_id, column)]
        (difference,) = reel.rebuild([run_id], check=True)
        if column != "result":
            assert (difference.stored, difference.rebuilt) == (wrong, value)
        assert [(d.run_id, d.column) for d in reel.rebuild()] == [(run_id, column)]
        assert state_of(reel) == truth


# The Assistants service says nothing of these.
UNTOLD = {
    *("first_text_at", "cached_tokens", "reasoning_tokens", "response_id", "requested_at"),
    *("cache_write_tokens", "call_usage", "service_tier", "billed_model"),
    *PLAIN_COLUMNS,
}


@pytest.mark.parametrize("column", [c.name for c in runs.columns if c.nullable])
def test_a_column_that_was_emptied_is_named_and_mended(reel, truth, column):
    emptied = logs.execute(
        reel, f"SELECT run_id FROM runs WHERE {column} IS NOT NULL ORDER BY run_id"
    )
    assert emptied or column in UNTOLD, "the recordings tell it"
    logs.execute(reel, f"UPDATE runs SET {column} = NULL")

    assert named(reel) == [(run_id, column) for (run_id,) in emptied]
    reel.rebuild()
    assert state_of(reel) == truth


@pytest.mark.parametrize("back", [1, 2, 1_000])
def test_a_position_that_was_moved_back_or_on_is_named_and_mended(reel, truth, back):
    for step in (-back, back):
        logs.execute(reel, "UPDATE runs SET projected_seq = projected_seq + ?", (step,))
        assert named(reel) == [(f"run-{n}", "projected_seq") for n in range(len(SHAPES))]
        reel.rebuild()
        assert state_of(reel) == truth


def test_a_deleted_row_is_named_and_mended(reel, truth):
    logs.execute(reel, "DELETE FROM runs WHERE run_id IN ('run-0', 'run-3')")

    assert named(reel) == [("run-0", "*"), ("run-3", "*")]
    assert reel.run("run-0").status is RunStatus.COMPLETED, "the log knows"
    reel.rebuild()
    assert state_of(reel) == truth


def test_a_row_without_a_log_is_named_and_removed(reel, truth):
    columns = ", ".join(RUNS[1:])
    logs.execute(
        reel,
        f"INSERT INTO runs (run_id, {columns}) SELECT 'stray', {columns} FROM runs"
        " WHERE run_id = 'run-1'",
    )
    assert named(reel) == [("stray", "*")]
    reel.rebuild()
    assert state_of(reel) == truth


def test_a_row_under_another_name_is_two_differences(reel, truth):
    logs.execute(reel, "UPDATE runs SET run_id = 'nur-1' WHERE run_id = 'run-1'")

    assert named(reel) == [("run-1", "*"), ("nur-1", "*")]
    reel.rebuild()
    assert state_of(reel) == truth


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE run_labels SET started_at = started_at + 1 WHERE run_id = 'run-2'",
        "DELETE FROM run_labels WHERE run_id = 'run-2'",
        "DELETE FROM run_labels WHERE run_id = 'run-2' AND key = 'team'",
        "UPDATE run_labels SET value = 'ads' WHERE run_id = 'run-2' AND key = 'team'",
        "INSERT INTO run_labels VALUES ('more', 'x', 0, 'run-2')",
        "INSERT INTO run_labels VALUES ('team', 'a', 0, 'run-2')",
        "INSERT INTO run_labels VALUES ('team', 'z', 0, 'run-2')",
    ],
)
def test_wrong_labels_are_named_and_mended(reel, truth, sql):
    logs.execute(reel, sql)

    assert named(reel) == [("run-2", "labels")]
    reel.rebuild()
    assert state_of(reel) == truth


def test_labels_of_a_run_that_is_not_there_are_named_and_removed(reel, truth):
    logs.execute(reel, "INSERT INTO run_labels VALUES ('team', 'x', 0, 'nowhere')")
    assert named(reel) == [("nowhere", "*")]
    reel.rebuild()
    assert state_of(reel) == truth


def test_everything_at_once_is_rebuilt_from_nothing(reel, truth):
    logs.execute(reel, "DELETE FROM runs")
    logs.execute(reel, "DELETE FROM run_labels")

    assert named(reel) == [(f"run-{n}", "*") for n in range(len(SHAPES))]
    reel.rebuild()
    assert state_of(reel) == truth


def test_one_run_may_be_checked_and_rebuilt_alone(reel):
    logs.execute(reel, "UPDATE runs SET model = 'wrong'")

    assert named(reel, ["run-1"]) == [("run-1", "model")]
    reel.rebuild(["run-1"])
    assert named(reel) == [(f"run-{n}", "model") for n in range(len(SHAPES)) if n != 1]
    reel.rebuild()


def test_a_run_that_is_nowhere_cannot_be_rebuilt(reel):
    for check in (True, False):
        with pytest.raises(RunNotFound, match="nowhere"):
            reel.rebuild(["run-1", "nowhere"], check=check)


def test_progress_is_told_run_by_run(reel):
    told: list[tuple[int, int]] = []
    reel.rebuild(progress=lambda *at: told.append(at))
    assert told == [(n, len(SHAPES)) for n in range(len(SHAPES) + 1)]


def test_a_damaged_projection_says_what_mends_it(reel):
    for column, value in (("result", b"\0"), ("labels", "{"), ("tool_calls", "[")):
        logs.execute(reel, f"UPDATE runs SET {column} = ?", (value,))
        with pytest.raises(LogError, match=r"run-1|projection") as caught:
            reel.result("run-1")
        assert "rebuild" in str(caught.value.hint)
        reel.rebuild()
        assert reel.result("run-1").text == "Forty-two."


def test_a_damaged_row_of_the_log_is_named_and_what_is_before_it_reads(reel):
    payload = logs.rows(reel, "run-1")[3].payload
    mend = "UPDATE events SET payload = ? WHERE run_id = 'run-1' AND seq = 3"
    logs.tamper(reel, mend, ("{",))
    with pytest.raises(LogError, match="row 3 of run run-1 is damaged"):
        reel.rebuild(check=True)
    with pytest.raises(LogError, match="row 3 of run run-1 is damaged"):
        reel.rebuild()
    with pytest.raises(LogError, match="row 3 of run run-1 is damaged"):
        list(reel.events("run-1"))
    assert [event.seq for event in reel.events("run-1", stop=3)] == [0, 1, 2]
    logs.tamper(reel, mend, (payload,))


def test_a_damaged_run_is_left_as_it_is_and_the_others_are_mended(reel, truth):
    logs.execute(reel, "UPDATE runs SET model = 'wrong'")
    rows = {run_id: logs.rows(reel, run_id)[2] for run_id in ("run-1", "run-4")}
    change = "UPDATE events SET payload = ? WHERE run_id = ? AND seq = 2"
    for run_id in rows:
        logs.tamper(reel, change, ("{", run_id))
    for check in (True, False):
        with pytest.raises(LogError, match=r"row 2 of run run-1 is damaged: .*; so is another run"):
            reel.rebuild(check=check)
    wrong = logs.execute(reel, "SELECT run_id FROM runs WHERE model = 'wrong' ORDER BY 1")
    assert wrong == [("run-1",), ("run-4",)]
    for run_id, row in rows.items():
        logs.tamper(reel, change, (row.payload, run_id))
    found = [(d.run_id, d.column) for d in reel.rebuild()]
    assert found[:2] == [("run-1", "model"), ("run-4", "model")]
    assert {run_id for run_id, _ in found[2:]} == {"*"}, "usage added up to what was there"


def test_runs_are_gone_through_page_by_page(reel, truth, monkeypatch):
    monkeypatch.setattr("runreel.store.events.stream_ids._PAGE", 3)
    for stray in ("a", "run-3x", "z"):
        logs.execute(reel, "INSERT INTO run_labels VALUES ('team', 'x', 0, ?)", (stray,))
    logs.execute(reel, "UPDATE runs SET model = 'wrong'")
    told: list[tuple[int, int]] = []
    runs_ = [f"run-{n}" for n in range(len(SHAPES))]
    found = reel.rebuild(progress=lambda *at: told.append(at))
    assert [d.run_id for d in found] == [*runs_, "a", "run-3x", "z"]
    assert told == [(n, len(found)) for n in range(len(found) + 1)]


def test_projections_of_an_older_version_say_so_and_rebuilding_mends_them(reel, truth):
    logs.execute(reel, "UPDATE runs SET model = 'as it was then'")
    logs.execute(reel, "UPDATE runreel_meta SET value = '0' WHERE key = 'projection_version'")
    for ask in (reel.runs, reel.usage, reel.recoverable, lambda: reel.run("run-1")):
        with pytest.raises(ProjectionOutdated, match="of version 0; this runreel makes") as caught:
            ask()
        assert "runreel rebuild" in str(caught.value.hint)
    assert [event.seq for event in reel.events("run-1")], "the log itself is never outdated"
    reel.rebuild(["run-1"])
    with pytest.raises(ProjectionOutdated):
        reel.runs()
    reel.rebuild()

    assert state_of(reel) == truth
    assert len(reel.runs(limit=0)) == len(SHAPES)


def test_raising_the_version_in_the_code_is_noticed(reel, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "PROJECTION_VERSION", "next")
        with pytest.raises(ProjectionOutdated):
            reel.runs()
        reel.rebuild()
        assert len(reel.runs(limit=0)) == len(SHAPES)
    reel.rebuild()


def test_labels_that_no_database_takes_are_rebuilt_as_they_were_stored(own):
    labels = {"a\0b": "c\ud800", "model": "\0"}
    with own.recording("odd", labels=labels, model="m\0") as recording:
        recording.append(RunStreamEvent(StreamEvent.DONE))
    truth = state_of(own)
    assert named(own) == []
    logs.execute(own, "DELETE FROM runs")
    logs.execute(own, "DELETE FROM run_labels")
    own.rebuild()

    assert state_of(own) == truth


def test_a_row_may_lag_by_what_no_list_shows(own):
    recording = own.recording("live")
    for _ in range(5):
        recording.append(RunStreamEvent(StreamEvent.EVENT_TYPE_UNSPECIFIED))
    ((seq,),) = logs.execute(own, "SELECT projected_seq FROM runs WHERE run_id = 'live'")
    assert seq < 5
    assert named(own) == []
    assert own.run("live").events == 5
    recording.result(RunResult(RunStatus.COMPLETED, usage=Usage(1, 3, 2)))
    recording.close()
    assert named(own) == []


def test_readers_see_all_runs_all_the_while(own, db_url):
    """Each run's row is wrong, then right; never is one missing, or half of them mended."""
    seen: set[tuple[int, int]] = set()
    stop = threading.Event()

    def read() -> None:
        with runreel.open(db_url) as other:
            while not stop.is_set():
                models = [item.model for item in other.runs(limit=0)]
                seen.add((models.count("wrong"), models.count("right")))

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(4):
        logs.execute(own, "UPDATE runs SET model = 'wrong'")
        time.sleep(0.02)
        own.rebuild()
        time.sleep(0.02)
    stop.set()
    reader.join()

    assert seen == {(60, 0), (0, 60)}


def test_a_run_that_is_recorded_meanwhile_keeps_its_newer_row(own, db_url):
    """Rows move on between being compared and being replaced: here between any two runs."""
    with runreel.open(db_url) as other:
        recordings = [other.recording(f"live-{n}", model="right") for n in range(3)]
        for recording in recordings:
            recording.append(RunStreamEvent(StreamEvent.PARTIAL_MESSAGE))
        logs.execute(own, "UPDATE runs SET model = 'wrong'")

        def meanwhile(done: int, _: int) -> None:
            for recording in recordings:
                status = RunStatus.COMPLETED if done % 2 else RunStatus.IN_PROGRESS
                recording.result(RunResult(status, usage=Usage(done, done, done)))

        own.rebuild(progress=meanwhile)
        assert named(own) == []
        assert {item.model for item in own.runs(limit=0)} == {"right"}
        assert own.run("live-0").usage == Usage(63, 63, 63)
        for recording in recordings:
            recording.close()


def test_a_row_that_is_being_written_while_the_others_are_replaced_is_not_lost(own, db_url):
    """A recorder's transaction is open when the rows are moved into place: one waits."""
    with runreel.open(db_url) as other:
        recording = other.recording("live", model="right")
        recording.append(RunStreamEvent(StreamEvent.PARTIAL_MESSAGE))
        logs.execute(own, "UPDATE runs SET model = 'wrong'")
        compared, written = threading.Event(), threading.Event()

        def save(connection, *projected):
            compared.wait()
            run_table.save(connection, *projected)
            written.set()
            time.sleep(0.3)

        def record() -> None:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(
                    "runreel.recording.group_commit.run_table", SimpleNamespace(save=save)
                )
                recording.result(RunResult(RunStatus.COMPLETED, usage=Usage(1, 3, 2)))

        recorder = threading.Thread(target=record)
        recorder.start()

        def progress(done: int, runs: int) -> None:
            if done == runs:
                compared.set()
                written.wait()

        own.rebuild(progress=progress)
        recorder.join()
        assert named(own) == []
        assert {item.model for item in own.runs(limit=0)} == {"right"}
        assert own.run("live").usage == Usage(1, 3, 2)
        recording.close()


def test_a_rebuild_that_fails_changes_nothing_and_can_be_done_again(own, monkeypatch):
    logs.execute(own, "UPDATE runs SET model = 'wrong'")
    before = state_of(own)
    with monkeypatch.context() as patch:
        patch.setattr("runreel.store.projections.staged_rebuild.swap_in", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            own.rebuild()
    assert state_of(own) == before
    own.rebuild()
    assert named(own) == []


@pytest.mark.parametrize("check", [True, False])
def test_several_processes_find_and_mend_the_same(db_url, tmp_path, check):
    lines = [line for n in range(130) for line in traffic.streamed(f"run-{n:03d}", "A word or two")]
    steps = []
    with runreel.open(db_url) as reel:
        import_files(reel.db, [traffic.write(tmp_path / "lines.jsonl", lines)])
        false = "UPDATE runs SET status = 'FAILED' WHERE run_id IN ('run-007', 'run-120')"
        logs.execute(reel, false)
        logs.execute(reel, "DELETE FROM runs WHERE run_id = 'run-060'")
        alone = reel.rebuild(check=True)
        together = reel.rebuild(check=check, jobs=2, progress=lambda *step: steps.append(step))
        assert [found.run_id for found in together] == [found.run_id for found in alone]
        assert {found.run_id for found in alone} >= {"run-007", "run-060", "run-120"}
        assert steps[-1] == (130, 130)
        assert (reel.rebuild(check=True) == []) != check
        payload = logs.rows(reel, "run-090")[3].payload
        change = "UPDATE events SET payload = ? WHERE run_id = 'run-090' AND seq = 3"
        logs.tamper(reel, change, ("{",))
        with pytest.raises(LogError, match="row 3 of run run-090 is damaged"):
            reel.rebuild(check=check, jobs=3)
        logs.tamper(reel, change, (payload,))
        reel.rebuild(jobs=2)
