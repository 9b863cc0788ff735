"""Imports that are killed, and imports at the same time: what is stored is whole."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest

import runreel
from runreel.importing.batch import Batch
from runreel.importing.import_files import import_files
from tests import logs, traffic

RUNS = 60
# Small batches: many commits to be killed between, or in.
IMPORT = """
import sys
from runreel.importing import batch
import runreel
from runreel.importing.import_files import import_files
batch.ROWS = int(sys.argv[1])
reel = runreel.open(sys.argv[2])
reel.runs()
print("ready", flush=True)
sys.stdin.readline()
report = import_files(reel.db, sys.argv[3:])
print(report.events_new, report.events_known, report.problems, flush=True)
"""


@pytest.fixture
def files(tmp_path):
    """Two recordings of many runs, one after the other and all at once."""
    named = [
        make(f"run-{n:02d}", thread=f"thread-{n}", created=float(n))
        for n, make in zip(range(RUNS), list(traffic.SHAPES.values()) * RUNS, strict=False)
    ]
    mixed = traffic.write(tmp_path / "mixed.jsonl", traffic.interleaved(*named[: RUNS // 2]))
    after = [line for lines in named[RUNS // 2 :] for line in lines]
    return [mixed, traffic.write(tmp_path / "after.jsonl", after)]


@pytest.fixture
def whole(files, tmp_path):
    """What the log holds of each run after one undisturbed import."""
    with runreel.open(tmp_path / "whole.db") as reel:
        assert import_files(reel.db, files).problems == []
        return {run_id: logs.told(reel, run_id) for run_id in logs.run_ids(reel)}


def start(url: str, files: list[str], rows: int = 20) -> subprocess.Popen[str]:
    child = subprocess.Popen(
        [sys.executable, "-c", IMPORT, str(rows), url, *files],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    return child


def go(child: subprocess.Popen[str]) -> None:
    assert child.stdin is not None
    child.stdin.write("go\n")
    child.stdin.flush()


def held(reel) -> dict[str, list]:
    return {run_id: logs.told(reel, run_id) for run_id in logs.run_ids(reel)}


def test_an_import_that_is_killed_again_and_again_is_complete_in_the_end(
    db_url, files, whole, tmp_path
):
    chance = random.Random(42)  # noqa: S311 - the same moments each time
    stored = -1
    for _ in range(4):
        child = start(db_url, files)
        go(child)
        time.sleep(chance.uniform(0.01, 0.12))
        child.send_signal(signal.SIGKILL)
        child.communicate()
        with runreel.open(db_url) as reel:
            assert logs.verify(reel) >= stored
            stored = logs.verify(reel)
            assert reel.rebuild(check=True) == []
            for run_id, told in held(reel).items():
                assert told == whole[run_id][: len(told)], "what is there is in order"
    with runreel.open(db_url) as reel:
        report = import_files(reel.db, files)
        assert report.problems == []
        assert held(reel) == whole
        assert {item.recording for item in reel.runs(limit=0)} == {"closed"}
        assert reel.rebuild(check=True) == []
        before = logs.rows(reel)
        assert import_files(reel.db, files).events_new == 0
        assert logs.rows(reel) == before


def test_what_a_killed_import_left_open_is_closed_by_the_next_though_it_adds_nothing(
    reel, files, whole, monkeypatch
):
    with monkeypatch.context() as patch:
        patch.setattr("runreel.importing.run_import.ImportedRun.close", lambda _: None)
        import_files(reel.db, files)
    assert {item.recording for item in reel.runs(limit=0)} == {"open"}
    import_files(reel.db, files)

    assert {item.recording for item in reel.runs(limit=0)} == {"closed"}
    assert held(reel) == whole
    before = logs.rows(reel)
    import_files(reel.db, files)
    assert logs.rows(reel) == before


@pytest.mark.parametrize("rows", [7, 1_000])
def test_the_same_files_imported_by_two_processes_at_once_are_stored_once(
    db_url, files, whole, rows
):
    children = [start(db_url, files, rows), start(db_url, list(reversed(files)), rows)]
    for child in children:
        go(child)
    outputs = [child.communicate(timeout=60) for child in children]

    assert [error for _, error in outputs] == ["", ""]
    with runreel.open(db_url) as reel:
        for run_id, told in held(reel).items():
            assert Counter(map(str, told)) == Counter(map(str, whole[run_id]))
        assert {item.recording for item in reel.runs(limit=0)} == {"closed"}
        assert reel.rebuild(check=True) == []
        assert import_files(reel.db, files).events_new == 0


def test_an_import_that_loses_a_race_at_its_end_is_complete_and_closed(
    reel, db_url, tmp_path, monkeypatch
):
    """Somebody records one of its runs between the first line and the only commit."""
    lines = traffic.streamed("run-1") + traffic.streamed("run-2", thread="thread-2")
    flush = Batch.flush

    def meanwhile(batch):
        monkeypatch.setattr(Batch, "flush", flush)
        with (
            runreel.open(db_url) as other,
            other.recording("run-1", source="yandex-assistants") as recording,
        ):
            for line in lines[:2]:
                recording.offer(line["type"], line["data"])
        flush(batch)

    monkeypatch.setattr(Batch, "flush", meanwhile)
    report = import_files(reel.db, [traffic.write(tmp_path / "f.jsonl", lines)])

    assert report.problems == []
    assert logs.said(reel, "run-1") == [line["data"] for line in lines[: len(lines) // 2]]
    assert {run.run_id: run.recording for run in reel.runs()} == {
        "run-1": "closed",
        "run-2": "closed",
    }
    assert [type_ for type_, _ in logs.notes(reel, "run-1")] == [
        *("opened", "closed"),
        *("resumed", "closed"),
    ]
    assert reel.rebuild(check=True) == []
    before = logs.rows(reel)
    import_files(reel.db, [str(tmp_path / "f.jsonl")])
    assert logs.rows(reel) == before
