"""Files that several processes write: the same as those of one, or none at all."""

from __future__ import annotations

import gzip
import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from runreel.export import csv, export, parts, recording_file, run_selection
from runreel.importing.import_files import import_files
from runreel.model.errors import DatabaseReadOnly, LogError
from runreel.store.events import damage
from runreel.store.worker_process import WorkerLost
from tests import logs, traffic
from tests.inline_pool import Inline

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runreel import Reel
    from runreel.store.connection import Connection

RUNS = [f"run-{number:02d}" for number in range(25)]
FORMATS: dict[str, dict[str, Any]] = {
    "a.reel.jsonl": {},
    "a.reel.jsonl.gz": {},
    "runs.csv": {},
    "events.csv": {"table": "events"},
}


@pytest.fixture
def told(reel: Reel, tmp_path: Path) -> Reel:
    """A log of runs, one of which was pruned."""
    lines = [
        line for run_id in RUNS for line in traffic.streamed(run_id, "Ünïcode \U0001f600 text")
    ]
    import_files(reel.db, [traffic.write(tmp_path / "lines.jsonl", lines)])
    return reel


@pytest.fixture
def small_parts(monkeypatch) -> None:
    for module in (recording_file, csv):
        monkeypatch.setattr(module, "_PART_RUNS", 4)
        monkeypatch.setattr(module, "_PART_ROWS", 50)


class Steps:
    """The last progress."""

    done = total = -1

    def __call__(self, done: int, total: int) -> None:
        self.done, self.total = done, total


def content(path: Path) -> list[bytes]:
    """The lines of a file, without the time at which it was made, and what depends on that."""
    data = gzip.decompress(path.read_bytes()) if path.name.endswith(".gz") else path.read_bytes()
    lines = data.splitlines(keepends=True)
    if ".reel." not in path.name:
        return lines
    return [*lines[1:-1], lines[-1].split(b'"sha256"')[0]]


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("selected", [{}, {"run_ids": RUNS[3:20]}, {"status": "COMPLETED"}])
def test_the_parts_are_the_file(told: Reel, tmp_path: Path, monkeypatch, selected: Any) -> None:
    @contextmanager
    def inline(*_: object) -> Iterator[Inline]:
        yield Inline(told.db)

    monkeypatch.setattr(parts, "_IN_MEMORY", 3_000)
    alone = {
        name: told.export(tmp_path / name, **options, **selected)
        for name, options in FORMATS.items()
    }
    monkeypatch.setattr(export, "workers", inline)
    for name, options in FORMATS.items():
        path = tmp_path / f"parts-{name}"
        steps = Steps()
        report = told.export(path, **options, **selected, jobs=2, progress=steps)
        assert content(path) == content(tmp_path / name)
        assert report[1:4] == alone[name][1:4]
        assert steps.done == steps.total


def test_processes_write_what_one_writes_while_the_log_grows(told: Reel, tmp_path: Path) -> None:
    whole = told.export(tmp_path / "alone.reel.jsonl")
    added: list[str] = []

    def grow(done: int, total: int) -> None:
        if not added:
            more = traffic.streamed("run-07-later", "More")
            import_files(told.db, [traffic.write(tmp_path / "more.jsonl", more)])
            added.append("run-07-later")
        assert done <= total == whole.rows

    report = told.export(tmp_path / "grown.reel.jsonl", jobs=2, progress=grow)
    assert report.rows == whole.rows
    assert content(tmp_path / "grown.reel.jsonl") == content(tmp_path / "alone.reel.jsonl")
    assert added[0] in logs.run_ids(told)


def test_masked_copies_are_whole(told: Reel, tmp_path: Path) -> None:
    alone = told.export(tmp_path / "alone.reel.jsonl", mask=["text"])
    several = told.export(tmp_path / "several.reel.jsonl", mask=["text"], jobs=2)
    assert (several.runs, several.rows, several.notices) == (alone.runs, alone.rows, alone.notices)


def test_damage_and_a_lost_process_leave_no_file(told: Reel, tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "a.reel.jsonl"
    with monkeypatch.context() as patch:
        patch.setattr(recording_file, "_lines", killed)
        with pytest.raises(WorkerLost, match="has ended"):
            told.export(path, jobs=2)
    logs.tamper(told, "UPDATE events SET payload = 'x' WHERE run_id = 'run-04' AND seq = 1")
    with pytest.raises(LogError, match="row 1 of run run-04 is damaged") as caught:
        told.export(path, jobs=2)
    assert caught.value.hint
    assert not [entry.name for entry in tmp_path.iterdir() if "a.reel" in entry.name]


def killed(connection: Connection, asked: object, write: object) -> None:
    del connection, asked, write
    os.kill(os.getpid(), signal.SIGKILL)


def test_where_writers_cannot_wait_one_process_writes(
    told: Reel, tmp_path: Path, monkeypatch
) -> None:
    if not told.db.driver.one_writer:
        pytest.skip("a server hands out its snapshot")

    def refused() -> None:
        raise DatabaseReadOnly("the log may not be written")

    told.export(tmp_path / "alone.reel.jsonl")
    monkeypatch.setattr(told.db, "writing", refused)
    told.export(tmp_path / "several.reel.jsonl", jobs=2)
    assert content(tmp_path / "several.reel.jsonl") == content(tmp_path / "alone.reel.jsonl")


@pytest.mark.usefixtures("small_parts")
def test_neighbouring_runs_are_read_at_once(told: Reel, tmp_path: Path, monkeypatch) -> None:
    scans: list[Any] = []
    scan = run_selection.scan

    def counted(*asked: Any, **options: Any) -> Any:
        scans.append((asked[1:], options))
        return scan(*asked, **options)

    @contextmanager
    def inline(*_: object) -> Iterator[Inline]:
        yield Inline(told.db)

    monkeypatch.setattr(run_selection, "scan", counted)
    monkeypatch.setattr(export, "workers", inline)
    told.export(tmp_path / "whole.reel.jsonl", jobs=2)
    assert [asked for asked, _ in scans] == [()] * -(-len(RUNS) // 4)
    scans.clear()
    told.export(tmp_path / "some.reel.jsonl", RUNS[3:9], jobs=2)
    assert [asked for asked, _ in scans] == [(run_id,) for run_id in RUNS[3:9]]


@pytest.mark.parametrize(
    ("asked", "after", "reason"),
    [
        (RUNS[2:5], RUNS[0], "run run-01 is damaged: its rows are out of order"),
        (RUNS[2:5:2], RUNS[1], "run run-03 is damaged: its rows are out of order"),
        ([*RUNS[2:4], "run-03-a"], RUNS[1], "run run-03-a is damaged: its rows cannot be found"),
        (["a", RUNS[0]], None, "run run-00 is damaged: its rows are out of order"),
    ],
)
def test_no_run_is_passed_over_or_found_between_others(
    told: Reel, asked: list[str], after: str | None, reason: str
) -> None:
    with (
        pytest.raises(LogError, match=reason),
        told.db.reading() as connection,
        damage.snapshot(connection),
    ):
        for _, chunks in run_selection.neighbouring_rows(connection, asked, after):
            list(chunks)
