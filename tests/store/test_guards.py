"""The log defends itself: statements that would change or remove a row are refused."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import psycopg
import pytest

from runreel.model.errors import LogError
from runreel.model.events import EventRow
from runreel.store.database import Database
from runreel.store.events import event_log
from tests.store.attacks import ALL, COLUMNS, NEW, OTHER, VALUES, Attack, Log, note

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def log(shared_url: str) -> Log:
    """Attacks that fail leave it as it was."""
    return Log(shared_url)


@pytest.fixture
def attack(log: Log, request: pytest.FixtureRequest) -> Attack:
    return request.param  # type: ignore[no-any-return]


def _cases() -> pytest.MarkDecorator:
    cases = [pytest.param(one.backend, one, id=str(one)) for one in ALL]
    # Without a scope, an argument that is not indirect has each test make a log of its own.
    return pytest.mark.parametrize(
        ("shared_url", "attack"), cases, indirect=["shared_url"], scope="module"
    )


@_cases()
def test_the_log_refuses(log: Log, attack: Attack) -> None:
    *before, last = map(log.sql, attack.statements)
    with log.connected() as client:
        rows = log.rows(client)
        for statement in before:
            client.execute(statement)
        with pytest.raises((sqlite3.IntegrityError, psycopg.IntegrityError), match="append-only"):
            client.execute(last)
        assert log.rows(client) == rows
        if "evil" in attack.statements[0]:
            client.execute("DROP SCHEMA evil CASCADE")


@_cases()
def test_only_for_its_guards(log: Log, attack: Attack) -> None:
    """Each of these statements does harm where nothing guards the log."""
    *before, last = map(log.sql, attack.statements)
    with log.connected() as client:
        client.execute("BEGIN")
        rows = log.rows(client)
        log.unguard(client)
        for statement in before:
            client.execute(statement)
        client.execute(last)
        harmless = attack.name.startswith("change nothing")
        assert (log.rows(client) == rows) == harmless
        client.execute("ROLLBACK")


def test_there_are_attacks_of_every_kind() -> None:
    assert len([one for one in ALL if one.backend == "sqlite"]) >= 9
    assert len([one for one in ALL if one.backend == "postgresql"]) >= 10
    assert len([one for one in ALL if one.name.endswith("at a partition")]) >= 40
    assert set(COLUMNS) | {"redacted"} == set(EventRow._fields)


@pytest.mark.parametrize(
    "statement",
    [f"INSERT INTO events VALUES {VALUES}", f"INSERT INTO events VALUES {NEW}, {VALUES}"],
)
def test_no_row_goes_in_over_another(log: Log, statement: str) -> None:
    with log.connected() as client:
        rows = log.rows(client)
        with pytest.raises((sqlite3.IntegrityError, psycopg.IntegrityError)):
            client.execute(log.sql(statement))
        assert log.rows(client) == rows


def test_copying_rows_over_others_is_refused(postgres_url: str, empty_postgres: str) -> None:
    Database(empty_postgres).upgrade()
    log = Log(empty_postgres)
    with log.connected() as client:
        rows = log.rows(client)
        copy = "COPY events FROM STDIN"
        with pytest.raises(psycopg.errors.UniqueViolation), client.cursor().copy(copy) as out:
            out.write_row((*rows[0][:9], '"forged"', *rows[0][10:]))
        assert log.rows(client) == rows


@pytest.fixture
def database(db_url: str) -> Iterator[Database]:
    Log(db_url)
    opened = Database(db_url)
    yield opened
    opened.close()


def erase(database: Database, run_id: str, *seqs: int) -> int:
    """Erase payloads through a connection of runreel's own."""
    marks = ", ".join("?" * len(seqs))
    sql = (
        "UPDATE events SET payload = NULL, salt = NULL, redacted = ?"
        f" WHERE run_id = ? AND seq IN ({marks})"
    )
    with database.writing() as connection:
        return int(connection.execute(sql, (OTHER, run_id, *seqs)).rowcount)


def delete(database: Database, run_id: str, before: int) -> int:
    with database.writing() as connection:
        sql = "DELETE FROM events WHERE run_id = ? AND seq < ?"
        return int(connection.execute(sql, (run_id, before)).rowcount)


def stored(database: Database, run_id: str) -> list[EventRow]:
    with database.reading() as connection:
        return list(event_log.read(connection, run_id))


def test_a_payload_goes_that_a_redaction_lists(database: Database) -> None:
    before = stored(database, "run")
    assert erase(database, "run", 3) == 1
    erased = before[3]._replace(payload=None, salt=None, redacted=OTHER)
    assert stored(database, "run") == [*before[:3], erased, *before[4:]]


def test_many_payloads_go_in_one_statement_or_none(database: Database) -> None:
    with pytest.raises(LogError, match="append-only"):
        erase(database, "run", 2, 3)
    assert [row.seq for row in stored(database, "run") if row.payload is None] == [1]
    with database.writing() as connection:
        assert event_log.append(connection, [note("run", 7, "redacted", '{"seqs":[0,2,5]}')])
    assert erase(database, "run", 0, 2, 3, 5) == 4


def test_a_damaged_redaction_stands_in_the_way_of_no_later_one(database: Database) -> None:
    with database.writing() as connection:
        broken = [note("run", 7, "redacted", "{"), note("run", 8, "redacted", '"\\ud800"')]
        listing = note("run", 9, "redacted", '{"seqs": [2]}')
        assert event_log.append(connection, [*broken, listing])
    assert erase(database, "run", 2) == 1


def test_rows_go_before_a_tombstone(database: Database) -> None:
    assert delete(database, "old", 2) == 2
    assert [row.seq for row in stored(database, "old")] == [2, 3]
    with database.writing() as connection:
        assert event_log.append(connection, [note("old", 4, "pruned", '{"seq": 3}')])
    assert delete(database, "old", 4) == 2
    assert [row.seq for row in stored(database, "old")] == [4]


def test_tombstone_and_deletion_go_in_one_transaction(database: Database) -> None:
    with pytest.raises(LogError, match="append-only"):
        delete(database, "run", 7)
    with database.writing() as connection, connection.transaction():
        assert event_log.append(connection, [note("run", 7, "pruned", '{"seq": 6}')])
        connection.execute("DELETE FROM events WHERE run_id = ? AND seq < ?", ("run", 7))
    assert [row.seq for row in stored(database, "run")] == [7]
