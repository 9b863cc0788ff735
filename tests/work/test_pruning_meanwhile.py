"""What is told again of runs that went, and what others do while they go."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

import runreel
from runreel.importing.batch import Batch
from runreel.importing.import_files import import_files
from runreel.importing.record_lines import record_lines
from runreel.model.errors import DatabaseLocked, RecordingError, RunPruned
from runreel.model.status import RunStatus
from runreel.recording.recorder import Recorder
from runreel.recording.session import Recording
from runreel.retention import pruning
from runreel.store.events import event_log
from runreel.system import process_identity
from tests import logs, traffic
from tests.work.ages import (
    BY,
    ago,
    partial,
    prune,
    state,
    tell,
    tell_ages,
    whole,
)

if TYPE_CHECKING:
    from pathlib import Path

    from runreel.api.reel import Reel


@pytest.fixture
def told(reel: Reel) -> Reel:
    """Runs of several ages."""
    return tell_ages(reel)


def test_what_is_told_of_a_pruned_run_again_is_refused(told: Reel, db_url: str) -> None:
    prune(told, **BY)
    left = logs.rows(told)
    with pytest.raises(RunPruned, match="by the keeper: older than 90 days") as error:
        told.recording("old")
    assert error.value.exit_code == 1
    with pytest.raises(RunPruned):
        told.recording("old", source="yandex-assistants")
    with pytest.raises(RunPruned), runreel.open(db_url, on_error="warn") as lenient:
        lenient.recording("old")
    with pytest.raises(RunPruned):
        record_lines(told.db, [b'{"type": "DONE", "text": "again"}'] * 3, run_id="old")
    assert logs.rows(told) == left


def test_an_import_leaves_pruned_runs_and_takes_in_the_rest(reel: Reel, tmp_path: Path) -> None:
    old = [line for n in range(3) for line in traffic.streamed(f"old-{n}", thread=f"thread-{n}")]
    import_files(reel.db, [traffic.write(tmp_path / "old.jsonl", old)])
    prune(reel)
    left = logs.rows(reel)
    path = traffic.write(tmp_path / "all.jsonl", [*old, *traffic.streamed("new", thread="new")])
    report = import_files(reel.db, [path])

    assert report.problems == []
    assert report.notices == ["3 runs skipped: pruned earlier"]
    assert (report.runs_new, report.runs_touched) == (1, 1)
    assert report.events_new == len(logs.told(reel, "new"))
    assert [row for row in logs.rows(reel) if row.run_id != "new"] == left
    report = import_files(reel.db, [str(tmp_path / "old.jsonl")])
    assert report.notices == ["3 runs skipped: pruned earlier"]
    assert (report.events_new, report.events_known) == (0, 0)
    whole(reel)


def test_an_import_whose_run_is_pruned_before_its_rows_are_committed(
    reel: Reel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = traffic.streamed("old", thread="thread-1")
    import_files(reel.db, [traffic.write(tmp_path / "some.jsonl", lines[:-1])])
    assert reel.run("old").recording == "closed"
    flush = Batch.flush

    def meanwhile(batch: Batch) -> None:
        monkeypatch.setattr(Batch, "flush", flush)
        assert prune(reel, 0) == {"old": "pruned"}
        flush(batch)

    monkeypatch.setattr(Batch, "flush", meanwhile)
    more = [*lines, *traffic.streamed("new", thread="new")]
    report = import_files(reel.db, [traffic.write(tmp_path / "all.jsonl", more)])
    assert report.problems == []
    assert report.notices == ["1 run skipped: pruned earlier"]
    assert len(logs.rows(reel, "old")) == 1
    assert reel.run("new").status is RunStatus.COMPLETED
    whole(reel)


def test_whoever_had_the_run_open_hears_of_it_too(told: Reel) -> None:
    """Recorders that knew the run: at its head, behind it, and before it was there."""
    fresh = Recorder(told.db, "later", source="plain", via="program")
    behind = Recorder(told.db, "later", source="plain", via="program")
    behind.append("stream_event", {"type": "PARTIAL_MESSAGE", "text": "One"})
    tell(told, "later", 100)
    at_head = Recorder(told.db, "later", source="plain", via="program")
    warns = Recording(Recorder(told.db, "later", source="plain", via="program"), on_error="warn")
    raises = told.recording("later")
    assert prune(told)["later"] == "pruned"

    left = logs.rows(told)
    event = {"type": "PARTIAL_MESSAGE", "text": "Two"}
    for recorder in (fresh, behind, at_head):
        for _ in range(2):
            with pytest.raises(RunPruned):
                recorder.append("stream_event", event)
            with pytest.raises(RunPruned):
                recorder.offer("stream_event", event)
            with pytest.raises(RunPruned):
                asyncio.run(recorder.aappend("stream_event", event))
    with pytest.raises(RecordingError, match="pruned") as error:
        raises.append(partial("Two"))
    assert error.value.exit_code == 1
    assert warns.append(partial("Two")) is None
    assert warns.lost == 1
    assert logs.rows(told) == left
    whole(told)


def test_many_rows_at_once_do_not_go_in_before_a_tombstone(told: Reel) -> None:
    lost = logs.rows(told, "old")
    prune(told)
    with told.db.writing() as connection:
        for rows in (lost, lost[1:], lost[:1]):
            # On SQLite the guard says no, on Postgres the append itself.
            with contextlib.suppress(Exception), connection.transaction():
                assert not event_log.append(connection, rows)
        for row in lost:
            assert not event_log.append_one(connection, row)
    assert len(logs.rows(told, "old")) == 1


def test_a_run_that_is_recorded_on_meanwhile_stays(
    told: Reel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at it and its tombstone."""
    delete_runs = pruning._Pruner.delete_runs

    def late(work: Any, plans: Any) -> Any:
        with told.recording("old") as resumed:
            resumed.append(partial("More"))
        return delete_runs(work, plans)

    monkeypatch.setattr(pruning._Pruner, "delete_runs", late)
    rows = len(logs.rows(told, "old"))
    found = {run.run_id: run for run in told.prune(ago(90))}
    assert (found["old"].action, found["old-failed"].action) == ("left", "pruned")
    assert "in the meantime" in str(found["old"].why)
    assert len(logs.rows(told, "old")) == rows + 3
    assert told.run("old").recording == "closed"
    whole(told)


