"""Migrations build exactly the tables, once, or nothing at all."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

import runreel
from runreel import RunResult, RunStatus, Usage
from runreel.model.columns import RUNS
from runreel.model.errors import LogError, NotOurDatabase, SchemaMissing, SchemaTooNew, SchemaTooOld
from runreel.model.events import EventRow
from runreel.store.database import Database
from runreel.store.database_url import parse_url, sqlite_path
from runreel.store.drivers.factory import create_driver
from runreel.store.drivers.sqlite.connecting import create_owner_only
from runreel.store.events import event_log
from runreel.store.pool import Pool
from runreel.store.schema import comparison
from runreel.store.schema import migrations as schema
from runreel.store.schema.tables import metadata
from tests import logs

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
HUGE = 2**63 - 2
# Columns are only ever added, and last.
RUNS_OF_0002 = RUNS[: RUNS.index("requested_at")]
_REST = ("note", "test", None, 0, 0, None, None, "{}", b"salt", None, b"digest")


@pytest.fixture
def empty_url(backend: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """Where there are no tables yet."""
    if backend == "sqlite":
        yield str(tmp_path / "empty.db")
    else:
        yield request.getfixturevalue("empty_postgres")


def upgraded(url: str) -> Database:
    database = Database(url)
    database.upgrade()
    return database


def upgraded_to(url: str, revision: str) -> None:
    """Make a log as it was at an earlier revision."""
    path = sqlite_path(parse_url(url))
    if path is not None:
        create_owner_only(path)
    pool = Pool(create_driver(parse_url(url), durability="full"))
    connection = pool.connect()
    with schema.alchemy(connection) as sa, connection.transaction():
        schema.migrate(sa, revision)
    pool.dispose()


def upgrade_in_processes(url: str) -> list[int]:
    """Upgrade from six processes at once; their exit codes."""
    program = (
        "import sys; from runreel.store.database import Database as D; D(sys.argv[1]).upgrade()"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", program, url], stderr=subprocess.PIPE)
        for _ in range(6)
    ]
    for process in running:
        process.communicate(timeout=60)
    return [process.returncode for process in running]


def test_migrations_build_exactly_the_tables(empty_url: str) -> None:
    upgraded(empty_url).close()
    pool = Pool(create_driver(parse_url(empty_url), durability="full"))
    with schema.alchemy(pool.connect()) as sa:
        context = MigrationContext.configure(
            sa, opts={"version_table": schema.VERSION_TABLE, "compare_type": True}
        )
        assert compare_metadata(context, metadata) == []
    pool.dispose()


def test_the_code_knows_the_newest_migration() -> None:
    script = ScriptDirectory(str(schema.migrations()))
    assert script.get_current_head() == schema.HEAD
    assert [one.revision for one in script.walk_revisions()][::-1] == list(schema.REVISIONS)


def test_tables_of_sqlite_are_strict_and_the_log_has_no_rowid(tmp_path: Path) -> None:
    upgraded(str(tmp_path / "log.db")).close()
    connection = sqlite3.connect(tmp_path / "log.db")
    listed = connection.execute("PRAGMA table_list").fetchall()
    connection.close()
    found = {name: (wr, strict) for _, name, kind, _, wr, strict in listed if kind == "table"}
    assert found["events"] == (1, 1)
    assert found["run_labels"] == (1, 1)
    assert found["runs"] == (0, 1)


def test_upgrading_again_changes_nothing(empty_url: str) -> None:
    database = Database(empty_url)
    assert database.upgrade() == (None, schema.HEAD)
    assert database.upgrade() == (schema.HEAD, schema.HEAD)
    assert database.current() == schema.HEAD
    database.close()


def test_several_processes_may_upgrade_at_once(empty_url: str) -> None:
    assert upgrade_in_processes(empty_url) == [0] * 6
    database = Database(empty_url)
    assert database.current() == schema.HEAD
    database.close()


def test_a_migration_that_fails_leaves_nothing(
    empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from alembic.operations import Operations

    real = Operations.create_index

    def fail(self: Operations, name: str, *rest: object, **options: object) -> None:
        if name == "run_labels_by_run":
            raise RuntimeError("half way")
        real(self, name, *rest, **options)

    monkeypatch.setattr(Operations, "create_index", fail)
    database = Database(empty_url)
    with pytest.raises(RuntimeError, match="half way"):
        database.upgrade()
    assert database.current() is None
    monkeypatch.undo()
    assert database.upgrade() == (None, schema.HEAD)
    database.close()


def test_alembic_itself_can_upgrade(empty_url: str) -> None:
    environment = os.environ | {"RUNREEL_DB": empty_url}
    command = [sys.executable, "-m", "alembic", "upgrade", "head"]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    database = Database(empty_url)
    assert database.current() == schema.HEAD
    database.close()


def test_the_ddl_can_be_printed_and_names_every_table(empty_url: str) -> None:
    database = Database(empty_url)
    ddl = database.sql()
    assert all(f"CREATE TABLE {table} " in ddl for table in metadata.tables)
    assert "CREATE VIEW transcript" in ddl
    database.close()


def test_printed_ddl_builds_a_log(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    connection = sqlite3.connect(path)
    connection.executescript(Database(str(path)).sql())
    connection.close()
    database = Database(str(path))
    assert database.current() == schema.HEAD
    database.close()


def test_postgres_is_not_migrated_by_itself(empty_postgres: str) -> None:
    database = Database(empty_postgres)
    with pytest.raises(SchemaMissing) as caught, database.reading():
        pass
    assert "db upgrade" in str(caught.value.hint)
    database.close()


def set_revision(database: Database, revision: str) -> None:
    with database.writing() as connection:
        connection.execute(f"UPDATE {schema.VERSION_TABLE} SET version_num = ?", (revision,))
    database.close()


def test_a_database_newer_than_the_code_is_left_alone(db_url: str) -> None:
    set_revision(Database(db_url), "9999")
    database = Database(db_url)
    for use in (database.reading, database.writing):
        with pytest.raises(SchemaTooNew, match="9999"), use():
            pass
    with pytest.raises(SchemaTooNew, match="9999"):
        database.upgrade()
    assert database.current() == "9999"
    database.close()


def test_postgres_of_an_older_revision_says_how_to_upgrade(empty_postgres: str) -> None:
    upgraded_to(empty_postgres, "0001")
    database = Database(empty_postgres)
    with pytest.raises(SchemaTooOld) as caught, database.reading():
        pass
    assert "db upgrade" in str(caught.value.hint)
    database.close()


def test_sqlite_of_an_older_revision_is_migrated_where_it_is_used(tmp_path: Path) -> None:
    path = str(tmp_path / "log.db")
    upgraded_to(path, "0001")
    database = Database(path)
    with database.reading() as connection:
        assert comparison.differences(connection) == []
    assert database.current() == schema.HEAD
    database.close()


@pytest.mark.parametrize("revision", schema.REVISIONS)
def test_a_log_of_every_revision_keeps_its_rows_and_gets_its_guards(
    empty_url: str, revision: str
) -> None:
    upgraded_to(empty_url, revision)
    rows = [EventRow("run", seq, *_REST) for seq in range(3)]
    database = Database(empty_url)
    pool = Pool(create_driver(database.url, durability="full"))
    connection = pool.connect()
    assert event_log.append(connection, rows)
    connection.close()
    pool.dispose()

    assert database.upgrade() == (revision, schema.HEAD)
    with database.reading() as connection:
        assert comparison.differences(connection) == []
        assert [row[:11] for row in event_log.read(connection, "run")] == [row[:11] for row in rows]
    with pytest.raises(LogError, match="append-only"), database.writing() as connection:
        connection.execute("DELETE FROM events")
    database.close()


def test_runs_of_an_older_log_are_listed_and_add_up_once_it_is_migrated(
    empty_url: str, tmp_path: Path
) -> None:
    long, labels = "m" * 5_000, {"team": "search", "k" * 300: "v" * 300}
    with runreel.open(tmp_path / "new.db") as new:
        for n, (model, told) in enumerate([("m", {}), (long, labels), (None, labels)]):
            recording = new.recording(f"run-{n}", model=model, labels=told)
            recording.result(RunResult(RunStatus.COMPLETED, usage=Usage(HUGE, HUGE + 1, 1)))
            if n:
                recording.close()
        tables = {
            "events": logs.execute(new, "SELECT * FROM events"),
            "runs": logs.execute(new, f"SELECT {', '.join(RUNS_OF_0002)} FROM runs"),
        }
        listed = new.runs(limit=0).items
    upgraded_to(empty_url, "0002")
    with runreel.open(empty_url, create=False) as old:
        pool = Pool(create_driver(old.db.url, durability="full"))
        connection = pool.connect()
        for name, rows in tables.items():
            marks = ", ".join("?" * len(rows[0]))
            connection.executemany(f"INSERT INTO {name} VALUES ({marks})", rows)
        for n in (1, 2):
            stored = [(key, value, f"run-{n}") for key, value in labels.items()]
            connection.executemany("INSERT INTO run_labels VALUES (?, ?, ?)", stored)
        connection.execute("UPDATE runs SET model = ? WHERE length(model) > 1", (long,))
        connection.close()
        pool.dispose()
        old.db.upgrade()

        assert old.rebuild(check=True) == []
        assert old.runs(limit=0).items == listed
        assert [run.run_id for run in old.runs(labels=labels)] == ["run-2", "run-1"]
        totals = old.usage(("model",), model=long).totals
        assert (totals.runs, totals.input_text_tokens) == (1, HUGE)


def test_several_processes_may_upgrade_an_older_log_at_once(empty_url: str) -> None:
    upgraded_to(empty_url, "0001")
    assert upgrade_in_processes(empty_url) == [0] * 6
    database = Database(empty_url)
    with database.reading() as connection:
        assert comparison.differences(connection) == []
    database.close()


def test_somebody_elses_sqlite_file_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "theirs.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE theirs (x)")
    connection.commit()
    connection.close()
    before = path.read_bytes()
    database = Database(str(path))
    for use in (database.upgrade, database.current, database.reading().__enter__):
        with pytest.raises(NotOurDatabase):
            use()
    database.close()
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_tables_of_others_in_postgres_are_not_touched(empty_postgres: str) -> None:
    import psycopg

    with psycopg.connect(empty_postgres, autocommit=True) as connection:
        connection.execute("CREATE TABLE events (theirs int)")
    database = Database(empty_postgres)
    with pytest.raises(NotOurDatabase):
        database.upgrade()
    assert database.current() is None
    database.close()


def asked(url: str, sql: str) -> list[tuple[object, ...]]:
    """What a person with a SQL prompt of their own gets."""
    import psycopg

    connection = psycopg.connect(url) if "://" in url else sqlite3.connect(url)
    found = connection.execute(sql).fetchall()
    connection.close()
    return found


def test_the_views_show_the_transcript_and_the_runs(db_url: str) -> None:
    import runreel
    from runreel import PartialMessage, RunStreamEvent, StreamEvent

    with runreel.open(db_url) as reel:
        with reel.recording("run", model="m") as recording:
            for text in ("Hel", "Hello", "Hello \0 \ud800", "Hello \0 \ud800 ö"):
                message = PartialMessage((text,))
                recording.append(RunStreamEvent(StreamEvent.PARTIAL_MESSAGE, _message=message))
        seen = asked(db_url, "SELECT seq, time, type, appended FROM transcript ORDER BY seq")
        with reel.recording("asked", requested_at="2025-11-05T09:30:00.000001Z") as recording:
            recording.append(RunStreamEvent(StreamEvent.DONE))
        requests = asked(db_url, "SELECT run_id, requested FROM run_list ORDER BY run_id")
        assert requests == [("asked", "2025-11-05T09:30:00.000001Z"), ("run", None)]
        listed = asked(
            db_url, "SELECT run_id, started, model, recording FROM run_list WHERE run_id = 'run'"
        )
        appended = [row[3] for row in seen if row[2] == "PARTIAL_MESSAGE"]
        assert appended[:2] == ["Hel", "lo"]
        assert appended[3] == " ö"
        times = [event.at.isoformat().replace("+00:00", "Z") for event in reel.events("run")]
        assert [row[1] for row in seen] == times
        started = reel.run("run").started_at.isoformat().replace("+00:00", "Z")
        assert listed == [("run", started, "m", "closed")]


def test_each_script_makes_a_database_with_an_id_of_its_own(tmp_path: Path) -> None:
    database = Database(str(tmp_path / "log.db"))
    assert database.sql() != database.sql()
