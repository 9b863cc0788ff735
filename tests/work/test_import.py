"""Imports: of all at once, again, of longer copies, of several runs in one file."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

import runreel
from runreel.importing.import_files import import_files
from runreel.model.errors import UsageError
from runreel.model.events import CONTEXT
from runreel.recording.recorder import Recorder
from tests import logs, real_runs, traffic

if TYPE_CHECKING:
    from pathlib import Path

RECORDINGS = {
    shape.replace(" ", "-"): make() for shape, make in traffic.SHAPES.items()
} | real_runs.RECORDINGS


def everything(reel) -> dict[str, list]:
    """What the log holds of each run's source."""
    return {run_id: logs.told(reel, run_id) for run_id in logs.run_ids(reel)}


def at_once(tmp_path: Path, lines: list) -> dict[str, list]:
    """What the log holds when these lines are imported by one reading."""
    (tmp_path / "whole").mkdir(exist_ok=True)
    with runreel.open(tmp_path / "whole" / "log.db") as reel:
        import_files(reel.db, [traffic.write(tmp_path / "whole" / "w.jsonl", lines)])
        return everything(reel)


@pytest.mark.parametrize("name", RECORDINGS)
def test_a_copy_cut_anywhere_and_then_the_whole_one_are_as_if_imported_at_once(tmp_path, name):
    lines = RECORDINGS[name]
    whole = at_once(tmp_path, lines)
    for cut in range(len(lines)):
        with runreel.open(tmp_path / f"{cut}.db") as reel:
            import_files(reel.db, [traffic.write(tmp_path / "copy.jsonl", lines[:cut])])
            told = sum(len(events) for events in everything(reel).values())
            report = import_files(reel.db, [traffic.write(tmp_path / "copy.jsonl", lines)])

            assert everything(reel) == whole
            assert (report.events_known, report.problems) == (told, [])
            assert reel.rebuild(check=True) == []
            logs.verify(reel)


def test_a_copy_that_grows_line_by_line_is_stored_once(reel, tmp_path):
    lines = traffic.with_tools()
    for end in range(len(lines) + 1):
        report = import_files(reel.db, [traffic.write(tmp_path / "growing.jsonl", lines[:end])])
        assert report.events_new <= 2, "the first run line brings the assistant's with it"

    assert everything(reel) == at_once(tmp_path, lines)
    assert reel.rebuild(check=True) == []


def test_what_was_told_twice_is_two_rows_and_never_three(reel, tmp_path):
    run = traffic.Run()
    lines = [run.pending(), run.pending(), run.in_progress(), run.pending()]
    path = traffic.write(tmp_path / "polled.jsonl", lines)
    assert import_files(reel.db, [path]).events_new == 4
    assert import_files(reel.db, [path, path]).events_new == 4, "the same file twice is more"
    assert import_files(reel.db, [path, path]).events_new == 0

    assert logs.said(reel, "run-1") == [line["data"] for line in lines * 2]


def test_a_numbered_event_is_stored_once_however_often_it_is_delivered(reel, tmp_path):
    run = traffic.Run()
    events = [run.partial("a" * n) for n in range(1, 6)]
    lines = [run.pending(), *(event for event in events for _ in range(3)), *events]
    report = import_files(reel.db, [traffic.write(tmp_path / "retried.jsonl", lines)])

    assert logs.said(reel, "run-1") == [line["data"] for line in [lines[0], *events]]
    assert (report.events_new, report.events_known, report.problems) == (6, 15, [])


def test_a_stream_delivered_twice_over_is_imported_in_time_that_grows_with_it(reel, tmp_path):
    run = traffic.Run()
    events = [run.partial(f"{n} " * n) for n in range(400)]
    doubled = [run.pending(), *(event for event in events for _ in range(2))]
    looked = 0
    look = Recorder._read_rows

    def counted(recorder):
        nonlocal looked
        looked += 1
        return look(recorder)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Recorder, "_read_rows", counted)
        report = import_files(reel.db, [traffic.write(tmp_path / "doubled.jsonl", doubled)])

    assert (report.events_new, report.events_known) == (401, 400)
    assert looked < 10, "the log is not read anew for each of them"


