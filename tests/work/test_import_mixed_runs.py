"""Files in which runs mix: each event is stored in its own run, whatever stands between."""

from __future__ import annotations

import json
import random

import pytest

from runreel.importing.batch import Batch
from runreel.importing.import_files import import_files
from runreel.importing.run_import import ImportedRun
from runreel.recording.recorder import Recorder
from tests import logs, traffic
from tests.work.mixed_files import MixedFile


def import_seeds(reel, tmp_path, seeds):
    """Import a random file for each seed, and compare the log with dictionaries of lists."""
    expected = {}
    for seed in seeds:
        file = MixedFile(seed)
        path = traffic.write(tmp_path / "mixed.jsonl", [line.raw for line in file.lines])
        report = import_files(reel.db, [path])
        found = [(problem.line, problem.run_id) for problem in report.problems]
        assert sorted(found, key=str) == file.problems(), f"seed {seed}"
        values = file.values()
        assert report.events_new == sum(map(len, values.values())), f"seed {seed}"
        assert report.runs_new == len(values), f"seed {seed}"
        expected |= values
    assert {run_id: logs.said(reel, run_id) for run_id in logs.run_ids(reel)} == expected
    assert {run.recording for run in reel.runs(limit=0)} <= {"closed"}
    assert reel.rebuild(check=True) == []


def arrival_order(seed: int, runs: int = 8, events: int = 50) -> list[traffic.Line]:
    """The lines of a server that records several runs at once, each in its own order."""
    mixer = random.Random(seed)  # noqa: S311 - it only mixes
    streams = []
    for n in range(runs):
        run = traffic.Run(f"run-{n}", thread=f"thread-{n}")
        texts = ["word " * (k + 1) for k in range(events - 1)]
        streams.append([*map(run.partial, texts), run.done(texts[-1])])
    lines = []
    while any(streams):
        lines.append(mixer.choice([stream for stream in streams if stream]).pop(0))
    return lines


def test_two_runs_that_alternate_are_kept_apart(reel, tmp_path):
    a, b = traffic.Run("a"), traffic.Run("b")
    texts = ["1", "12", "123"]
    lines = [*map(a.partial, texts), b.partial("x"), a.partial("1234")]
    report = import_files(reel.db, [traffic.write(tmp_path / "f.jsonl", lines)])

    assert (report.events_new, report.runs_new, report.problems) == (5, 2, [])
    assert logs.said(reel, "a") == [line["data"] for line in [*lines[:3], lines[4]]]
    assert logs.said(reel, "b") == [lines[3]["data"]]
    for run_id in ("a", "b"):
        assert [type_ for type_, _ in logs.notes(reel, run_id)] == ["opened", "closed"]


@pytest.mark.parametrize("seed", range(5))
def test_runs_that_a_server_records_at_once_are_stored_whole(reel, tmp_path, seed):
    lines = arrival_order(seed)
    path = traffic.write(tmp_path / "f.jsonl", lines)
    report = import_files(reel.db, [path])

    assert (report.events_new, report.runs_new, report.problems) == (400, 8, [])
    for n in range(8):
        of_run = [line["data"] for line in lines if line["request"]["runId"] == f"run-{n}"]
        assert logs.said(reel, f"run-{n}") == of_run
    again = import_files(reel.db, [path])
    assert (again.events_new, again.events_known, again.problems) == (0, 400, [])


