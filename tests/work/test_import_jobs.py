"""Imports by several processes: the log and the report are those of one process."""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import random
import signal
from typing import TYPE_CHECKING, Any, TypeVar, cast

import pytest

import runreel
from runreel.importing import draft_workers, drafts, file_parts
from runreel.importing.batch import Batch
from runreel.importing.import_files import import_files
from runreel.model.errors import UsageError
from runreel.recording.recorder import Recorder
from runreel.store.database import Database
from tests import logs, traffic
from tests.work.imported import difference, stored
from tests.work.mixed_files import MixedFile
from tests.work.test_import_stretches import growing

if TYPE_CHECKING:
    from pathlib import Path

    from runreel.importing.drafted_run import Draft
    from runreel.importing.drafts import Segment

T = TypeVar("T")


def sent(value: T) -> T:
    """What arrives of a value at the other end of a pipe."""
    return cast("T", pickle.loads(pickle.dumps(value)))  # noqa: S301 - of this process


class Here:
    """Drafts in this process, with all that is sent as it is sent; counts what is drafted."""

    drafted = refused = 0

    def __init__(self, _: object, url: str) -> None:
        self._database = Database(url, create=False)

    def draft(self, segment: Segment) -> Draft | None:
        try:
            found = drafts.draft(self._database, sent(segment))
        except drafts.NotDrafted:
            Here.refused += 1
            return None
        Here.drafted += len(found.runs)
        return sent(found)

    def end(self) -> None: ...


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> type[Here]:
    """Workers in this process, and parts of a few lines."""
    monkeypatch.setattr(draft_workers, "_Worker", Here)
    monkeypatch.setattr(file_parts, "LINES", 8)
    monkeypatch.setattr(Here, "drafted", 0)
    monkeypatch.setattr(Here, "refused", 0)
    return Here


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_parts, "LINES", 20)


def many(count: int, **run: Any) -> list[traffic.Line]:
    """Runs one after the other, each with a text that grows."""
    return [
        line
        for n in range(count)
        for line in traffic.streamed(f"run-{n}", f"Answer {n} of many words", **run)
    ]


def mixed(tmp_path: Path, seed: int) -> list[str]:
    """Files of runs of all sources, whole and mixed, with bad lines, repetitions and contexts."""
    chance = random.Random(seed)  # noqa: S311 - it only mixes
    paths = []
    for number in range(chance.choice([1, 1, 2])):
        lines: list[Any] = []
        if chance.random() < 0.4:
            lines += [traffic.assistant("asst-1"), traffic.question("Why?", thread="thread-1")]
        for n in range(6):
            kind = chance.random()
            name = f"{seed}-{number}-{n}"
            if kind < 0.4:
                lines += [line.raw for line in MixedFile(seed * 20 + number * 7 + n).lines]
            elif kind < 0.7:
                run = traffic.Run(name)
                lines += [run.pending(), *growing(run, chance.randrange(20), seed)]
            else:
                shape = chance.choice(list(traffic.SHAPES.values()))
                lines += shape(chance.choice([name, f"{seed}-same"]))
            if chance.random() < 0.1:
                lines += lines[-3:]
        paths.append(traffic.write(tmp_path / f"{number}.jsonl", lines))
    return paths


@pytest.mark.parametrize("part", range(2))
def test_files_of_any_kind_are_stored_as_by_one_process(tmp_path, here, part):
    drafted = 0
    for seed in range(part * 6, part * 6 + 6):
        folder = tmp_path / str(seed)
        folder.mkdir()
        paths = mixed(folder, seed)
        # The log may have a part of it.
        if seed % 3 == 0:
            for name in ("one", "two"):
                stored(folder / name, traffic.write(folder / "a.jsonl", many(1)), paths[-1])
        alone = stored(folder / "one", *paths)
        assert difference(stored(folder / "two", *paths, jobs=2), alone) is None, f"seed {seed}"
        drafted += here.drafted
    assert drafted > 20