def test_runs_told_line_by_line_in_turn_are_kept_apart(reel, tmp_path):
    apart = [
        make(f"run-{n}", assistant=f"asst-{n}", thread=f"thread-{n}")
        for n, make in enumerate(traffic.SHAPES.values())
    ]
    mixed = traffic.interleaved(*apart)
    report = import_files(reel.db, [traffic.write(tmp_path / "mixed.jsonl", mixed)])

    assert report.problems == []
    assert report.runs_new == report.runs_touched == len(apart)
    for n, lines in enumerate(apart):
        source = [line["data"] for line in lines if line["type"] not in ("assistant", "message")]
        assert logs.said(reel, f"run-{n}") == source
    assert import_files(reel.db, [str(tmp_path / "mixed.jsonl")]).events_new == 0
    assert reel.rebuild(check=True) == []


def test_runs_of_one_thread_know_the_questions_before_them(reel, tmp_path):
    lines = traffic.thread_of(4)
    import_files(reel.db, [traffic.write(tmp_path / "thread.jsonl", lines)])

    assert [item.run_id for item in reel.runs()] == ["run-3", "run-2", "run-1", "run-0"]
    assert {item.model for item in reel.runs()} == {traffic.MODEL}
    for n in range(4):
        context = [e.raw for e in reel.events(f"run-{n}") if e.kind == CONTEXT]
        assert [value["id"] for value in context][: n + 2] == [
            "asst-1",
            *(f"msg-{k}" for k in range(n + 1)),
        ]
    assert import_files(reel.db, [str(tmp_path / "thread.jsonl")]).events_new == 0


def test_several_files_are_one_import(reel, tmp_path):
    paths = [
        traffic.write(tmp_path / f"{n}.jsonl", traffic.streamed(f"run-{n}", f"Answer {n}"))
        for n in range(30)
    ]
    report = import_files(reel.db, paths)

    assert (report.runs_new, report.lines, report.problems) == (30, 30 * 5, [])
    assert import_files(reel.db, list(reversed(paths))).events_new == 0


def test_more_files_than_a_process_may_open_are_imported(tmp_path):
    for n in range(80):
        traffic.write(tmp_path / f"{n}.jsonl", traffic.listened_late(f"run-{n}"))
    script = (
        "import resource, sys, pathlib, runreel;"
        "from runreel.importing.import_files import import_files;"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40));"
        "reel = runreel.open('log.db');"
        "print(import_files(reel.db, [str(p) for p in pathlib.Path().glob('*.jsonl')]).runs_new)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.stdout.strip(), done.stderr) == ("80", "")


def test_standard_input_is_imported_like_a_file(reel, tmp_path, monkeypatch):
    text = "\n".join(map(json.dumps, traffic.streamed()))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    report = import_files(reel.db, ["-"])

    assert (report.runs_new, report.problems) == (1, [])
    assert everything(reel) == at_once(tmp_path, traffic.streamed())


def test_a_pipe_is_imported_like_a_file(reel, tmp_path):
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    writer = threading.Thread(target=traffic.write, args=(fifo, traffic.streamed()))
    writer.start()
    report = import_files(reel.db, [str(fifo)])
    writer.join()

    assert (report.runs_new, report.problems) == (1, [])
    assert everything(reel) == at_once(tmp_path, traffic.streamed())


def test_a_file_that_cannot_be_read_is_named_before_anything_is_stored(reel, tmp_path):
    good = traffic.write(tmp_path / "good.jsonl", traffic.streamed())
    with pytest.raises(UsageError, match=r"cannot read .*: No such file"):
        import_files(reel.db, [good, str(tmp_path / "gone.jsonl")])
    assert logs.rows(reel) == []