def test_many_who_record_on_and_prune_at_once_agree(reel: Reel, db_url: str) -> None:
    """Each run is as it was recorded on, or gone; who was refused was told so."""
    ids = [f"run-{n:02d}" for n in range(40)]
    for run_id in ids:
        tell(reel, run_id, 100)
    refused: set[str] = set()
    resumed: set[str] = set()
    gone: list[str] = []
    ready = threading.Barrier(4)

    def record(mine: list[str]) -> None:
        with runreel.open(db_url) as own:
            ready.wait()
            for run_id in mine:
                try:
                    with own.recording(run_id) as again:
                        again.append(partial("More"))
                    resumed.add(run_id)
                except (RunPruned, RecordingError) as error:
                    assert "pruned" in str(error)
                    refused.add(run_id)

    def let_go() -> None:
        with runreel.open(db_url) as own:
            ready.wait()
            found = own.prune(ago(90), batch=3)
            gone.extend(run.run_id for run in found if run.action == "pruned")

    threads = [
        threading.Thread(target=record, args=(ids[::2],)),
        threading.Thread(target=record, args=(ids[::-2],)),
        threading.Thread(target=let_go),
        threading.Thread(target=let_go),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(gone) == len(set(gone)), "each goes once"
    assert refused <= set(gone)
    assert set(ids) - set(gone) <= resumed
    for run_id in ids:
        rows = logs.rows(reel, run_id)
        assert (len(rows) == 1) == (run_id in gone)
        assert (rows[-1].type == "pruned") == (run_id in gone)
    whole(reel)


def test_an_append_that_began_before_the_run_went_does_not_come_behind_it(
    told: Reel, db_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits, where the rows that hold its place are being removed, and is refused then."""
    with runreel.open(db_url) as other:
        stale = Recorder(other.db, "old", source="plain", via="program")
        # As if it had slept since the second row.
        stale.state.last_seq = 1
        stale.opened = True
        going, errors = threading.Event(), []
        remove = event_log.remove

        def slowly(connection: Any, run_id: str, seq: int) -> int:
            gone = remove(connection, run_id, seq)
            going.set()
            time.sleep(0.5)
            return gone

        def record() -> None:
            going.wait()
            try:
                stale.append("stream_event", {"type": "PARTIAL_MESSAGE", "text": "Late"})
            except Exception as error:  # noqa: BLE001 - looked at below
                errors.append(error)

        monkeypatch.setattr(event_log, "remove", slowly)
        thread = threading.Thread(target=record)
        thread.start()
        assert prune(told)["old"] == "pruned"
        thread.join()
    assert [type(error) for error in errors] == [RunPruned]
    assert [row.type for row in logs.rows(told, "old")] == ["pruned"]
    whole(told)


def test_a_log_that_somebody_else_holds_is_left_whole(
    told: Reel, db_url: str, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_log, "_LOCK_WAIT", 0.1)
    before = state(told)
    with (
        runreel.open(db_url) as other,
        other.db.writing() as connection,
        connection.transaction(),
    ):
        if backend == "postgresql":
            connection.execute("LOCK TABLE events IN SHARE MODE")
        else:
            logs.execute(told, "PRAGMA busy_timeout = 100")
        with pytest.raises(DatabaseLocked):
            prune(told)
    assert state(told) == before
    assert prune(told)["old"] == "pruned"


def test_a_rebuild_that_has_looked_before_does_not_put_the_run_back(
    told: Reel, db_url: str
) -> None:
    logs.execute(told, "UPDATE runs SET model = 'wrong'")
    with runreel.open(db_url) as other:

        def progress(done: int, runs: int) -> None:
            if done == runs:
                prune(other)

        told.rebuild(progress=progress)
    assert logs.execute(told, "SELECT run_id, model FROM runs") == [("young", "model-1")]
    whole(told)


def test_recovery_has_nothing_to_do_with_pruned_runs(
    told: Reel, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(process_identity, "alive", lambda _: False)
        told.recording("dead").append(partial("Well"))
        listed = iter(told.recover())
        prune(told, keep_usage=True)
        assert [(found.recording.run_id, found.action) for found in listed] == [
            ("dead", "interrupted")
        ]
        assert list(told.recover()) == []
    assert told.recoverable() == []


def test_a_run_that_is_ended_and_pruned_while_others_recover_it_is_left(
    reel: Reel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_identity, "alive", lambda _: False)
    dead = reel.recording("dead")
    dead.append(partial("Well"))

    def meanwhile(_: Any) -> None:
        dead.close()
        assert list(reel.prune("2999-01-01"))
        raise runreel.SourceError("gone")

    (found,) = reel.recover(meanwhile)
    assert found.action == "left"
    assert "pruned" in str(found.reason)