@pytest.mark.slow
@pytest.mark.parametrize("part", range(2))
def test_more_files_of_any_kind_are_stored_as_by_one_process(tmp_path, here, part):
    for seed in range(100 + part * 10, 110 + part * 10):
        folder = tmp_path / str(seed)
        folder.mkdir()
        paths = mixed(folder, seed)
        found = stored(folder / "2", *paths, jobs=2)
        assert difference(found, stored(folder / "1", *paths)) is None, f"seed {seed}"


@pytest.mark.parametrize("jobs", [2, 3])
def test_worker_processes_store_what_one_process_stores(tmp_path, small_parts, jobs):
    lines: list[Any] = [traffic.assistant(), *many(30)]
    lines[50] = json.dumps(lines[50])[:40]
    path = traffic.write(tmp_path / "f.jsonl", lines)
    alone = stored(tmp_path / "one", path)

    assert [problem.line for problem in alone.report.problems] == [51]
    # Also the notes, which name the process.
    assert difference(stored(tmp_path / "many", path, jobs=jobs), alone) is None


@pytest.mark.usefixtures("small_parts")
def test_all_runs_are_drafted_and_none_is_read_from_the_log(reel, tmp_path, here, monkeypatch):
    path = traffic.write(tmp_path / "f.jsonl", [traffic.assistant(), *many(40)])
    monkeypatch.setattr(Recorder, "__init__", lambda *_, **__: pytest.fail("reads the log"))
    report = import_files(reel.db, [path], jobs=2)

    assert (report.runs_new, report.runs_touched, report.problems) == (40, 40, [])
    # The first part has the context, and so the first run.
    assert (here.drafted, here.refused) == (39, 0)


def test_events_that_arrive_twice_are_left_to_the_log(tmp_path, here):
    lines = [line for line in many(10) for _ in range(2)]
    path = traffic.write(tmp_path / "f.jsonl", lines)

    found = stored(tmp_path / "2", path, jobs=2)
    assert difference(found, stored(tmp_path / "1", path)) is None
    assert here.refused
    assert not here.drafted


def test_a_second_import_adds_nothing(reel, tmp_path, here):
    path = traffic.write(tmp_path / "f.jsonl", many(20))
    assert import_files(reel.db, [path], jobs=2).events_new == len(many(20))
    drafted, before = here.drafted, logs.rows(reel)
    report = import_files(reel.db, [path], jobs=2)

    assert (report.events_new, report.events_known) == (0, len(many(20)))
    assert (here.drafted, logs.rows(reel)) == (drafted, before)


def test_a_run_that_another_process_begins_meanwhile_is_stored_once(reel, tmp_path, here):
    lines = many(12)
    path = traffic.write(tmp_path / "f.jsonl", lines)
    flush, others = Batch.flush, ["run-3", "run-7"]

    def begin_others(batch: Batch) -> None:
        while others:
            run_id = others.pop()
            with reel.recording(run_id, source="yandex-assistants") as recording:
                for line in lines:
                    if line["request"]["runId"] == run_id:
                        recording.offer(line["type"], line["data"])
        flush(batch)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Batch, "flush", begin_others)
        report = import_files(reel.db, [path], jobs=2)

    assert (report.problems, here.refused) == ([], 0)
    for n in range(12):
        of_run = [line["data"] for line in lines if line["request"]["runId"] == f"run-{n}"]
        assert logs.said(reel, f"run-{n}") == of_run
    assert reel.rebuild(check=True) == []


def test_masked_values_are_masked_by_any_number_of_processes(tmp_path, here):
    path = traffic.write(tmp_path / "f.jsonl", many(12))
    with runreel.open(tmp_path / "log.db", mask=["words"]) as reel:
        assert import_files(reel.db, [path], jobs=2).runs_new == 12
        assert not any("words" in (row.payload or "") for row in logs.rows(reel))
    assert not here.drafted


