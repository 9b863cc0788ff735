"""Guard the event log: triggers refuse to change or delete rows."""

from __future__ import annotations

from alembic import op
from alembic.util import CommandError

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# Checks any seq, also an existing one: INSERT OR REPLACE deletes a row without firing DELETE
# triggers.
INSERT_SQLITE = """
CREATE TRIGGER events_guard_insert BEFORE INSERT ON events
WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), -1) + 1 FROM events WHERE run_id = NEW.run_id)
BEGIN
    SELECT RAISE(ABORT, 'runreel: the log is append-only: a row goes behind the last of its run');
END
"""
# The newest note first: it was just written, so an older, damaged note is not read.
UPDATE_SQLITE = """
CREATE TRIGGER events_guard_update BEFORE UPDATE ON events
WHEN (
    NEW.run_id IS OLD.run_id AND NEW.seq IS OLD.seq AND NEW.kind IS OLD.kind
    AND NEW.type IS OLD.type AND NEW.source_index IS OLD.source_index AND NEW.at IS OLD.at
    AND NEW.elapsed IS OLD.elapsed AND NEW.keep IS OLD.keep AND NEW.added IS OLD.added
    AND NEW.digest IS OLD.digest
    AND OLD.payload IS NOT NULL AND NEW.payload IS NULL
    AND OLD.salt IS NOT NULL AND NEW.salt IS NULL
    AND OLD.redacted IS NULL AND typeof(NEW.redacted) = 'blob' AND length(NEW.redacted) = 32
    AND (OLD.kind <> 'note' OR coalesce(OLD.type, '') NOT IN ('redacted', 'pruned'))
    AND (SELECT 1 FROM events AS note
          WHERE note.run_id = OLD.run_id AND note.seq > OLD.seq
            AND note.kind = 'note' AND note.type = 'redacted'
            AND EXISTS (SELECT 1 FROM json_each(note.payload, '$.seqs') AS listed
                         WHERE listed.type = 'integer' AND listed.value = OLD.seq)
          ORDER BY note.seq DESC LIMIT 1)
) IS NOT TRUE
BEGIN
    SELECT RAISE(ABORT,
        'runreel: the log is append-only: a row changes only by a redaction that lists it');
END
"""
DELETE_SQLITE = """
CREATE TRIGGER events_guard_delete BEFORE DELETE ON events
WHEN (SELECT 1 FROM events AS note
       WHERE note.run_id = OLD.run_id AND note.seq > OLD.seq
         AND note.kind = 'note' AND note.type = 'pruned'
       ORDER BY note.seq DESC LIMIT 1) IS NULL
BEGIN
    SELECT RAISE(ABORT,
        'runreel: the log is append-only: a row goes only once a tombstone of its run stands');
END
"""

# Tables are named by their oid, and functions are looked up in the server's catalog only: the
# session that fires a trigger has its own search path and temporary tables. The run is read
# backwards along its key, against any plan of the planner: the note is at its end.
SETTINGS = """
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off
""".strip()
UPDATE_POSTGRES = """
CREATE FUNCTION runreel_guard_update() RETURNS trigger LANGUAGE plpgsql
{SETTINGS}
AS $guard$
DECLARE
    erased record;
    note bigint;
BEGIN
    erased := OLD;
    erased.payload := NULL;
    erased.salt := NULL;
    erased.redacted := NEW.redacted;
    IF NEW IS NOT DISTINCT FROM erased
        AND OLD.payload IS NOT NULL AND octet_length(NEW.redacted) = 32
        AND (OLD.kind <> 'note' OR coalesce(OLD.type, '') NOT IN ('redacted', 'pruned'))
    THEN
        EXECUTE 'SELECT seq FROM ' || TG_RELID::regclass || ' WHERE run_id = $1 AND seq > $2'
            || ' AND CASE WHEN kind = ''note'' AND type = ''redacted'''
            || ' THEN payload::jsonb -> ''seqs'' @> to_jsonb($2) END'
            || ' ORDER BY seq DESC LIMIT 1' INTO note USING OLD.run_id, OLD.seq;
    END IF;
    IF note IS NULL THEN
        RAISE EXCEPTION
            'runreel: the log is append-only: a row changes only by a redaction that lists it'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END
$guard$
"""
DELETE_POSTGRES = """
CREATE FUNCTION runreel_guard_delete() RETURNS trigger LANGUAGE plpgsql
{SETTINGS}
AS $guard$
DECLARE
    tombstone bigint;
BEGIN
    EXECUTE 'SELECT seq FROM ' || TG_RELID::regclass || ' WHERE run_id = $1 AND seq > $2'
        || ' AND kind = ''note'' AND type = ''pruned'''
        || ' ORDER BY seq DESC LIMIT 1' INTO tombstone USING OLD.run_id, OLD.seq;
    IF tombstone IS NULL THEN
        RAISE EXCEPTION
            'runreel: the log is append-only: a row goes only once a tombstone of its run stands'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN OLD;
END
$guard$
"""
TRUNCATE_POSTGRES = """
CREATE FUNCTION runreel_guard_truncate() RETURNS trigger LANGUAGE plpgsql
AS $guard$
BEGIN
    RAISE EXCEPTION 'runreel: the log is append-only: it is never emptied'
        USING ERRCODE = 'integrity_constraint_violation';
END
$guard$
"""
TRIGGER_POSTGRES = """
CREATE TRIGGER events_guard_{what} BEFORE {event} ON events
FOR EACH {each} EXECUTE FUNCTION runreel_guard_{what}()
"""
# ALWAYS: otherwise setting session_replication_role would disable it.
ALWAYS_POSTGRES = "ALTER TABLE events ENABLE ALWAYS TRIGGER events_guard_{what}"


def upgrade() -> None:
    if op.get_context().dialect.name == "sqlite":
        for statement in (INSERT_SQLITE, UPDATE_SQLITE, DELETE_SQLITE):
            op.execute(statement.strip())
        return
    for function, what, each in (
        (UPDATE_POSTGRES, "update", "ROW"),
        (DELETE_POSTGRES, "delete", "ROW"),
        (TRUNCATE_POSTGRES, "truncate", "STATEMENT"),
    ):
        op.execute(function.replace("{SETTINGS}", SETTINGS).strip())
        trigger = TRIGGER_POSTGRES.format(what=what, event=what.upper(), each=each)
        op.execute(trigger.strip())
        op.execute(ALWAYS_POSTGRES.format(what=what))


def downgrade() -> None:
    raise CommandError("runreel has no downgrades: restore a backup of the older revision")
