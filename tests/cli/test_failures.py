from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import runreel
from runreel.cli import error_reporting
from runreel.cli.main import main

if TYPE_CHECKING:
    from tests.cli.calls import Caller

READING = (
    ("runs",),
    ("show", "latest"),
    ("events", "latest"),
    ("replay", "latest"),
    ("usage",),
    ("rebuild",),
    ("rebuild", "--check"),
    ("recover", "--list"),
    ("db", "status"),
)


def names(arguments: tuple[str, ...]) -> str:
    return " ".join(arguments)


@pytest.mark.parametrize(
    "arguments",
    [("show", "nope"), ("events", "nope"), ("replay", "nope"), ("rebuild", "nope")],
    ids=names,
)
def test_an_unknown_run_is_2(arguments: tuple[str, ...], told_sqlite: Caller) -> None:
    called = told_sqlite(*arguments)
    assert (called.code, called.out) == (2, "")
    assert called.err.startswith("Error: run not found: 'nope'")
    assert "Hint: `runreel runs`" in called.err


def test_the_latest_run_of_an_empty_log_is_2(call: Caller) -> None:
    called = call("show", "latest")
    assert called.code == 2
    assert "runreel demo" in called.err


@pytest.mark.parametrize("command", ["show", "events", "replay", "rebuild"])
def test_an_ambiguous_beginning_is_2_and_lists_candidates(
    command: str, told_sqlite: Caller
) -> None:
    called = told_sqlite(command, "run-")
    assert (called.code, called.out) == (2, "")
    for run_id in ("run-done", "run-failed", "run-plain"):
        assert run_id in called.err
    assert "open-run" not in called.err


@pytest.mark.parametrize("arguments", READING, ids=names)
def test_a_missing_database_is_3_and_stays_missing(
    arguments: tuple[str, ...], call_sqlite: Caller, tmp_path: Path
) -> None:
    called = call_sqlite(*arguments)
    assert (called.code, called.out) == (3, "")
    assert f"Error: there is no database at {tmp_path / 'log.db'}" in called.err
    assert "Hint: " in called.err
    assert not list(tmp_path.glob("log.db*"))


@pytest.mark.parametrize(
    "arguments", [*READING, ("demo", "--fast"), ("db", "current"), ("db", "upgrade")], ids=names
)
def test_a_database_of_somebody_else_is_3_and_untouched(
    arguments: tuple[str, ...], call_sqlite: Caller
) -> None:
    with sqlite3.connect(call_sqlite.url) as connection:
        connection.execute("CREATE TABLE theirs (a)")
    connection.close()
    before = Path(call_sqlite.url).read_bytes()
    called = call_sqlite(*arguments)
    assert called.code == 3
    assert "is not a runreel log" in called.err
    assert Path(call_sqlite.url).read_bytes() == before


@pytest.mark.parametrize("arguments", [*READING, ("demo", "--fast"), ("db", "upgrade")], ids=names)
def test_a_file_that_is_no_database_is_3_and_untouched(
    arguments: tuple[str, ...], call_sqlite: Caller
) -> None:
    file = Path(call_sqlite.url)
    file.write_text("Dear diary, " * 100, encoding="utf-8")
    before = file.read_bytes()
    called = call_sqlite(*arguments)
    assert called.code == 3
    assert "is not a SQLite database" in called.err
    assert file.read_bytes() == before


@pytest.mark.parametrize("arguments", READING, ids=names)
def test_a_newer_database_is_3(arguments: tuple[str, ...], told: Caller) -> None:
    _execute(told, "UPDATE runreel_version SET version_num = '9999'")
    called = told(*arguments)
    assert (called.code, called.out) == (3, "")
    assert "9999" in called.err
    assert "Install the newer version of runreel" in called.err


def test_outdated_projections_are_3_until_they_are_rebuilt(told: Caller) -> None:
    _execute(told, "UPDATE runreel_meta SET value = '0' WHERE key = 'projection_version'")
    called = told("runs")
    assert (called.code, called.out) == (3, "")
    assert "`runreel rebuild`" in called.err
    told.good("rebuild")
    told.good("runs")


def test_an_unmigrated_postgres_is_3_until_it_is_upgraded(
    empty_postgres: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["--db", empty_postgres, "runs"]) == 3
    assert "`runreel db upgrade` creates them" in capfd.readouterr().err
    assert main(["--db", empty_postgres, "demo", "--fast"]) == 3
    assert main(["--db", empty_postgres, "db", "current"]) == 0
    assert main(["--db", empty_postgres, "db", "upgrade"]) == 0
    assert main(["--db", empty_postgres, "runs"]) == 0


