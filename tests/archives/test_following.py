"""A followed archive adds what is written to it, as if all had been there at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

import runreel
from runreel import UsageError
from runreel.importing.archives.following import ArchiveFollower
from runreel.model.import_report import Report
from tests.archives import claude_code as cc
from tests.archives import codex, llm_logs
from tests.archives.contents import content, store, totals

COUNTED = cc.FIRST[0] + cc.SECOND[0], cc.FIRST[1] + cc.SECOND[1]


def test_each_line_is_added_as_it_is_complete(reel, tmp_path):
    folder = tmp_path / "projects"
    folder.mkdir()
    report = Report()
    follower = ArchiveFollower(reel.db, [str(tmp_path)], report)
    assert follower.read() == 0
    raw = cc.sample().raw()
    with (folder / "s1.jsonl").open("ab", buffering=0) as file:
        added = []
        for line in raw:
            file.write(line[:20])
            assert follower.read() == 0
            file.write(line[20:])
            added.append(follower.read())
    assert added == [0, 0, 2, 1, 1, 1, 0, 1, 0, 0, 2]
    assert follower.read() == 0
    follower.finish()
    assert (report.problems, report.runs_new, totals(reel)) == ([], 2, COUNTED)
    with runreel.open(tmp_path / "whole.db") as whole:
        store(whole, tmp_path / "projects")
        assert content(reel) == content(whole)


def test_files_that_come_later_and_that_are_written_again(reel, tmp_path):
    report = Report()
    follower = ArchiveFollower(reel.db, [str(tmp_path)], report)
    (tmp_path / "notes.jsonl").write_text("{}\n")
    first = cc.sample().write(tmp_path)
    llm_logs.write(tmp_path / "logs.db", newer=True, turns=1)
    follower.read()
    codex.sample().write(tmp_path)
    llm_logs.write(tmp_path / "logs.db", newer=True)
    first.write_bytes(b"".join(cc.sample().raw()[:4]))
    follower.read()
    cc.sample().write(tmp_path)
    follower.read()
    follower.finish()
    assert report.problems == []
    expected = (COUNTED[0] + 60 + llm_logs.SUM[0], COUNTED[1] + 11 + llm_logs.SUM[1])
    assert totals(reel) == expected


def test_import_file_takes_folders_and_names_of_archives(reel, tmp_path):
    cc.sample().write(tmp_path / "projects")
    assert reel.import_file(tmp_path).runs_new == 2
    assert reel.import_file(tmp_path / "projects" / "s1.jsonl", archive="claude-code").runs_new == 0
    with pytest.raises(UsageError, match="unknown archive 'nothing'"):
        reel.import_file(tmp_path, archive="nothing")


def test_the_command_watches_until_it_is_interrupted(tmp_path):
    session, log = cc.sample().raw(), tmp_path / "log.db"
    folder = tmp_path / "projects"
    folder.mkdir()
    path = folder / "s1.jsonl"
    path.write_bytes(b"".join(session[:3]))
    arguments = ["import", "--watch", str(tmp_path), "-o", "json"]
    with subprocess.Popen(
        [sys.executable, "-m", "runreel", "--db", str(log), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        assert "Watching" in process.stderr.readline()
        with path.open("ab") as file:
            file.write(b"".join(session[3:]))
        assert "6 events added" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        printed, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert json.loads(printed)["events_new"] == 8
    with runreel.open(log) as reel:
        assert totals(reel) == COUNTED
