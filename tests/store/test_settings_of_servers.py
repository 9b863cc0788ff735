"""Logs on Postgres servers with unusual settings and privileges, and logs of older revisions."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import uuid
from typing import TYPE_CHECKING

import psycopg
import pytest

import runreel
from runreel.audit import verify as audit
from runreel.model.errors import LogError, SchemaTooOld
from runreel.store.database import Database
from runreel.store.schema import comparison, migrations
from tests import logs
from tests.cli.stories import partial
from tests.store.test_schema import upgraded_to

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TEXT = "back\\slash 'quotes' \\n Привет"
SETTINGS = (
    ("standard_conforming_strings", "off"),
    ("quote_all_identifiers", "on"),
    ("bytea_output", "escape"),
    ("DateStyle", "'SQL, DMY'"),
    ("IntervalStyle", "sql_standard"),
    ("default_transaction_isolation", "serializable"),
)


def record(url: str) -> None:
    with runreel.open(url) as reel, reel.recording("run", labels={"k": TEXT}) as recording:
        recording.append(partial(TEXT))


def found(url: str) -> list[str]:
    database = Database(url, create=False)
    try:
        with database.reading() as connection:
            return [f"{one.what}: {one.detail}" for one in audit.verify(connection)]
    finally:
        database.close()


def name_of(url: str) -> str:
    return str(psycopg.conninfo.conninfo_to_dict(url)["dbname"])


@pytest.mark.parametrize(("setting", "value"), SETTINGS, ids=[name for name, _ in SETTINGS])
@pytest.mark.parametrize("before", [False, True], ids=["set later", "set before the upgrade"])
def test_a_server_s_settings_change_neither_the_tables_nor_the_verdict(
    setting: str, value: str, before: bool, empty_postgres: str
) -> None:
    def set_it() -> None:
        with psycopg.connect(empty_postgres, autocommit=True) as server:
            server.execute(f'ALTER DATABASE "{name_of(empty_postgres)}" SET {setting} = {value}')

    if before:
        set_it()
    database = Database(empty_postgres)
    database.upgrade()
    database.close()
    if not before:
        set_it()
    record(empty_postgres)
    assert found(empty_postgres) == []
    with runreel.open(empty_postgres) as reel:
        assert reel.result("run").text == TEXT
        assert reel.rebuild(check=True) == []
        with reel.db.reading() as connection:
            assert comparison.not_compared(connection) is None


@contextlib.contextmanager
def role_without_temporary(url: str) -> Iterator[str]:
    """The URL of the log for a role that may read it and create no temporary tables."""
    role = f"reader_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(url, autocommit=True) as server:
        server.execute(f"CREATE ROLE {role}")
        server.execute(f'REVOKE TEMPORARY ON DATABASE "{name_of(url)}" FROM PUBLIC')
        server.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
        try:
            yield f"{url}&options=-c%20role%3D{role}"
        finally:
            server.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_without_temporary_tables_the_schema_is_not_compared_and_nothing_is_found(
    db_url: str,
) -> None:
    record(db_url)
    with role_without_temporary(db_url) as url:
        assert found(url) == []
        database = Database(url, create=False)
        with database.reading() as connection:
            assert "TEMPORARY" in str(comparison.not_compared(connection))
        database.close()
        # What is wrong with the rows is found all the same.
        with runreel.open(db_url) as reel:
            logs.execute(reel, "UPDATE runs SET total_tokens = 7")
        assert found(url) != []


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII", "WIN1251"])
def test_a_database_that_lacks_characters_is_refused_before_tables_are_created(
    encoding: str, postgres_url: str, empty_postgres: str
) -> None:
    name = f"runreel_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_url, autocommit=True) as server:
        server.execute(
            f"CREATE DATABASE {name} ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'"
            " TEMPLATE template0"
        )
        database = Database(empty_postgres.replace(name_of(empty_postgres), name))
        try:
            with pytest.raises(LogError, match=encoding) as caught:
                database.upgrade()
            assert "UTF8" in str(caught.value.hint)
            assert database.current() is None
        finally:
            database.close()
            server.execute(f"DROP DATABASE {name}")


def test_a_reader_changes_no_older_log_and_a_writer_says_that_it_migrates(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "log.db"
    upgraded_to(str(path), migrations.REVISIONS[0])
    with runreel.open(path, create=False) as reel:
        with pytest.raises(SchemaTooOld) as caught:
            reel.runs()
        assert reel.db.current() == migrations.REVISIONS[0]
    assert "db upgrade" in str(caught.value.hint)
    with caplog.at_level(logging.WARNING, "runreel"):
        record(str(path))
    (said,) = caplog.messages
    assert f"migrated from revision {migrations.REVISIONS[0]} to {migrations.HEAD}" in said
    caplog.clear()
    record(str(path))
    record(str(tmp_path / "new.db"))
    assert caplog.messages == []


def test_a_file_without_tables_is_not_given_any_by_a_reader(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    connection = sqlite3.connect(path)
    connection.execute("VACUUM")
    connection.close()
    content = path.read_bytes()
    with runreel.open(path, create=False) as reel, pytest.raises(LogError):
        reel.runs()
    assert path.read_bytes() == content
