from __future__ import annotations

from typing import TYPE_CHECKING

import runreel
from runreel.cli.main import main
from runreel.store.schema import roles as grants
from runreel.store.schema.migrations import HEAD
from tests import logs
from tests.cli.shapes import spoil

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.cli.calls import Caller


def test_a_clean_log_has_no_differences(told: Caller) -> None:
    for arguments in (("rebuild", "--check"), ("rebuild",), ("rebuild", "latest", "run-plain")):
        called = told.good(*arguments)
        assert (called.out, called.err) == ("", "No differences.\n")


def test_a_falsified_projection_is_named_and_mended(told: Caller) -> None:
    spoil(told)
    called = told("rebuild", "--check")
    assert called.code == 1
    header, *rows = called.out.splitlines()
    assert header.split() == ["RUN", "COLUMN", "STORED", "REBUILT"]
    assert ["run-done", "model", "falsified", "model-a"] in [row.split() for row in rows]
    assert any(row.startswith("run-plain") and row.split()[1] == "*" for row in rows)
    assert told("rebuild", "--check").out == called.out, "a check changes nothing"

    mended = told.good("rebuild")
    assert mended.out == called.out
    assert "repaired" in mended.err
    assert told.good("rebuild", "--check").out == ""
    assert told.good("show", "run-done", "--json").json["model"] == "model-a"


def test_a_run_whose_log_is_damaged_is_named_and_the_others_are_mended(told: Caller) -> None:
    spoil(told)
    with runreel.open(told.url) as reel:
        logs.tamper(reel, "UPDATE events SET payload = '[' WHERE run_id = 'run-failed' AND seq = 1")
    for arguments in (("rebuild", "--check"), ("rebuild",)):
        called = told(*arguments)
        assert called.code == 1
        assert "run-plain" in called.out
        assert "Damaged: row 1 of run run-failed: " in called.err
    assert told("rebuild", "--check").out == ""
    assert told.good("rebuild", "run-done", "--check").err == "No differences.\n"


def test_a_rebuild_can_be_of_one_run(told: Caller) -> None:
    spoil(told)
    assert told.good("rebuild", "run-failed", "--check").out == ""
    assert told("rebuild", "run-d", "--check").code == 1
    told.good("rebuild", "run-d")
    assert told.good("rebuild", "run-d", "--check").out == ""
    assert "run-plain" in told("rebuild", "--check").out


def test_a_projection_of_no_run_is_found_by_its_name(told: Caller) -> None:
    with runreel.open(told.url) as reel, reel.db.writing() as connection:
        connection.execute("UPDATE runs SET run_id = 'ghost' WHERE run_id = 'run-plain'")
    called = told("rebuild", "ghost", "--check")
    assert called.code == 1
    assert "ghost" in called.out
    told.good("rebuild")
    assert told("rebuild", "ghost").code == 2


def test_open_recordings_are_listed(told: Caller) -> None:
    (listed,) = told.good("recover", "--list", "--json").json["items"]
    assert (listed["run_id"], listed["alive"]) == ("open-run", True)
    assert "alive" in told.good("recover", "--list").out


def test_a_recording_whose_process_lives_is_left(told: Caller) -> None:
    (left,) = told.good("recover", "--json").json["items"]
    assert (left["run_id"], left["action"]) == ("open-run", "left")
    assert "left" in told.good("recover").out
    assert told.good("show", "open-run", "--json").json["recording"] == "open"


def test_the_revision_is_told(call: Caller) -> None:
    assert call.good("db", "current").out == f"{HEAD}\n"
    assert call.good("db", "current", "--json").json == {"revision": HEAD}
    assert call.good("db", "upgrade").out.endswith(f": already at revision {HEAD}.\n")


def test_a_missing_sqlite_file_is_created_by_upgrade(call_sqlite: Caller, tmp_path: Path) -> None:
    called = call_sqlite.good("db", "upgrade")
    assert called.out == f"{tmp_path / 'log.db'}: revision none -> {HEAD}.\n"
    assert call_sqlite.good("runs").err == "No runs.\n"


def test_an_empty_postgres_is_upgraded_once(
    empty_postgres: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["--db", empty_postgres, "db", "current"]) == 0
    assert capfd.readouterr().out == "-\n"
    assert main(["--db", empty_postgres, "db", "current", "--json"]) == 0
    assert capfd.readouterr().out == '{\n  "revision": null\n}\n'
    assert main(["--db", empty_postgres, "db", "current", "-o", "csv"]) == 0
    assert capfd.readouterr().out == 'revision\n""\n'
    assert main(["--db", empty_postgres, "db", "upgrade"]) == 0
    assert f"revision none -> {HEAD}." in capfd.readouterr().out


def test_the_ddl_is_printed_and_no_database_touched(call_sqlite: Caller, tmp_path: Path) -> None:
    told = call_sqlite.good("db", "sql").out
    assert "CREATE TABLE events" in told
    assert "WITHOUT ROWID" in told
    assert not list(tmp_path.glob("log.db*"))
    postgres = call_sqlite.bare("--db", "postgresql://nobody@localhost:1/x", "db", "sql")
    assert postgres.code == 0
    assert "BYTEA" in postgres.out


def test_an_upgrade_says_what_is_not_as_it_made_it(call: Caller) -> None:
    with runreel.open(call.url) as reel, reel.db.writing() as connection:
        connection.execute("DROP INDEX runs_by_start")
    called = call("db", "upgrade")
    assert called.code == 1
    assert called.out.endswith(f": already at revision {HEAD}.\n")
    assert called.err == "Schema differs: runs: index runs_by_start is missing.\n"


def test_the_roles_of_postgres_are_printed_and_no_database_touched(call_sqlite: Caller) -> None:
    url = "postgresql://nobody@localhost:1/x"
    told = call_sqlite.bare("--db", url, "db", "grants", "--reader", 'an "analyst"')
    assert told.code == 0
    assert told.out == grants.roles_sql(grants.Roles(reader='an "analyst"'))
    assert 'GRANT INSERT ON "public".events TO "runreel_recorder", "runreel_redactor";' in told.out
    assert call_sqlite.bare("--db", url, "db", "grants", "--reader", "\x1b[31m").code == 2


def test_sqlite_has_no_roles(call_sqlite: Caller, tmp_path: Path) -> None:
    told = call_sqlite("db", "grants")
    assert (told.code, told.out) == (2, "")
    assert "SQLite has no roles" in told.err
    assert not list(tmp_path.glob("log.db*"))


def test_the_status_tells_sizes_rows_and_settings(told: Caller) -> None:
    status = told.good("db", "status", "--json").json
    assert status["rows"]["runs"] == 4
    assert status["revision"] == HEAD
    assert all(size > 0 for name, size in status["bytes"].items() if name != "wal")
    shown = told.good("db", "status").out
    assert "Rows: runs" in shown
    assert "Revision" in shown


def test_the_password_of_a_database_is_never_shown(
    told: Caller, backend: str, capfd: pytest.CaptureFixture[str]
) -> None:
    if backend != "postgresql":
        return
    url = told.url.replace("postgresql://postgres@", "postgresql://postgres:hush@")
    assert "hush" in url
    for arguments in (
        ("db", "status"),
        ("db", "status", "--json"),
        ("db", "upgrade"),
        ("demo", "--fast"),
    ):
        assert main(["--db", url, *arguments]) == 0
        told_ = capfd.readouterr()
        assert "hush" not in told_.out + told_.err
        assert "postgresql://" in told_.out or "Postgre" in told_.out