def test_a_locked_database_is_3(
    told_sqlite: Caller, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("runreel.store.drivers.sqlite.connecting.BUSY_SECONDS", 0.1)
    lines = tmp_path / "lines.jsonl"
    lines.write_text('{"type": "PARTIAL_MESSAGE", "text": "x"}\n', encoding="utf-8")
    holder = sqlite3.connect(told_sqlite.url, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    try:
        called = told_sqlite("record", "--run", "new", "--input", str(lines))
    finally:
        holder.close()
    assert called.code == 3
    assert "locked" in called.err
    assert "Try again" in called.err


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("mysql://me:hush@host/db", 3),
        ("postgresql://me:hush@host:port/db", 3),
        ("postgresql://me:hush@localhost:1/db", 3),
        ("postgresql://me:hu@sh@localhost:1/db", 3),
        ("postgresql://me@localhost:1/db?password=hush", 3),
        ("://me:hush@host", 3),
        ("sqlite://", 3),
        ("/", 3),
        ("/dev/null/log.db", 3),
    ],
)
def test_a_bad_database_is_3_and_no_password_is_shown(
    url: str, code: int, capfd: pytest.CaptureFixture[str]
) -> None:
    for verbose in ((), ("-v",)):
        assert main(["--db", url, *verbose, "runs"]) == code
        told = capfd.readouterr()
        assert told.out == ""
        assert told.err.startswith("Error: ")
        assert "Hint: " in told.err
        assert "Traceback" not in told.err
        assert "hush" not in told.err
        assert "sh@" not in told.err


def test_verbose_tells_the_causes(capfd: pytest.CaptureFixture[str]) -> None:
    url = "postgresql://me:hush@localhost:1/db"
    assert main(["--db", url, "runs"]) == 3
    assert "Cause: " not in capfd.readouterr().err
    assert main(["--db", url, "-v", "runs"]) == 3
    assert "Cause: OperationalError: " in capfd.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ("runs", "--nope"),
        ("runs", "--status", "FINE"),
        ("runs", "--recording", "paused"),
        ("runs", "--limit", "-1"),
        ("runs", "--limit", "many"),
        ("runs", "--after", "nonsense"),
        ("runs", "--since", "the day before"),
        ("runs", "--until", "2025-13-01"),
        ("runs", "--label", "team"),
        ("runs", "--label", "=x"),
        ("record", "--run", "x", "--label", "a=1", "--label", "a=2", "--input", "-"),
        ("runs", "--json", "-o", "csv"),
        ("runs", "-o", "yaml"),
        ("runs", "extra"),
        ("runs", "--model", "\udcff"),
        ("show",),
        ("show", "latest", "--at", "soon"),
        ("show", "latest", "--at", "9" * 30),
        ("show", "latest", "--at", "-1"),
        ("events", "latest", "--type", "NOPE"),
        ("events", "latest", "--from", "-1"),
        ("events", "latest", "--to", str(2**63)),
        ("replay", "latest", "--speed", "0"),
        ("replay", "latest", "--speed", "nan"),
        ("replay", "latest", "--speed", "inf"),
        ("replay", "latest", "--max-gap", "-1"),
        ("replay", "latest", "--max-gap", "nan"),
        ("replay", "latest", "--render", "html"),
        ("usage", "--by", "minute"),
        ("usage", "--by", "label:"),
        ("usage", "--by", ""),
        ("usage", "--tz", "Mars/Phobos"),
        ("usage", "--tz", "Mars/Phobos", "--since", "2025-01-01"),
        ("record", "--input", "-"),
        ("record", "--run", "x", "--input", "nowhere.jsonl"),
        ("record", "--run", "x", "--input", "."),
        ("record", "--run", "x", "--source", "nope", "--input", "-"),
        ("record", "--run", "x", "--label", "y", "--input", "-"),
        ("import",),
        ("import", "nowhere.jsonl"),
        ("import", "-", "-"),
        ("import", "--watch", "-"),
        ("import", "--from", "nothing", "x"),
        ("schema", "nope"),
        ("completion", "powershell"),
        ("completion",),
        ("db",),
        ("db", "nope"),
        ("nope",),
        ("--color", "red", "runs"),
    ],
    ids=names,
)
def test_bad_usage_is_2_and_told(arguments: tuple[str, ...], told_sqlite: Caller) -> None:
    called = told_sqlite(*arguments)
    assert (called.code, called.out) == (2, "")
    assert "Traceback" not in called.err
    assert called.err.startswith(("Error: ", "Usage: "))


def test_an_option_of_the_group_behind_the_command_is_explained(call_sqlite: Caller) -> None:
    called = call_sqlite.bare("runs", "--db", "x.db")
    assert called.code == 2
    assert "before the command: runreel --db" in called.err


def test_a_mistyped_command_is_guessed(call_sqlite: Caller) -> None:
    assert "Did you mean usage?" in call_sqlite.bare("usgae").err


def test_listening_without_a_key_is_4(told: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("YC_API_KEY", "YC_IAM_TOKEN", "YC_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    called = told("record", "--run", "a-new-run")
    assert (called.code, called.out) == (4, "")
    assert "no key for the Assistants service is set" in called.err
    assert "YC_API_KEY" in called.err


def test_a_run_of_another_source_cannot_be_listened_to(told: Caller) -> None:
    called = told("record", "--run", "r", "--source", "plain")
    assert called.code == 2
    assert "--input" in called.err


def test_a_bug_is_told_with_its_traceback_made_safe(
    told_sqlite: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("\x1b[31m postgresql://me:hush@host/db")

    monkeypatch.setattr("runreel.api.reel.Reel.runs", broken)
    called = told_sqlite("runs")
    assert called.code == error_reporting.BUG
    assert "Traceback" in called.err
    assert "This is a bug in runreel" in called.err
    assert "\x1b" not in called.err
    assert "hush" not in called.err


def _execute(call: Caller, sql: str) -> None:
    with runreel.open(call.url) as reel, reel.db.writing() as connection:
        connection.execute(sql)
