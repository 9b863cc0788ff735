"""Letting old runs go: what goes, and what stays."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from runreel.audit import checkpoints, signing
from runreel.audit import verify as audit
from runreel.importing.import_files import import_files
from runreel.model.columns import RUNS
from runreel.model.errors import LogError, RunNotFound, UsageError
from runreel.model.results import Usage
from runreel.model.status import RunStatus
from runreel.model.timestamps import from_micros, to_micros
from runreel.projection.tombstone import tombstone_of
from runreel.projection.usage_periods import COLUMNS as GROUPS
from runreel.projection.usage_periods import TIMES
from runreel.recording.recorder import Recorder
from runreel.store.events import event_log
from runreel.store.projections import run_prefetch
from tests import logs, traffic
from tests.work.ages import (
    BY,
    NOW,
    SECRET,
    ago,
    partial,
    prune,
    recording,
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


def test_a_dry_run_tells_what_would_go_and_changes_nothing(told: Reel) -> None:
    before = state(told)
    found = list(told.prune(ago(90), dry_run=True))

    rows = logs.rows(told, "old")
    assert [(run.run_id, run.action, run.rows) for run in found] == [
        ("old", "prunable", len(rows)),
        ("old-failed", "prunable", 4),
    ]
    assert found[0].bytes == sum(len((row.payload or "").encode()) for row in rows)
    assert (found[0].source, found[0].status) == ("plain", RunStatus.COMPLETED)
    assert found[0].ended_at == told.run("old").finished_at == ago(100)
    assert state(told) == before


def test_of_a_pruned_run_one_row_stays_that_says_what_went(told: Reel) -> None:
    last = logs.rows(told, "old")[-1]
    assert prune(told, **BY) == {"old": "pruned", "old-failed": "pruned"}

    (left,) = logs.rows(told, "old")
    assert (left.seq, left.kind, left.type) == (last.seq + 1, "note", "pruned")
    assert tombstone_of(left) == (last.seq, last.digest)
    assert json.loads(left.payload or "") == {
        "source": "plain",
        "events": last.seq + 1,
        "seq": last.seq,
        "digest": last.digest.hex(),
        **BY,
    }
    assert logs.execute(told, "SELECT run_id FROM runs") == [("young",)]
    assert logs.execute(told, "SELECT DISTINCT run_id FROM run_labels") == [("young",)]
    assert told.result("young").status is RunStatus.COMPLETED
    whole(told)
    assert prune(told) == {}, "there is nothing left to go"


def test_what_is_kept_for_usage_is_no_word_of_what_was_said(told: Reel) -> None:
    prune(told, keep_usage=True)

    (left,) = logs.rows(told, "old")
    kept = json.loads(left.payload or "")["kept"]
    assert SECRET not in (left.payload or "")
    assert (kept["status"], kept["labels"], kept["model"]) == (
        "COMPLETED",
        {"team": "maps"},
        "model-1",
    )
    assert told.runs(limit=0).items == (told.run("young"),)
    kept_runs = told.runs(recording="pruned", limit=0).items
    assert [run.run_id for run in kept_runs] == ["old-failed", "old"]
    assert kept_runs[1].usage == Usage(12, 20, 8)
    assert (kept_runs[0].error, kept_runs[0].events) == (None, 0)
    whole(told)
    logs.execute(told, "DELETE FROM runs")
    logs.execute(told, "DELETE FROM run_labels")
    told.rebuild()
    assert told.runs(recording="pruned", limit=0).items == kept_runs
    assert prune(told, keep_usage=True) == {}, "there is nothing left to go"


# What failed runs said goes with them; what they used stays.
GROUPINGS = [*TIMES, *(name for name in GROUPS if name != "error"), "label:team", "label:none"]


def test_usage_by_every_grouping_is_the_same_when_it_is_kept(told: Reel) -> None:
    groupings = [(one,) for one in GROUPINGS]
    groupings += itertools.combinations(GROUPINGS, 2)
    filters = [{}, {"labels": {"team": "maps"}}, {"since": ago(97)}, {"no_usage": True}]
    filters += [{"status": "failed"}, {"model": "model-1"}, {"thread": "thread-1"}]
    before = [told.usage(by, tz="Asia/Tokyo", **one) for by in groupings for one in filters]
    prune(told, keep_usage=True)

    after = [told.usage(by, tz="Asia/Tokyo", **one) for by in groupings for one in filters]
    assert after == before
    assert after[0].totals.runs == 3
    assert [item.key for item in told.usage(("error",)).items] == [(None,)]


def test_without_it_usage_goes_even_of_runs_that_were_pruned_with_it(told: Reel) -> None:
    prune(told, keep_usage=True, **BY)
    (once,) = logs.rows(told, "old")
    runs = list(told.prune(ago(99), dry_run=True))
    assert [(run.run_id, run.rows) for run in runs] == [("old", 1)]
    assert "usage" in str(runs[0].why)
    prune(told, 99, reason="older than 99 days")

    (again,) = logs.rows(told, "old")
    assert tombstone_of(again) == (once.seq, once.digest)
    assert json.loads(again.payload or "")["events"] == once.seq + 1
    assert told.usage(()).totals.runs == 2
    whole(told)


def test_runs_of_some_statuses_may_go_alone(told: Reel) -> None:
    assert prune(told, statuses=["failed"], dry_run=True) == {"old-failed": "prunable"}
    assert prune(told, statuses=[RunStatus.FAILED, "pending"]) == {"old-failed": "pruned"}
    with pytest.raises(UsageError, match="invalid status 'fine'"):
        prune(told, statuses=["fine"])


def test_a_run_is_as_old_as_its_end_and_an_open_one_never_goes(reel: Reel) -> None:
    with recording(reel, "open", 500) as made:
        made.append(partial("Well"))
        assert prune(reel, 0, dry_run=True) == {}
        # It goes on, and has an end that nobody told.
        made._recorder._clock = lambda: to_micros(ago(50)) * 1_000
    assert reel.run("open").finished_at is None
    tell(reel, "exact", 60)
    assert prune(reel, 60, dry_run=True) == {}, "younger than that, to the microsecond"
    assert prune(reel, 59.999, dry_run=True) == {"exact": "prunable"}
    assert prune(reel, 49.999) == {"exact": "pruned", "open": "pruned"}
    whole(reel)


def test_an_import_is_as_old_as_its_source_says(reel: Reel, tmp_path: Path) -> None:
    path = traffic.write(tmp_path / "f.jsonl", traffic.streamed("run-1"))
    import_files(reel.db, [path])
    finished = reel.run("run-1").finished_at
    assert finished is not None
    assert finished < ago(90)
    assert prune(reel) == {"run-1": "pruned"}


def test_the_log_decides_not_the_projections(told: Reel) -> None:
    """Rows that say that a young or open run is old and closed let nobody prune it."""
    recorder = Recorder(told.db, "open", source="plain", via="program")
    recorder.append("stream_event", {"type": "PARTIAL_MESSAGE", "text": "Well"})
    logs.execute(told, "UPDATE runs SET finished_at = 1, recording = 'closed', status = 'FAILED'")
    found = prune(told, 90, statuses=["failed"])
    assert found == {"old-failed": "pruned", "open": "left"}
    assert logs.run_ids(told) == ["old", "old-failed", "open", "young"]
    assert len(logs.rows(told, "young")) == 4
    recorder.close()
    told.rebuild()
    whole(told)


@pytest.mark.parametrize("keep_usage", [True, False])
def test_who_asks_for_a_pruned_run_hears_when_by_whom_and_why(told: Reel, keep_usage: bool) -> None:
    prune(told, keep_usage=keep_usage, **BY)
    ((at,),) = logs.execute(told, "SELECT max(at) FROM events WHERE run_id = 'old'")
    when = f"{from_micros(at):%Y-%m-%d %H:%M:%S} UTC"
    asked = [
        lambda: told.run("old"),
        lambda: told.result("old"),
        lambda: told.state("old", at=2),
        lambda: told.state("old", at=datetime.now(UTC)),
        lambda: list(told.events("old")),
        lambda: list(told.events("old", stop=2)),
        lambda: told.timeline("old"),
        lambda: list(told.replay("old", instant=True)),
    ]
    for ask in asked:
        with pytest.raises(RunNotFound, match=f"run old was pruned at {when}") as error:
            ask()
        assert "by the keeper: older than 90 days" in str(error.value)
        assert error.value.exit_code == 2
    assert told.resolve("old-f") == "old-failed"
    assert told.resolve("latest") == "young"


@pytest.fixture
def key(tmp_path: Path) -> signing.SigningKey:
    signing.generate(tmp_path / "audit.key")
    return signing.load(tmp_path / "audit.key")


def test_checkpoints_made_before_still_verify(
    told: Reel, key: signing.SigningKey, tmp_path: Path
) -> None:
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    now = int(NOW.timestamp() * 1e6)

    def signed() -> None:
        checkpoints.checkpoint(told.db, shelf, key=key, now=now)

    def compared() -> tuple[list[Any], int]:
        counts = checkpoints.ComparisonCounts()
        paths = sorted(shelf.iterdir())
        with told.db.reading() as connection:
            found = checkpoints.compare_all(connection, paths, key.public, compared=counts)
            return list(found), counts.pruned

    signed()
    tell(told, "later", 99)
    prune(told, 94, keep_usage=True)
    assert compared() == ([], 2)
    signed()
    assert compared() == ([], 2)
    prune(told, 94)
    assert compared() == ([], 5)
    signed()
    assert compared() == ([], 5)


def test_rows_do_not_go_without_a_tombstone(told: Reel) -> None:
    before = logs.rows(told)
    with pytest.raises(LogError, match="tombstone"), told.db.writing() as connection:
        event_log.remove(connection, "old", 3)
    assert logs.rows(told) == before


def test_a_damaged_run_stays_and_is_named(told: Reel) -> None:
    logs.tamper(told, "UPDATE events SET payload = '{' WHERE run_id = 'old' AND seq = 1")
    logs.tamper(told, "DELETE FROM events WHERE run_id = 'old-failed' AND seq = 1")
    found = {run.run_id: run for run in told.prune(ago(90))}
    assert {run_id: run.action for run_id, run in found.items()} == {
        "old": "damaged",
        "old-failed": "damaged",
    }
    assert "row 1 of run old" in str(found["old"].why)
    assert "missing" in str(found["old-failed"].why)
    assert len(logs.rows(told, "old")) == 4
    # What the fixtures look at behind the test.
    logs.tamper(told, "DELETE FROM events WHERE run_id IN ('old', 'old-failed')")
    told.rebuild()


def test_what_is_said_of_a_pruning_has_to_be_said_in_words(told: Reel) -> None:
    for wrong in ({"reason": "a\x1bb"}, {"actor": "a\nb"}, {"actor": " "}, {"batch": 0}):
        with pytest.raises(UsageError):
            prune(told, **wrong)
    assert len(logs.run_ids(told)) == 3


def test_labels_that_no_database_takes_are_kept_as_the_log_has_them(reel: Reel) -> None:
    odd = {"model": "m\0", "labels": {"a\0b": "c\ud800", "big": "\U0001f600"}}
    tell(reel, "odd", 100, **odd)
    before = logs.execute(reel, "SELECT * FROM run_labels ORDER BY key")
    prune(reel, keep_usage=True)
    assert logs.execute(reel, "SELECT * FROM run_labels ORDER BY key") == before
    whole(reel)


def test_a_projection_that_is_put_back_is_found(told: Reel) -> None:
    with told.db.reading() as connection:
        row = run_prefetch.rows_of(connection, ["old"]).get("old")
    assert row is not None
    prune(told)
    marks = ", ".join("?" * len(RUNS))
    logs.execute(told, f"INSERT INTO runs ({', '.join(RUNS)}) VALUES ({marks})", tuple(row))
    assert [(found.run_id, found.column) for found in told.rebuild(check=True)] == [("old", "*")]
    told.rebuild()
    whole(told)


def test_a_pruned_run_counts_as_one_that_can_be_verified_and_rebuilt(told: Reel) -> None:
    prune(told)
    with told.db.reading() as connection:
        assert list(audit.verify(connection, ["old"])) == []
        assert event_log.run_ids(connection, prefix="old") == ["old", "old-failed"]
    assert told.rebuild(["old"], check=True) == []
