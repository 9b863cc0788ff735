"""The roles of Postgres may do their work, and nothing else."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from sqlalchemy import make_url

import runreel
from runreel import PartialMessage, RunStreamEvent, StreamEvent
from runreel.model.errors import RecordingError, UsageError
from runreel.store.database import Database
from runreel.store.events import event_log
from runreel.store.schema import comparison
from runreel.store.schema import roles as grants
from tests.conftest import PARTITIONED
from tests.store.attacks import ERASE, NEW, OTHER, Log, note, said

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.api.reel import Reel

# Not even a name may break out of the script.
NAMES = {"owner": "owner", "recorder": "re'corder", "reader": 'rea"der', "redactor": "$$re;--:d\\"}
PASSWORD = "of no worth"  # noqa: S105
PARTIAL = RunStreamEvent(StreamEvent.PARTIAL_MESSAGE, _message=PartialMessage(("Hello",)))

_REPLACE = (
    "CREATE OR REPLACE FUNCTION public.runreel_guard_delete() RETURNS trigger LANGUAGE plpgsql"
    " AS 'BEGIN RETURN OLD; END'"
)
_UPSERT = (
    f"INSERT INTO events VALUES {NEW.replace('7', '2', 1)}"
    " ON CONFLICT (run_id, seq) DO UPDATE SET digest = excluded.digest"
)
# What no role may do but the owner. The last statement is the one that is refused.
NOBODY = {
    "truncate": ("TRUNCATE events",),
    "truncate a projection": ("TRUNCATE runs",),
    "drop the table": ("DROP TABLE events CASCADE",),
    "drop a trigger": ("DROP TRIGGER events_guard_delete ON events",),
    "switch a trigger off": ("ALTER TABLE events DISABLE TRIGGER events_guard_delete",),
    "switch all triggers off": ("SET session_replication_role = replica",),
    "add a trigger": (
        "CREATE TRIGGER t BEFORE INSERT ON events EXECUTE FUNCTION runreel_guard_truncate()",
    ),
    "replace a guard": (_REPLACE,),
    "alter a guard": ("ALTER FUNCTION runreel_guard_delete() SECURITY DEFINER",),
    "add a rule": ("CREATE RULE r AS ON DELETE TO events DO INSTEAD NOTHING",),
    "add a column": ("ALTER TABLE events ADD COLUMN x int",),
    "drop a constraint": ("ALTER TABLE events DROP CONSTRAINT events_pkey",),
    "drop an index": ("DROP INDEX runs_by_start",),
    "drop a view": ("DROP VIEW run_list",),
    "add a table": ("CREATE TABLE public.more (x int)",),
    "take the table over": ("ALTER TABLE events OWNER TO CURRENT_USER",),
    "grant oneself more": ("GRANT ALL ON events TO CURRENT_USER", "UPDATE events SET at = 0"),
    "become the owner": ("SET ROLE $owner",),
    "change the revision": ("UPDATE runreel_version SET version_num = '0'",),
    "change the id of the database": ("UPDATE runreel_meta SET value = value || 'x'",),
    "delete what is known of the database": ("DELETE FROM runreel_meta",),
    "update a view": ("UPDATE transcript SET type = 'COMPLETED'",),
    "delete from a view": ("DELETE FROM transcript",),
    "change the digest": ("UPDATE events SET digest = $OTHER",),
    "change the time": ("UPDATE events SET at = 0",),
    "upsert": (_UPSERT,),
    "delete without a tombstone": ("DELETE FROM events WHERE run_id = 'run'",),
    "erase what is not listed": (f"{ERASE} WHERE run_id = 'run' AND seq = 2",),
    "put a payload back": (
        "UPDATE events SET payload = '{}', salt = $SALT, redacted = NULL WHERE payload IS NULL",
    ),
}
_NOTE = (
    "INSERT INTO events VALUES ('run', 7, 'note', '{}', 0, 0, 0, 0, 0, '{}', $SALT, NULL, $SALT)"
)
# What the redactor may do, and it alone.
RECORDER = NOBODY | {
    "lock rows": ("SELECT * FROM events FOR UPDATE",),
    "lock the table": ("LOCK TABLE events IN ACCESS EXCLUSIVE MODE",),
    "change a payload": ("UPDATE events SET payload = '{}' WHERE payload IS NOT NULL",),
    "erase with a note of one's own": (
        _NOTE.format("redacted", '{"seqs": [2]}'),
        f"{ERASE} WHERE run_id = 'run' AND seq = 2",
    ),
    "delete with a tombstone of one's own": (
        _NOTE.format("pruned", "{}"),
        "DELETE FROM events WHERE run_id = 'run' AND seq < 7",
    ),
}
READER = RECORDER | {
    "insert": (f"INSERT INTO events VALUES {NEW}",),
    "change a projection": ("UPDATE runs SET model = 'x'",),
    "delete a projection": ("DELETE FROM run_labels",),
    "insert a projection": ("INSERT INTO run_labels VALUES ('a', 'b', 0, 'c')",),
}
# Whoever may not even insert does not come to the statement that uses the note.
READER = {name: statements[:1] for name, statements in READER.items()} | {
    name: READER[name] for name in ("grant oneself more",)
}
FORBIDDEN = {"recorder": RECORDER, "reader": READER, "redactor": NOBODY}


class Granted:
    """A log whose roles have been granted what the script says."""

    def __init__(self, url: str) -> None:
        self.log = Log(url)
        tag = f"rr {uuid.uuid4().hex[:8]} "
        self.names = {role: tag + name for role, name in NAMES.items()}
        self.grant()
        with self.log.connected() as client:
            for name in self.names.values():
                client.execute(f"ALTER ROLE {quoted(name)} LOGIN PASSWORD '{PASSWORD}'")

    def grant(self) -> None:
        with self.log.connected() as client:
            client.execute(grants.roles_sql(grants.Roles(**self.names)))

    def url(self, role: str) -> str:
        url = make_url(self.log.url).set(username=self.names[role], password=PASSWORD)
        return url.render_as_string(hide_password=False)

    def connected(self, role: str) -> psycopg.Connection[Any]:
        client = psycopg.connect(
            self.log.url, user=self.names[role], password=PASSWORD, autocommit=True
        )
        assert client.execute("SELECT current_user").fetchone() == (self.names[role],)
        return client

    def sql(self, statement: str) -> str:
        return self.log.sql(statement).replace("$owner", quoted(self.names["owner"]))

    def clear(self) -> None:
        with self.log.connected() as client:
            for name in map(quoted, self.names.values()):
                client.execute(f"REASSIGN OWNED BY {name} TO CURRENT_USER")
                client.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


on_both = pytest.mark.parametrize("shared_url", ["postgresql", PARTITIONED], indirect=True)
on_postgres = pytest.mark.parametrize("shared_url", ["postgresql"], indirect=True)


@pytest.fixture(scope="module")
def granted(shared_url: str) -> Iterator[Granted]:
    made = Granted(shared_url)
    yield made
    made.clear()


def record(reel: Reel, run_id: str) -> None:
    with reel.recording(run_id, labels={"a": "b"}) as recording:
        recording.append(PARTIAL)


@on_postgres
@pytest.mark.parametrize(
    ("role", "name"), [(role, name) for role, attacks in FORBIDDEN.items() for name in attacks]
)
def test_a_role_may_not(granted: Granted, role: str, name: str) -> None:
    *before, last = map(granted.sql, FORBIDDEN[role][name])
    with granted.log.connected() as watcher, granted.connected(role) as client:
        rows = granted.log.rows(watcher)
        refused = psycopg.errors.InsufficientPrivilege, psycopg.IntegrityError
        with pytest.raises(refused) as told, client.transaction():
            for statement in before:
                client.execute(statement)
            client.execute(last)
        by_guard = isinstance(told.value, psycopg.IntegrityError)
        assert by_guard == ("append-only" in str(told.value))
        assert not by_guard or role == "redactor", "others are not even let to the guards"
        assert granted.log.rows(watcher) == rows


@on_postgres
@pytest.mark.parametrize("name", READER)
def test_only_because_it_is_not_granted(granted: Granted, name: str) -> None:
    """Somebody who may do everything can do each of these."""
    with granted.log.connected() as client:
        client.execute("BEGIN")
        granted.log.unguard(client)
        for statement in map(granted.sql, READER[name]):
            client.execute(statement)
        client.execute("ROLLBACK")


AT_PARTITIONS = {
    "insert": f"INSERT INTO $run VALUES {NEW}",
    "update": "UPDATE $run SET payload = NULL, salt = NULL, redacted = $OTHER",
    "delete": "DELETE FROM $run",
    "truncate": "TRUNCATE $run",
    "lock": "LOCK TABLE $run IN ACCESS EXCLUSIVE MODE",
    "drop": "DROP TABLE $run",
    "detach": "ALTER TABLE events DETACH PARTITION $run",
    "finish detaching": "ALTER TABLE events DETACH PARTITION $run FINALIZE",
    "switch a trigger off": "ALTER TABLE $run DISABLE TRIGGER events_guard_delete",
    "drop a trigger": "DROP TRIGGER events_guard_truncate ON $run",
    "add a rule": "CREATE RULE r AS ON DELETE TO $run DO INSTEAD NOTHING",
    "take it over": "ALTER TABLE $run OWNER TO CURRENT_USER",
}


@pytest.mark.parametrize("shared_url", [PARTITIONED], indirect=True)
@pytest.mark.parametrize("role", ["recorder", "reader", "redactor"])
def test_only_the_owner_may_do_more_to_a_partition_than_read(granted: Granted, role: str) -> None:
    with granted.log.connected() as watcher, granted.connected(role) as client:
        rows = granted.log.rows(watcher)
        for statement in map(granted.sql, AT_PARTITIONS.values()):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                client.execute(f"BEGIN; {statement}")
            client.rollback()
        assert granted.log.rows(watcher) == rows


@pytest.mark.parametrize("shared_url", [PARTITIONED], indirect=True)
def test_granting_again_gives_partitions_back_to_the_owner(granted: Granted) -> None:
    part = granted.log.partitions["run"]
    owner = f"SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = '{part}'::regclass"
    with granted.log.connected() as client:
        client.execute(f"ALTER TABLE {part} OWNER TO CURRENT_USER")
        client.execute(f"GRANT ALL ON {part} TO {quoted(granted.names['reader'])}")
        granted.grant()
        assert client.execute(owner).fetchone() == (granted.names["owner"],)
    with (
        granted.connected("reader") as reader,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        reader.execute(f"DELETE FROM {part} WHERE false")


@on_both
def test_the_recorder_records_and_rebuilds(granted: Granted) -> None:
    with runreel.open(granted.url("recorder")) as reel:
        record(reel, "by-recorder")
        assert reel.run("by-recorder").labels == {"a": "b"}
        with granted.log.connected() as client:
            client.execute("UPDATE runs SET model = 'x' WHERE run_id = 'by-recorder'")
        assert [one.column for one in reel.rebuild(["by-recorder"])] == ["model"]
        assert reel.rebuild(["by-recorder"], check=True) == []


@on_both
def test_the_reader_reads_and_verifies_and_records_nothing(granted: Granted) -> None:
    with runreel.open(granted.url("owner")) as reel:
        record(reel, "to-read")
    with runreel.open(granted.url("reader")) as reel:
        assert reel.result("to-read").text == "Hello"
        assert "to-read" in [run.run_id for run in reel.runs(labels={"a": "b"})]
        assert [event.kind for event in reel.events("to-read")]
        assert reel.usage().totals.runs >= 1
        assert reel.rebuild(["to-read"], check=True) == []
        with reel.db.reading() as connection:
            assert comparison.differences(connection) == []
        with pytest.raises(RecordingError, match="permission denied"):
            record(reel, "by-reader")
    with granted.log.connected() as client:
        assert not client.execute("SELECT 1 FROM events WHERE run_id = 'by-reader'").fetchone()


@on_both
def test_the_redactor_records_redacts_and_prunes(granted: Granted) -> None:
    database = Database(granted.url("redactor"))
    with database.writing() as connection, connection.transaction():
        rows = [note("mine", 0, "opened", "{}"), said("mine", 1), said("mine", 2)]
        assert event_log.append(connection, rows)
        assert event_log.append(connection, [note("mine", 3, "redacted", '{"seqs": [1]}')])
        erase = "UPDATE events SET payload = NULL, salt = NULL, redacted = ? WHERE run_id = ?"
        assert connection.execute(f"{erase} AND seq = 1", (OTHER, "mine")).rowcount == 1
    with database.writing() as connection, connection.transaction():
        assert event_log.append(connection, [note("mine", 4, "pruned", "{}")])
        gone = connection.execute("DELETE FROM events WHERE run_id = ? AND seq < 4", ("mine",))
        assert gone.rowcount == 4
    database.close()
    with runreel.open(granted.url("redactor")) as reel:
        record(reel, "by-redactor")


@on_both
def test_the_owner_migrates(granted: Granted) -> None:
    database = Database(granted.url("owner"))
    assert database.upgrade() == (database.current(), database.current())
    with database.writing() as connection:
        connection.execute("ALTER TABLE events ADD COLUMN new text")
        connection.execute("ALTER TABLE events DROP COLUMN new")
    database.close()


@on_postgres
def test_granting_again_takes_back_what_was_granted_beside(granted: Granted) -> None:
    with granted.log.connected() as client, granted.connected("recorder") as recorder:
        who = f"{quoted(granted.names['recorder'])}, PUBLIC"
        client.execute(f"GRANT ALL ON events, runreel_meta TO {who}")
        client.execute(f"GRANT UPDATE (at) ON events TO {who}")
        nothing = "UPDATE events SET at = at WHERE false"
        recorder.execute(nothing)
        granted.grant()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            recorder.execute(nothing)


@pytest.mark.parametrize("name", ["", "x" * 64, "ы" * 32, "a\nb", "a\0b", "\x1b[31m", "\u202e"])
def test_a_name_that_postgres_would_not_take_as_it_is_is_refused(name: str) -> None:
    for role in (*NAMES, "schema"):
        with pytest.raises(UsageError, match="is not a valid name"):
            grants.roles_sql(grants.Roles(**{role: name}))


def test_two_roles_have_two_names() -> None:
    with pytest.raises(UsageError, match="same name"):
        grants.roles_sql(grants.Roles(owner="one", reader="one"))
