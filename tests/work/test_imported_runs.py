"""Runs that are new to the log: what is drafted of them is what a recorder would append."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import runreel
from runreel.importing import batch, input_files
from runreel.importing.batch import Batch
from runreel.importing.import_files import import_files
from runreel.importing.new_run_writer import NewRunWriter
from runreel.recording.append_unit import AppendUnit
from runreel.recording.recorder import Recorder
from runreel.store.events import stream_ids
from tests import logs, real_runs, traffic

if TYPE_CHECKING:
    from pathlib import Path

RECORDINGS = {shape: make() for shape, make in traffic.SHAPES.items()} | real_runs.RECORDINGS
# Texts that grow, start again, come twice, and change in the middle.
RECORDINGS["rewritten"] = [
    (run := traffic.Run()).pending(),
    *(run.partial(text) for text in ("", "a", "ab\ud83d", "ab\ud83d\ude00", "b", "ba", "ba", "ж")),
    run.done("жж"),
    *(run.partial(text) for text in ("жж.", "жж..")),
    run.in_progress(),
    *(run.partial(text) for text in ("жж...", "x")),
]


def as_recorded(tmp_path: Path, lines: list) -> list[tuple]:
    """What the log holds of the runs if each event is offered to a recorder."""
    with runreel.open(tmp_path / "recorded.db") as reel:
        recorders: dict[str, Recorder] = {}
        for raw in map(json.dumps, lines):
            line = input_files.read(raw.encode())
            if line is None or line.run_id is None:
                continue
            if line.run_id not in recorders:
                told = {"source": line.source, "via": "import"}
                recorders[line.run_id] = Recorder(reel.db, line.run_id, **told)
            recorders[line.run_id].offer(line.kind, line.value)
        for recorder in recorders.values():
            recorder.close()
        return told_of(reel)


def told_of(reel) -> list[tuple]:
    """All of the rows but their times, and what hangs on those."""
    rows = logs.rows(reel)
    return [(row.run_id, row.seq, *row[2:5], row.keep, row.added, row.payload) for row in rows]


@pytest.mark.parametrize("name", RECORDINGS)
def test_a_run_that_is_new_is_stored_as_a_recorder_stores_it(tmp_path, name):
    lines = [line for line in RECORDINGS[name] if line["type"] not in ("assistant", "message")]
    with runreel.open(tmp_path / "log.db") as reel:
        path = traffic.write(tmp_path / "f.jsonl", map(json.dumps, lines))
        assert import_files(reel.db, [path]).problems == []
        assert told_of(reel) == as_recorded(tmp_path, lines)
        assert reel.rebuild(check=True) == []
        logs.verify(reel)


def test_a_run_is_closed_behind_its_last_line_in_whichever_file(reel, tmp_path):
    lines = traffic.streamed("run-1")
    other = traffic.streamed("run-2", thread="thread-2")
    paths = [
        traffic.write(tmp_path / "1.jsonl", [*lines[:3], *other]),
        traffic.write(tmp_path / "2.jsonl", lines[3:]),
    ]
    report = import_files(reel.db, paths)

    assert (report.runs_new, report.runs_touched, report.problems) == (2, 2, [])
    assert logs.said(reel, "run-1") == [line["data"] for line in lines]
    for run_id in ("run-1", "run-2"):
        assert [type_ for type_, _ in logs.notes(reel, run_id)] == ["opened", "closed"]


def test_a_run_is_closed_behind_the_last_message_of_its_thread(reel, tmp_path):
    question = traffic.question("And?", id_="msg-2")
    lines = [*traffic.streamed("run-1"), *traffic.streamed("run-2", thread="thread-2"), question]
    import_files(reel.db, [traffic.write(tmp_path / "f.jsonl", lines)])

    assert logs.said(reel, "run-1") == [line["data"] for line in traffic.streamed("run-1")]
    assert question["data"] in [raw for _, _, raw in logs.told(reel, "run-1")]
    for run_id in ("run-1", "run-2"):
        assert [type_ for type_, _ in logs.notes(reel, run_id)] == ["opened", "closed"]


def test_what_was_offered_is_remembered_of_runs_that_are_closed_early(reel, tmp_path, monkeypatch):
    monkeypatch.setattr("runreel.importing.importer.OPEN_RUNS", 2)
    thread = [line for line in traffic.thread_of(5) for _ in range(2)]
    path = traffic.write(tmp_path / "f.jsonl", thread)
    report = import_files(reel.db, [path])
    assert report.problems == []
    told = {run_id: logs.told(reel, run_id) for run_id in logs.run_ids(reel)}

    monkeypatch.undo()
    with runreel.open(tmp_path / "at_once.db") as other:
        import_files(other.db, [path])
        for run_id, events in told.items():
            assert sorted(map(str, events)) == sorted(map(str, logs.told(other, run_id)))
    assert (report.runs_new, report.runs_touched) == (5, 5)
    assert {item.recording for item in reel.runs()} == {"closed"}
    assert import_files(reel.db, [path]).events_new == 0


def test_a_race_that_is_lost_in_the_middle_of_a_run_costs_nothing(
    reel, db_url, tmp_path, monkeypatch
):
    """Somebody goes on with the run after some of it is committed, and before the rest is."""
    lines = traffic.streamed("run-1", "one two three four five six seven eight")
    monkeypatch.setattr(batch, "ROWS", 4)
    flush, flushes = Batch.flush, 0

    def meanwhile(held):
        nonlocal flushes
        flushes += 1
        if flushes == 2:
            with (
                runreel.open(db_url) as other,
                other.recording("run-1", source="yandex-assistants") as recording,
            ):
                for line in lines[:6]:
                    recording.offer(line["type"], line["data"])
        flush(held)

    monkeypatch.setattr(Batch, "flush", meanwhile)
    path = traffic.write(tmp_path / "f.jsonl", [*lines, lines[0]])
    report = import_files(reel.db, [path])

    assert report.problems == []
    assert logs.said(reel, "run-1") == [line["data"] for line in [*lines, lines[0]]]
    assert reel.run("run-1").recording == "closed"
    assert reel.rebuild(check=True) == []
    before = logs.rows(reel)
    assert import_files(reel.db, [path]).events_new == 0
    assert logs.rows(reel) == before


def test_what_a_new_run_was_offered_counts_where_the_log_is_asked(reel, tmp_path):
    """Equal lines of a run, some before and some behind an event that is told again."""
    run = traffic.Run()
    partial = run.partial("a")
    lines = [run.pending(), run.pending(), partial, partial, run.pending(), run.in_progress()]
    path = traffic.write(tmp_path / "f.jsonl", lines)
    report = import_files(reel.db, [path])

    assert (report.events_new, report.events_known) == (5, 1)
    told = [line["data"] for line in lines]
    assert logs.said(reel, "run-1") == [*told[:3], *told[4:]]
    assert import_files(reel.db, [path]).events_new == 0


def test_a_draft_of_nothing_is_nothing():
    run = NewRunWriter("run-1", "yandex-assistants")
    run.close()
    assert run.drain() == AppendUnit([], None, [])


def test_runs_are_found_that_the_log_has(reel, tmp_path):
    names = ["run-1", "я'\"", "x" * 200]
    lines = [line for name in names for line in traffic.streamed(name)]
    import_files(reel.db, [traffic.write(tmp_path / "f.jsonl", lines)])
    with reel.db.reading() as connection:
        assert stream_ids.existing(connection, [*names, "run-2", "\U0001f600"]) == set(names)
        assert stream_ids.existing(connection, []) == set()
