"""What is not as the migrations made it is found and named."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from sqlalchemy import make_url

from runreel.model.errors import DatabaseLocked
from runreel.store.database import Database
from runreel.store.database_url import parse_url
from runreel.store.drivers.factory import create_driver
from runreel.store.drivers.sqlite import connecting
from runreel.store.pool import Pool
from runreel.store.schema import comparison
from runreel.store.schema import migrations as schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BOTH = {
    "DROP INDEX runs_by_start": ["runs: index runs_by_start is missing"],
    "CREATE INDEX more ON runs (model)": ["runs: index more is not runreel's"],
    "ALTER TABLE events ADD COLUMN extra text": ["events: column extra is not runreel's"],
    "ALTER TABLE runs RENAME COLUMN model TO moodel": [
        "runs: column model is missing",
        "runs: column moodel is not runreel's",
    ],
    "DROP VIEW run_list": ["run_list is missing"],
    "DROP VIEW transcript; CREATE VIEW transcript AS SELECT 1 AS seq": [
        "transcript is not as runreel made it"
    ],
    "DROP TABLE run_labels": ["run_labels is missing"],
    "DROP TABLE run_labels; CREATE VIEW run_labels AS SELECT 1 AS key": [
        "run_labels is a view, not a table"
    ],
}
_TRIGGER = "SELECT RAISE(ABORT, 'runreel: the log is append-only'); END"
_BODY = "SELECT sql FROM sqlite_master WHERE name = 'events_guard_delete'"
_SCHEMA = "PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = replace(sql, {}, {})"
SQLITE = BOTH | {
    f"DROP TRIGGER events_guard_{what}": [f"events: trigger events_guard_{what} is missing"]
    for what in ("insert", "update", "delete")
}
SQLITE |= {
    "PRAGMA writable_schema = ON;"
    " UPDATE sqlite_master SET sql = CAST(sql AS BLOB) WHERE name = 'runs_by_start'": [
        "runs: index runs_by_start is not as runreel made it"
    ],
    f"DROP TRIGGER events_guard_delete; CREATE TRIGGER events_guard_delete BEFORE DELETE ON events"
    f" WHEN 0 BEGIN {_TRIGGER}": ["events: trigger events_guard_delete is not as runreel made it"],
    f"DROP TRIGGER events_guard_delete; CREATE TRIGGER Events_Guard_Delete BEFORE DELETE ON events"
    f" WHEN 0 BEGIN {_TRIGGER}": [
        "events: trigger Events_Guard_Delete is not runreel's",
        "events: trigger events_guard_delete is missing",
    ],
    "CREATE TRIGGER theirs AFTER INSERT ON EVENTS BEGIN DELETE FROM runs; END": [
        "events: trigger theirs is not runreel's"
    ],
    "CREATE TRIGGER theirs INSTEAD OF INSERT ON transcript BEGIN DELETE FROM runs; END": [
        "transcript: trigger theirs is not runreel's"
    ],
    "DROP INDEX runs_by_start; CREATE INDEX runs_by_start ON runs (run_id)": [
        "runs: index runs_by_start is not as runreel made it"
    ],
    "CREATE UNIQUE INDEX one ON events (digest)": ["events: index one is not runreel's"],
    _SCHEMA.format("'STRICT'", "'WITHOUT ROWID'"): ["events is not as runreel made it"],
    _SCHEMA.format("'CHECK (seq >= 0)'", "'CHECK (1)'"): ["events is not as runreel made it"],
    _SCHEMA.format("'append-only: a row goes once'", "'append-only:  a row goes once'"): [],
    _SCHEMA.format("'a row goes only'", "'a row  goes only'"): [
        "events: trigger events_guard_delete is not as runreel made it"
    ],
    _SCHEMA.format("'digest BLOB NOT NULL'", "'digest BLOB'"): [
        "events: column digest is BLOB, not BLOB not null"
    ],
}
# What does not mean anything else, or is not of our tables.
SQLITE_HARMLESS = (
    "CREATE TABLE theirs (x); CREATE TRIGGER t AFTER INSERT ON theirs BEGIN DELETE FROM runs; END",
    "CREATE VIEW theirs AS SELECT * FROM runs; ANALYZE",
    _SCHEMA.format("char(10)", "'  '"),
    _SCHEMA.format("', '", "' ,  '"),
)
POSTGRES = BOTH | {
    f"DROP TRIGGER events_guard_{what} ON events": [
        f"events: trigger events_guard_{what} is missing"
    ]
    for what in ("update", "delete", "truncate")
}
_GUARD = "events: trigger events_guard_delete is"
_FUNCTION = "ALTER FUNCTION runreel_guard_delete()"
_AGAIN = "DROP TRIGGER events_guard_delete ON events; CREATE TRIGGER events_guard_delete BEFORE"
_INDEX = "CREATE INDEX runs_by_start ON runs USING btree"
_ALWAYS = "ALTER TABLE events ENABLE ALWAYS TRIGGER events_guard_delete"
POSTGRES |= {
    "ALTER TABLE events DISABLE TRIGGER events_guard_delete": [f"{_GUARD} off, not always on"],
    "ALTER TABLE events ENABLE TRIGGER events_guard_delete": [
        f"{_GUARD} on in some sessions, not always on"
    ],
    "ALTER TABLE events ENABLE REPLICA TRIGGER events_guard_delete": [
        f"{_GUARD} on in some sessions, not always on"
    ],
    "ALTER TABLE events DISABLE TRIGGER ALL": [
        f"events: trigger events_guard_{what} is off, not always on"
        for what in ("delete", "truncate", "update")
    ],
    "CREATE OR REPLACE FUNCTION runreel_guard_delete() RETURNS trigger LANGUAGE plpgsql"
    " AS 'BEGIN RETURN OLD; END'": [f"{_GUARD} not as runreel made it"],
    f"{_FUNCTION} RESET search_path": [f"{_GUARD} not as runreel made it"],
    f"{_FUNCTION} SET search_path = pg_catalog, public": [f"{_GUARD} not as runreel made it"],
    f"{_FUNCTION} SECURITY DEFINER": [f"{_GUARD} not as runreel made it"],
    f"{_AGAIN} DELETE ON events FOR EACH ROW WHEN (false) EXECUTE FUNCTION runreel_guard_delete();"
    f" {_ALWAYS}": [f"{_GUARD} not as runreel made it"],
    f"{_AGAIN} DELETE ON events EXECUTE FUNCTION runreel_guard_delete(); {_ALWAYS}": [
        f"{_GUARD} not as runreel made it"
    ],
    f"{_AGAIN} UPDATE OF at ON events FOR EACH ROW EXECUTE FUNCTION runreel_guard_delete();"
    f" {_ALWAYS}": [f"{_GUARD} not as runreel made it"],
    "CREATE SCHEMA evil; CREATE FUNCTION evil.runreel_guard_delete() RETURNS trigger LANGUAGE"
    f" plpgsql AS 'BEGIN RETURN OLD; END'; {_AGAIN} DELETE ON events FOR EACH ROW EXECUTE FUNCTION"
    f" evil.runreel_guard_delete(); {_ALWAYS}": [f"{_GUARD} not as runreel made it"],
    "CREATE TRIGGER theirs AFTER INSERT ON events EXECUTE FUNCTION runreel_guard_truncate()": [
        "events: trigger theirs is not runreel's"
    ],
    "CREATE RULE r AS ON DELETE TO events DO INSTEAD NOTHING": ["events: rule r is not runreel's"],
    "DROP INDEX runs_by_start; CREATE INDEX runs_by_start ON runs (run_id)": [
        f"runs: index runs_by_start is {_INDEX} (run_id), not {_INDEX} (started_at, run_id)"
    ],
    "ALTER TABLE run_labels ALTER COLUMN value TYPE varchar(9)": [
        "run_labels: column value is character varying(9) not null, not text collate C",
    ],
    "ALTER TABLE events ALTER COLUMN digest DROP NOT NULL": [
        "events: column digest is bytea, not bytea not null"
    ],
    "ALTER TABLE events ALTER COLUMN at SET DEFAULT 0": [
        "events: column at is bigint not null default 0, not bigint not null"
    ],
    "ALTER TABLE run_labels ALTER COLUMN key TYPE text COLLATE pg_catalog.default": [
        "run_labels: column key is text not null, not text collate C not null",
    ],
    "ALTER TABLE events DROP CONSTRAINT events_seq": ["events: constraint events_seq is missing"],
    "ALTER TABLE events DROP CONSTRAINT events_seq,"
    " ADD CONSTRAINT events_seq CHECK (seq >= 0) NOT VALID": [
        "events: constraint events_seq is CHECK ((seq >= 0)) NOT VALID, not CHECK ((seq >= 0))"
    ],
    "ALTER TABLE events DROP CONSTRAINT events_pkey": [
        "events: constraint events_pkey is missing",
        "events: index events_pkey is missing",
    ],
    "CREATE OR REPLACE VIEW run_list AS SELECT run_id, model AS started, source, status, recording,"
    " assistant_id, thread_id, model, error, input_text_tokens, completion_tokens, total_tokens,"
    " events, model AS requested, cached_tokens, cache_write_tokens, reasoning_tokens,"
    " service_tier FROM runs": ["run_list is not as runreel made it"],
    "ALTER TABLE events ENABLE ROW LEVEL SECURITY": [
        "events is a table with row security, not a table"
    ],
    "ALTER TABLE events SET UNLOGGED": ["events is a table that is not logged, not a table"],
    "CREATE TABLE child () INHERITS (events)": ["events is a table with inheritance, not a table"],
    "CREATE SCHEMA first; CREATE TABLE first.events (LIKE events INCLUDING ALL); DO $$BEGIN EXECUTE"
    " 'ALTER DATABASE ' || quote_ident(current_database()) || ' SET search_path = first, public';"
    " END$$": [f"events: trigger events_guard_{what} is missing" for what in ("delete", "update")],
}
_PARTITION = "a partition of events FOR VALUES WITH (modulus 2, remainder 1)"
PARTITIONED = {
    "ALTER TABLE events DETACH PARTITION events_p1": [f"events_p1 is a table, not {_PARTITION}"],
    "DROP TABLE events_p1": ["events_p1 is missing"],
    "ALTER TABLE events DETACH PARTITION events_p1; ALTER TABLE events_p1 RENAME TO old;"
    " CREATE TABLE events_p1 PARTITION OF events FOR VALUES WITH (MODULUS 2, REMAINDER 1)": [
        "events_p1: trigger events_guard_truncate is missing"
    ],
    "ALTER TABLE events DETACH PARTITION events_p1; DROP TABLE events_p1; CREATE TABLE events_p1"
    " PARTITION OF events FOR VALUES WITH (MODULUS 2, REMAINDER 1) PARTITION BY HASH (run_id)": [
        f"events_p1 is {_PARTITION} in partitions by HASH (run_id), not {_PARTITION}"
    ],
    "DROP TABLE events_p0, events_p1": [
        "events is a table in partitions by HASH (run_id), not a table"
    ],
    "ALTER TABLE events_p1 DISABLE TRIGGER events_guard_delete": [
        "events_p1: trigger events_guard_delete is off, not always on"
    ],
    "ALTER TABLE events_p1 ENABLE TRIGGER events_guard_update": [
        "events_p1: trigger events_guard_update is on in some sessions, not always on"
    ],
    "DROP TRIGGER events_guard_truncate ON events_p0": [
        "events_p0: trigger events_guard_truncate is missing"
    ],
    "DROP TRIGGER events_guard_delete ON events": [
        f"{table}: trigger events_guard_delete is missing"
        for table in ("events", "events_p0", "events_p1")
    ],
    "CREATE INDEX more ON events_p0 (at)": ["events_p0: index more is not runreel's"],
    "CREATE RULE r AS ON DELETE TO events_p1 DO INSTEAD NOTHING": [
        "events_p1: rule r is not runreel's"
    ],
    "ALTER TABLE events_p1 SET UNLOGGED": [
        f"{_PARTITION.replace('a partition', 'events_p1 is a partition')} that is not logged"
    ],
    "ALTER TABLE events_p0 ENABLE ROW LEVEL SECURITY": [
        "events_p0 is a partition of events FOR VALUES WITH (modulus 2, remainder 0) with row"
    ],
    "ALTER TABLE events_p1 ADD CHECK (seq < 9)": [
        "events_p1: constraint events_p1_seq_check is not runreel's"
    ],
}
POSTGRES_HARMLESS = (
    "CREATE TABLE theirs (x int); CREATE VIEW more AS SELECT * FROM runs",
    "ALTER TABLE events SET (fillfactor = 90); ANALYZE",
    "SET session_replication_role = replica; INSERT INTO runreel_meta VALUES ('a', 'b')",
    "CREATE SCHEMA behind; CREATE TABLE behind.events (x int)",
)


@contextlib.contextmanager
def connected(url: str) -> Iterator[Any]:
    """A client that knows nothing of runreel."""
    if "://" in url:
        with psycopg.connect(url, autocommit=True) as client:
            yield client
    else:
        with contextlib.closing(sqlite3.connect(url, isolation_level=None)) as client:
            yield client


def change(url: str, script: str) -> None:
    with connected(url) as client:
        # SQLite runs one statement at a time, or a script; Postgres takes both alike.
        (client.execute if "://" in url else client.executescript)(script)


def differences(url: str) -> list[str]:
    database = Database(url)
    try:
        with database.reading() as connection:
            return comparison.differences(connection)
    finally:
        database.close()


def found(url: str, script: str, expected: Sequence[str]) -> list[str]:
    """What is expected and not found; on other lines there may be what follows from it."""
    assert differences(url) == []
    change(url, script)
    told = differences(url)
    return [line for line in expected if not any(one.startswith(line) for one in told)]


@pytest.fixture
def sqlite_log(tmp_path: Any) -> str:
    url = str(tmp_path / "log.db")
    Database(url).upgrade()
    return url


@pytest.fixture
def postgres_log(empty_postgres: str) -> str:
    Database(empty_postgres).upgrade()
    return empty_postgres


@pytest.mark.parametrize("script", SQLITE)
def test_a_change_of_sqlite_is_named(sqlite_log: str, script: str) -> None:
    assert found(sqlite_log, script, SQLITE[script]) == []


@pytest.mark.parametrize("script", POSTGRES)
def test_a_change_of_postgres_is_named(postgres_log: str, script: str) -> None:
    assert found(postgres_log, script, POSTGRES[script]) == []


@pytest.mark.parametrize("script", PARTITIONED)
def test_a_change_of_a_partition_is_named(empty_postgres: str, script: str) -> None:
    Database(empty_postgres).upgrade(partitions=2)
    assert found(empty_postgres, script, PARTITIONED[script]) == []


@pytest.mark.parametrize("script", SQLITE_HARMLESS)
def test_what_says_the_same_or_is_not_ours_is_none_of_sqlite(sqlite_log: str, script: str) -> None:
    change(sqlite_log, script)
    assert differences(sqlite_log) == []


@pytest.mark.parametrize("script", POSTGRES_HARMLESS)
def test_what_says_the_same_or_is_not_ours_is_none(postgres_log: str, script: str) -> None:
    change(postgres_log, script)
    assert differences(postgres_log) == []


def test_everything_is_missing_where_nothing_is(tmp_path: Any, empty_postgres: str) -> None:
    # An engine opens files, and makes none.
    (tmp_path / "empty.db").touch()
    for url in (str(tmp_path / "empty.db"), empty_postgres):
        pool = Pool(create_driver(parse_url(url), durability="full"))
        connection = pool.connect()
        told = comparison.differences(connection)
        assert told == sorted(f"{name} is missing" for name in comparison.RELATIONS)
        connection.close()
        pool.dispose()


def test_what_is_looked_for_is_what_the_migrations_make(sqlite_log: str, postgres_log: str) -> None:
    made = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')"
    with connected(sqlite_log) as client:
        assert {name for (name,) in client.execute(made)} == set(comparison.RELATIONS)
    with connected(postgres_log) as client:
        of_ours = "FROM {} WHERE {}namespace = 'public'::regnamespace"
        relations = f"SELECT relname {of_ours.format('pg_class', 'rel')} AND relkind IN ('r', 'v')"
        functions = f"SELECT proname {of_ours.format('pg_proc', 'pro')}"
        assert {name for (name,) in client.execute(relations)} == set(comparison.RELATIONS)
        assert {name for (name,) in client.execute(functions)} == set(comparison.FUNCTIONS)


def test_looking_changes_nothing(postgres_log: str) -> None:
    count = "SELECT count(*), max(xmin::text::bigint) FROM pg_class"
    with connected(postgres_log) as client:
        before = client.execute(count).fetchone()
        assert differences(postgres_log) == []
        assert client.execute(count).fetchone() == before


def test_the_tables_may_be_in_another_schema(empty_postgres: str) -> None:
    url = make_url(empty_postgres).update_query_dict({"options": '-csearch_path="Logs"'})
    change(empty_postgres, 'CREATE SCHEMA "Logs"; CREATE TABLE public.runs (theirs int)')
    shown = url.render_as_string(hide_password=False)
    Database(shown).upgrade()
    assert differences(shown) == []
    change(empty_postgres, 'DROP INDEX "Logs".runs_by_start')
    assert differences(shown) == ["runs: index runs_by_start is missing"]


def test_it_can_be_looked_where_sessions_only_read(postgres_log: str) -> None:
    read_only = {"options": "-cdefault_transaction_read_only=on"}
    url = make_url(postgres_log).update_query_dict(read_only)
    assert differences(url.render_as_string(hide_password=False)) == []


def test_a_schema_that_sqlite_cannot_read_is_told(sqlite_log: str) -> None:
    pool = Pool(create_driver(parse_url(sqlite_log), durability="full"))
    connection = pool.connect()
    change(sqlite_log, _SCHEMA.format("'CREATE VIEW'", "'CREATE WHAT'"))
    change(sqlite_log, "PRAGMA writable_schema = ON; PRAGMA schema_version = 99")
    (told,) = comparison.differences(connection)
    assert told.startswith("the schema cannot be compared: malformed database schema")
    connection.close()
    pool.dispose()


def test_a_locked_database_is_no_difference(
    sqlite_log: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connecting, "BUSY_SECONDS", 0.05)
    with connected(sqlite_log) as client:
        client.execute("PRAGMA journal_mode = DELETE")
        client.execute("BEGIN EXCLUSIVE")
        database = Database(sqlite_log)
        with pytest.raises(DatabaseLocked), database.reading(checked=False) as connection:
            comparison.differences(connection)
        database.close()


def test_the_revision_alone_is_not_believed(db_url: str) -> None:
    change(db_url, "DROP VIEW run_list")
    database = Database(db_url)
    with database.reading() as connection:
        schema.require(connection)
        assert comparison.differences(connection) == ["run_list is missing"]
    database.close()
