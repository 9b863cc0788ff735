"""Work that other processes do: the answers come back, so do errors, and nobody is left behind."""

from __future__ import annotations

import operator
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest

from runreel.importing.import_files import import_files
from runreel.rebuild.comparison import compare_runs
from runreel.store import worker_process
from runreel.store.events import event_log, stream_ids
from runreel.store.worker_pool import workers
from runreel.store.worker_process import WorkerLost
from tests import logs, traffic

if TYPE_CHECKING:
    from pathlib import Path

    from runreel.api.reel import Reel
    from runreel.store.connection import Connection

RUNS = [f"run-{n:03d}" for n in range(120)]


@pytest.fixture
def told(reel: Reel, tmp_path: Path) -> Reel:
    """A log of many short runs."""
    lines = [line for run_id in RUNS for line in traffic.streamed(run_id, "A word or two")]
    import_files(reel.db, [traffic.write(tmp_path / "lines.jsonl", lines)])
    return reel


def run_ids(connection: Connection) -> list[str]:
    return event_log.run_ids(connection)


def nap(connection: Connection, finished: Path) -> None:
    time.sleep(30)
    finished.touch()


def test_parts_come_back_in_order_and_between_them_what_else_was_asked(told: Reel) -> None:
    with workers(told.db, 3) as processes, told.db.reading() as connection:
        asked = processes.start(run_ids)
        parts = list(stream_ids.id_batches(connection, 7))
        asked_for = (partial(compare_runs, run_ids=part) for part in parts)
        found = [[run.run_id for run in runs] for runs in processes.map(asked_for)]
        assert found == parts
        assert [run_id for part in parts for run_id in part] == RUNS
        assert asked.result() == RUNS


def test_one_job_is_nobody_else() -> None:
    with workers(None, 1) as processes:  # type: ignore[arg-type] - nobody asks it anything
        assert processes is None


def test_an_error_is_raised_where_the_answer_is_awaited_and_the_next_is_answered(
    told: Reel,
) -> None:
    with workers(told.db, 2) as processes:
        wrong = processes.start(operator.methodcaller("execute", "SELECT nowhere FROM runs"))
        right = processes.start(partial(event_log.last_position, run_id=RUNS[0]))
        with pytest.raises(Exception, match="nowhere"):
            wrong.result()
        assert right.result() > 0


def test_a_process_that_has_ended_is_told_of(told: Reel, monkeypatch) -> None:
    monkeypatch.setattr(worker_process, "can_fork", lambda: False)
    monkeypatch.setattr(worker_process, "_WORKER_PROGRAM", "import os; os._exit(3)")
    for check in (True, False):
        with pytest.raises(WorkerLost, match="has ended") as caught:
            told.rebuild(check=check, jobs=2)
        assert "-j 1" in str(caught.value.hint)


def test_whoever_leaves_early_leaves_no_process_behind(told: Reel, tmp_path: Path) -> None:
    finished = tmp_path / "finished"
    with workers(told.db, 2) as processes:
        processes.start(partial(nap, finished=finished))
        helpers = processes.workers
    assert all(helper.process.returncode is not None for helper in helpers)
    assert not finished.exists()


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE usage_by_time SET runs = runs + 1",
        "DELETE FROM usage_by_value WHERE dimension = 'status'",
        "UPDATE runs SET status = 'FAILED' WHERE run_id = 'run-100'",
    ],
)
def test_several_processes_find_what_one_finds(told: Reel, sql: str) -> None:
    logs.execute(told, sql)
    alone = told.rebuild(check=True)
    assert alone
    assert told.rebuild(check=True, jobs=2) == alone
    told.rebuild(jobs=2)
    assert told.rebuild(check=True, jobs=2) == []