@pytest.mark.usefixtures("small_parts")
def test_standard_input_and_compressed_files_are_drafted(tmp_path, here, monkeypatch):
    path = traffic.write(tmp_path / "f.jsonl", many(20))
    data = (tmp_path / "f.jsonl").read_bytes()
    (tmp_path / "f.gz").write_bytes(gzip.compress(data))
    alone = stored(tmp_path / "one", path)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))

    assert difference(stored(tmp_path / "stdin", "-", jobs=2), alone) is None
    assert difference(stored(tmp_path / "gz", str(tmp_path / "f.gz"), jobs=2), alone) is None
    assert here.drafted == 40


@pytest.mark.usefixtures("small_parts")
def test_the_parts_of_a_worker_that_is_killed_are_stored_by_the_others(tmp_path, monkeypatch):
    path = traffic.write(tmp_path / "f.jsonl", many(40))
    draft = draft_workers._Worker.draft
    seen: list[Segment] = []

    def kill_third(worker: draft_workers._Worker, segment: Segment) -> Draft | None:
        seen.append(segment)
        if len(seen) == 3:
            os.kill(worker.process.pid, signal.SIGKILL)
        return draft(worker, segment)

    monkeypatch.setattr(draft_workers._Worker, "draft", kill_third)
    alone = stored(tmp_path / "one", path)
    found = stored(tmp_path / "two", path, jobs=2)

    assert difference(found, found._replace(rows=alone.rows)) is None
    (notice,) = found.report.notices
    assert "ended unexpectedly" in notice
    assert (found.report.lines, found.report.runs_touched) == (alone.report.lines, 40)


@pytest.mark.usefixtures("small_parts")
def test_an_import_goes_on_where_no_process_can_be_started(tmp_path, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    path = traffic.write(tmp_path / "f.jsonl", many(20))
    alone = stored(tmp_path / "one", path)
    monkeypatch.setattr("subprocess.Popen", refuse)
    found = stored(tmp_path / "two", path, jobs=3)

    assert difference(found, found._replace(rows=alone.rows)) is None
    (notice,) = found.report.notices
    assert "did not start" in notice


@pytest.mark.usefixtures("small_parts")
def test_an_interrupt_ends_the_workers_and_keeps_whole_runs(tmp_path, monkeypatch):
    path = traffic.write(tmp_path / "f.jsonl", many(60))
    monkeypatch.setattr("runreel.importing.batch.ROWS", 50)
    flush, begun, flushed = Batch.flush, [], []
    begin = draft_workers._Worker.__init__
    monkeypatch.setattr(
        draft_workers._Worker, "__init__", lambda *args: begun.append(args[0]) or begin(*args)
    )

    def interrupt_third(batch: Batch) -> None:
        flushed.append(batch)
        if len(flushed) == 3:
            raise KeyboardInterrupt
        flush(batch)

    with runreel.open(tmp_path / "log.db") as reel:
        with monkeypatch.context() as patch:
            patch.setattr(Batch, "flush", interrupt_third)
            with pytest.raises(KeyboardInterrupt):
                import_files(reel.db, [path], jobs=3)
        assert [worker.process.returncode for worker in begun] == [-signal.SIGKILL] * 2
        runs = reel.runs(limit=0)
        assert 0 < len(runs) < 60
        assert {run.recording for run in runs} == {"closed"}
        assert reel.rebuild(check=True) == []
        assert import_files(reel.db, [path], jobs=2).runs_new == 60 - len(runs)
    assert stored(tmp_path, path).report.events_new == 0


def test_the_number_of_processes_is_checked(reel, tmp_path):
    path = traffic.write(tmp_path / "f.jsonl", many(2))
    with pytest.raises(UsageError, match="jobs"):
        reel.import_file(path, jobs=0)
    assert reel.import_file(path, jobs=2).runs_new == 2