def test_blank_lines_comments_and_a_missing_last_newline_are_nothing(reel, tmp_path):
    lines = [json.dumps(line) for line in traffic.streamed()]
    text = "\r\n\n : a comment\n" + "\r\n\n".join(lines)
    (tmp_path / "odd.jsonl").write_text(text, encoding="utf-8", newline="")
    report = import_files(reel.db, [str(tmp_path / "odd.jsonl")])

    assert (report.lines, report.problems) == (len(lines), [])
    assert everything(reel) == at_once(tmp_path, traffic.streamed())


def test_server_sent_events_are_imported_as_their_data(reel, tmp_path):
    lines = [f"event: message\ndata: {json.dumps(line)}\n" for line in traffic.streamed()]
    path = traffic.write(tmp_path / "sse.txt", [*lines, "data: [DONE]"])
    report = import_files(reel.db, [path])

    assert report.problems == []
    assert everything(reel) == at_once(tmp_path, traffic.streamed())


def test_a_run_that_is_recorded_here_is_added_to_by_an_import(reel, tmp_path):
    lines = traffic.streamed()
    with reel.recording("run-1", source="yandex-assistants") as recording:
        for line in lines[:3]:
            recording.offer(line["type"], line["data"])
    report = import_files(reel.db, [traffic.write(tmp_path / "copy.jsonl", lines)])

    assert logs.said(reel, "run-1") == [line["data"] for line in lines]
    assert (report.events_known, report.events_new, report.runs_new) == (3, len(lines) - 3, 0)
    assert reel.run("run-1").recording == "closed"
    assert reel.rebuild(check=True) == []


def test_an_import_leaves_a_recording_open_that_has_nothing_to_learn_from_it(reel, tmp_path):
    lines = traffic.streamed()
    recording = reel.recording("run-1", source="yandex-assistants")
    for line in lines:
        recording.offer(line["type"], line["data"])
    before = logs.rows(reel)
    import_files(reel.db, [traffic.write(tmp_path / "copy.jsonl", lines)])

    assert logs.rows(reel) == before
    assert reel.run("run-1").recording == "open"
    recording.close()
    assert reel.run("run-1").recording == "closed"


@pytest.mark.parametrize("jobs", [1, 2])
def test_progress_ends_at_all_bytes_and_counts_every_line(reel, tmp_path, monkeypatch, jobs):
    monkeypatch.setattr("runreel.importing.batch.ROWS", 300)
    lines = [line for n in range(300) for line in traffic.streamed(f"run-{n}")]
    path = traffic.write(tmp_path / "many.jsonl", lines)
    told: list[tuple[int, int | None, int]] = []
    import_files(reel.db, [path], jobs=jobs, progress=lambda *at: told.append(at))

    done = [at[0] for at in told]
    assert done == sorted(done)
    assert told[-1][0] == told[-1][1]
    assert told[-1][2] == len(lines)
    assert len(told) > 2, "on the way too"


def test_an_import_of_more_runs_than_it_holds_open_is_complete(reel, tmp_path, monkeypatch):
    monkeypatch.setattr("runreel.importing.importer.OPEN_RUNS", 4)
    apart = [traffic.streamed(f"run-{n}", f"The answer of {n}") for n in range(11)]
    path = traffic.write(tmp_path / "mixed.jsonl", traffic.interleaved(*apart))
    report = import_files(reel.db, [path])

    assert (report.runs_new, report.runs_touched, report.problems) == (11, 11, [])
    for n, lines in enumerate(apart):
        assert logs.said(reel, f"run-{n}") == [line["data"] for line in lines]
        assert reel.run(f"run-{n}").recording == "closed"
    before = logs.rows(reel)
    assert import_files(reel.db, [path]).events_new == 0
    assert logs.rows(reel) == before
    assert reel.rebuild(check=True) == []
