"""Both generations of the log of ``llm`` are read, and neither is changed."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

import runreel
from runreel import RunStatus
from runreel.importing.import_files import import_files
from tests import traffic
from tests.archives import llm_logs
from tests.archives.contents import content, store, totals

BOTH = pytest.mark.parametrize("newer", [False, True])


@BOTH
def test_a_turn_of_the_user_is_a_run_and_a_conversation_its_thread(reel, tmp_path, newer):
    path = llm_logs.write(tmp_path / "logs.db", newer=newer)
    before = path.read_bytes()
    report = store(reel, path)
    assert (report.problems, report.notices, report.runs_new) == ([], [], llm_logs.RUNS)
    assert totals(reel) == llm_logs.SUM
    second, first = reel.runs()
    assert (first.run_id, second.run_id) == ("r1", "r3")
    for run in (first, second):
        assert (run.thread_id, run.source, run.model) == ("talk", "llm-log", "gpt-5-mini-2026")
        assert (run.status, run.recording) == (RunStatus.COMPLETED, "closed")
        assert run.first_text_ms is None
    assert (first.usage_details.cached_tokens, second.duration_ms) == (6, 500)
    assert reel.result("r1").text == "it is 3"
    steps = list(reel.story("r1"))
    texts = [message.text for message in steps[0].messages]
    assert texts == ["be brief", "a fragment\nwhat is 1+2"]
    (call,) = [step for step in steps if type(step).__name__ == "ToolCallStep"]
    assert (call.name, call.arguments, call.result) == ("add", {"a": 1, "b": 2}, "3")
    assert reel.rebuild(check=True) == []
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir() if "logs" in one.name] == ["logs.db"]


@BOTH
def test_a_log_that_has_grown_adds_only_what_is_new(reel, tmp_path, newer):
    for turns in (1, 2, 3, 3):
        report = store(reel, llm_logs.write(tmp_path / "logs.db", newer=newer, turns=turns))
    assert report.events_new == 0
    with runreel.open(tmp_path / "whole.db") as whole:
        store(whole, tmp_path / "logs.db")
        assert content(reel) == content(whole)


def test_a_database_that_another_program_holds_is_named_and_the_rest_imported(
    reel, tmp_path, monkeypatch
):
    monkeypatch.setattr("runreel.store.foreign_sqlite._PATIENCE", 0.05)
    path = llm_logs.write(tmp_path / "logs.db", newer=False)
    good = traffic.write(tmp_path / "good.jsonl", traffic.streamed())
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        report = import_files(reel.db, [str(path), good])
    (problem,) = report.problems
    assert (problem.file, "another program holds" in problem.message) == (str(path), True)
    assert report.runs_new == 1


def test_databases_of_others_are_refused_as_before(reel, tmp_path):
    with closing(sqlite3.connect(tmp_path / "other.db")) as database, database:
        database.execute("CREATE TABLE x (y)")
    (problem,) = store(reel, tmp_path / "other.db").problems
    assert "is a SQLite database" in problem.message
    (problem,) = store(reel, tmp_path / "other.db", archive="llm-log").problems
    assert "no log of llm" in problem.message
