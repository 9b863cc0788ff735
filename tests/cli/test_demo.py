from __future__ import annotations

import contextlib
import shlex
import sqlite3
from typing import TYPE_CHECKING

import pytest

from runreel.cli.commands import demo_scenario

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.calls import Caller


def test_the_demo_records_shows_replays_and_counts(call: Caller) -> None:
    called = call.good("demo", "--fast")
    assert called.err == ""
    assert called.out.count(demo_scenario.ANSWER) == 2
    assert called.out.count(demo_scenario.LOOKING) == 2
    assert 'weather(place="Moon", unit="celsius")' in called.out
    assert "completed" in called.out
    assert "155 tokens: 58 in, 97 out" in called.out
    assert "Usage known for 1 of 1 runs." in called.out
    for command in ("show latest", "replay latest", "usage --by model"):
        assert f"$ runreel {command}" in called.out


def test_the_demo_is_a_run_like_any_other(call: Caller) -> None:
    call.good("demo", "--fast")
    run = call.good("show", "latest", "--content", "--json").json
    assert run["run_id"].startswith("demo-")
    assert (run["status"], run["recording"], run["text"]) == (
        "COMPLETED",
        "closed",
        demo_scenario.ANSWER,
    )
    assert run["labels"] == {"app": "demo"}
    assert run["message"]["author"]["role"] == "ASSISTANT"
    rows = call.good("events", "latest", "-o", "jsonl").lines
    kinds = [row["kind"] for row in rows]
    assert kinds.count("tool_results") == 1
    assert kinds.count("run") == 2
    assert sum(row["type"] == "PARTIAL_MESSAGE" for row in rows) > 10
    assert call.good("rebuild", "--check").err == "No differences.\n"


def test_the_demo_can_be_run_again(call: Caller) -> None:
    call.good("demo", "--fast")
    assert "Usage known for 2 of 2 runs." in call.good("demo", "--fast").out
    assert len(call.good("runs", "-o", "jsonl").lines) == 2


def test_the_commands_that_the_demo_names_work(call_sqlite: Caller) -> None:
    called = call_sqlite.good("demo", "--fast")
    named = [
        line.partition("runreel ")[2] for line in called.out.splitlines() if "runreel " in line
    ]
    commands = [
        line.split()
        for line in named
        if line.split()[0] in ("runs", "show", "events", "replay", "usage", "--help")
    ]
    assert len(commands) >= 6
    for command in commands:
        instant = ["--instant"] if command[0] == "replay" else []
        call_sqlite.good(*command, *instant)


def test_the_demo_takes_its_time_unless_it_is_fast(
    call_sqlite: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("runreel.cli.commands.demo_scenario.time.sleep", pauses.append)
    call_sqlite.good("demo", "--fast")
    assert sum(pauses) == 0
    call_sqlite.good("demo")
    assert 1 < sum(pauses) < 5


def test_the_demo_has_a_log_of_its_own_unless_one_is_named(
    call_sqlite: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "data" / "runreel" / "demo.db"
    configured = tmp_path / "here" / "configured.db"
    (tmp_path / "here" / "pyproject.toml").write_text('[tool.runreel]\ndb = "configured.db"\n')
    monkeypatch.setenv("RUNREEL_DB", str(tmp_path / "variable.db"))
    called = call_sqlite.bare("demo", "--fast")
    assert (called.code, called.err) == (0, "")
    assert f" to {own}\n" in called.out
    assert own.stat().st_mode & 0o077 == 0
    assert not configured.exists()
    assert not (tmp_path / "variable.db").exists()
    assert not (own.parent / "runreel.db").exists()
    named = [line.partition("runreel ")[2] for line in called.out.splitlines()]
    commands = [shlex.split(line) for line in named if line.startswith("--db ")]
    assert len(commands) == 7
    for command in commands:
        # The page is served until it is stopped; tests/browser looks at it.
        if command[-1] == "ui":
            continue
        assert call_sqlite.bare(*command).code == 0
    assert call_sqlite.good("demo", "--fast").out.count("--db") == 0


@pytest.mark.parametrize("version", ["0", None])
def test_the_demo_rebuilds_its_own_log_of_another_version(
    version: str | None, call_sqlite: Caller, tmp_path: Path
) -> None:
    own = tmp_path / "data" / "runreel" / "demo.db"
    call_sqlite.bare("demo", "--fast")
    with contextlib.closing(sqlite3.connect(own)) as connection:
        where = "WHERE key = 'projection_version'"
        if version is None:
            connection.execute(f"DELETE FROM runreel_meta {where}")
        else:
            connection.execute(f"UPDATE runreel_meta SET value = ? {where}", (version,))
        connection.commit()
    called = call_sqlite.bare("demo", "--fast")
    assert called.code == 0
    assert called.err == f"Rebuilt {own}: written by another version of runreel.\n"
    assert "Usage known for 2 of 2 runs." in called.out
    assert call_sqlite.bare("demo", "--fast").err == ""