def test_more_mixed_runs_than_are_held_open_are_stored_whole(reel, tmp_path, monkeypatch):
    """What closes a run early is committed before the run is opened again."""
    monkeypatch.setattr("runreel.importing.importer.OPEN_RUNS", 3)
    lines = arrival_order(7, events=20)
    path = traffic.write(tmp_path / "f.jsonl", lines)
    report = import_files(reel.db, [path])

    assert (report.events_new, report.runs_new, report.problems) == (160, 8, [])
    for n in range(8):
        of_run = [line["data"] for line in lines if line["request"]["runId"] == f"run-{n}"]
        assert logs.said(reel, f"run-{n}") == of_run
        types = [type_ for type_, _ in logs.notes(reel, f"run-{n}")]
        assert types == ["opened", "closed", *["resumed", "closed"] * (len(types) // 2 - 1)]
    assert {run.recording for run in reel.runs()} == {"closed"}
    assert import_files(reel.db, [path]).events_new == 0


def test_an_unreadable_line_among_mixed_runs_is_of_the_run_that_skips_a_number(reel, tmp_path):
    lines = arrival_order(1)
    middle = len(lines) // 2
    lost = lines[middle]["request"]["runId"]
    file = [*lines[:middle], json.dumps(lines[middle])[:150], *lines[middle + 1 :]]
    report = import_files(reel.db, [traffic.write(tmp_path / "f.jsonl", file)])

    assert [(p.line, p.run_id) for p in report.problems] == [(middle + 1, lost)]
    assert logs.run_ids(reel) == [f"run-{n}" for n in range(8) if f"run-{n}" != lost]
    assert report.events_new == 350


def test_lines_of_something_else_among_mixed_runs_leave_no_run_out(reel, tmp_path):
    lines = arrival_order(2)
    file = [*lines[:99], "Listening on port 80", *lines[99:], '{"level": "info"}', "{"]
    report = import_files(reel.db, [traffic.write(tmp_path / "f.jsonl", file)])

    assert [(p.line, p.run_id) for p in report.problems] == [(100, None), (402, None), (403, None)]
    assert report.events_new == 400


def test_an_event_without_a_run_after_an_unreadable_line_may_be_of_another_run(reel, tmp_path):
    """The unreadable line may have named the run that the event is of."""
    lines = arrival_order(3)
    of_nobody = {key: value for key, value in lines[200].items() if key != "request"}
    before = lines[199]["request"]["runId"]
    file = [*lines[:200], "{", of_nobody, *lines[201:]]
    report = import_files(reel.db, [traffic.write(tmp_path / "f.jsonl", file)])

    assert before in {problem.run_id for problem in report.problems}
    assert before not in logs.run_ids(reel)


def test_a_run_goes_on_after_an_unreadable_line_that_names_it(reel, tmp_path):
    """Events without a run belong to the run that the line before names, readable or not."""
    run = traffic.Run("bad")
    events = [{"type": "stream_event", "data": run.partial("a" * n)["data"]} for n in range(1, 9)]
    good = traffic.streamed("good", thread="thread-good")
    file = [*good, json.dumps(run.pending())[:60], *events, *traffic.streamed("last")]
    report = import_files(reel.db, [traffic.write(tmp_path / "f.jsonl", file)])

    assert [(p.line, p.run_id) for p in report.problems] == [(len(good) + 1, "bad")]
    assert logs.run_ids(reel) == ["good", "last"]
    assert logs.said(reel, "good") == [line["data"] for line in good]


@pytest.mark.parametrize("second_is_new", [True, False])
@pytest.mark.parametrize("first_is_new", [True, False])
def test_a_batch_keeps_the_rows_of_every_holder(reel, first_is_new, second_is_new):
    """Whoever holds rows of a run: those of the holder before are committed, not replaced."""
    run, batch = traffic.Run("run-1"), Batch(reel.db)
    events = [run.partial("a" * n)["data"] for n in range(1, 5)]
    first = ImportedRun(reel.db, batch, "run-1", "yandex-assistants", new=first_is_new)
    second = ImportedRun(reel.db, batch, "run-1", "yandex-assistants", new=second_is_new)
    third = Recorder(reel.db, "run-1", source="yandex-assistants", via="import", batch=batch)
    first.offer("stream_event", events[0])
    first.offer("stream_event", events[1])
    for holder in (second, third):
        for event in events:
            holder.offer("stream_event", event)
    batch.flush()

    assert logs.said(reel, "run-1") == events
    assert not batch.contains("run-1")


@pytest.mark.parametrize("part", range(2))
def test_runs_in_any_order_are_stored_as_a_dictionary_of_lists_would(reel, tmp_path, part):
    import_seeds(reel, tmp_path, range(part * 30, part * 30 + 30))


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_two_hundred_orders_are_stored_as_a_dictionary_of_lists_would(reel, tmp_path, part):
    import_seeds(reel, tmp_path, range(1_000 + part * 50, 1_050 + part * 50))
