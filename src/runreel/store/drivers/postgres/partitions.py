"""Partitions of the event log on Postgres, by run: their number, and the SQL to create them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.model.errors import LogError, UsageError

if TYPE_CHECKING:
    from runreel.store.drivers.interface import Connection

LEAST = 2
# A planned statement locks every partition that it may read: with 256 of them an append takes twice
# as long.
MOST = 256

_LOCK_WAIT = "5s"
# Create tables in the schema of the event log, not in the session's default.
_SETTINGS = """
SELECT set_config('lock_timeout', ?, true),
       set_config('search_path', relnamespace::regnamespace::text, true)
  FROM pg_class WHERE oid = to_regclass('events')
"""
_MODULUS = r"""
SELECT max(substring(pg_get_expr(relpartbound, oid) FROM 'modulus (\d+)')::int)
  FROM pg_inherits JOIN pg_class ON oid = inhrelid
 WHERE inhparent = to_regclass('events') AND relispartition
"""
_THEIRS = """
SELECT 'trigger ' || tgname FROM pg_trigger
 WHERE tgrelid = to_regclass('events') AND NOT tgisinternal
   AND tgname NOT IN ('events_guard_update', 'events_guard_delete', 'events_guard_truncate')
UNION ALL
SELECT 'rule ' || rulename FROM pg_rewrite WHERE ev_class = to_regclass('events')
UNION ALL
SELECT 'policy ' || polname FROM pg_policy WHERE polrelid = to_regclass('events')
"""


def check(number: int) -> None:
    """Check a number of partitions.

    Raises:
        UsageError: if it is out of range.
    """
    if not LEAST <= number <= MOST:
        raise UsageError(f"the number of partitions must be from {LEAST} to {MOST}")


def name(number: int) -> str:
    """Return the name of a partition; they are numbered from 0."""
    return f"events_p{number}"


def count(connection: Connection) -> int | None:
    """Return the number of partitions; None if the event log is one table."""
    found: int | None = connection.one(_MODULUS)[0]
    return found


def make(connection: Connection, number: int) -> None:
    """Partition the event log, unless it has that many partitions; call it inside a transaction.

    Other users of the event log wait meanwhile.

    Raises:
        UsageError: if it has another number of partitions.
        LogError: if it has triggers, rules or policies of others, which would be lost.
        psycopg.errors.LockNotAvailable: if another session uses it for more than 5 s.
    """
    has = count(connection)
    if has == number:
        return
    if has is not None:
        raise UsageError(
            f"this log already has {has} partitions; their number cannot be changed",
            hint="Create a new log with another number, and copy the rows of this one.",
        )
    if theirs := [item for (item,) in connection.all(_THEIRS)]:
        raise LogError(
            f"the table events has objects that are not runreel's: {', '.join(theirs)}",
            hint="Nothing was changed. Remove them first, and add them again afterwards.",
        )
    # Other sessions queue behind our lock request, so it must not wait long.
    connection.execute(_SETTINGS, (_LOCK_WAIT,))
    connection.execute(sql(number))


def sql(number: int, *, created: int | None = None) -> str:
    """Return the SQL that partitions the event log with its rows, without the transaction.

    ``created`` is the number of partitions to create, if not all.
    """
    numbers = range(number if created is None else created)
    statements = [_BEGIN]
    statements += [_PARTITION.format(name=name(n), number=number, place=n) for n in numbers]
    statements += [_guard("events", what) for what in ("update", "delete", "truncate")]
    for n in numbers:
        # Partitions inherit only row triggers from the parent.
        statements += [_guard(name(n), "truncate"), *(_always(name(n), what) for what in _OF_ROWS)]
    return "".join([*statements, _END])


def _guard(table: str, what: str) -> str:
    each = "ROW" if what in _OF_ROWS else "STATEMENT"
    return _TRIGGER.format(table=table, what=what, event=what.upper(), each=each) + _always(
        table, what
    )


def _always(table: str, what: str) -> str:
    return f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER events_guard_{what};\n"


_OF_ROWS = ("update", "delete")
_BEGIN = """
LOCK TABLE events IN ACCESS EXCLUSIVE MODE;
ALTER TABLE events RENAME TO events_whole;
ALTER TABLE events_whole RENAME CONSTRAINT events_pkey TO events_whole_pkey;
CREATE TABLE events (LIKE events_whole INCLUDING ALL) PARTITION BY HASH (run_id);
"""
_PARTITION = (
    "CREATE TABLE {name} PARTITION OF events FOR VALUES WITH (MODULUS {number}, REMAINDER {place});"
    "\n"
)
_TRIGGER = (
    "CREATE TRIGGER events_guard_{what} BEFORE {event} ON {table}"
    " FOR EACH {each} EXECUTE FUNCTION runreel_guard_{what}();\n"
)
# The new tables get the owner and the grants of the old one. Partitions are only read directly, by
# the guards, which run as the role that erases. The view is recreated under its own name on the new
# table.
_END = """
INSERT INTO events SELECT * FROM events_whole;
DO $$
DECLARE
    statement text;
BEGIN
    FOR statement IN
        WITH parts AS (
            SELECT inhrelid::regclass AS part FROM pg_inherits WHERE inhparent = 'events'::regclass
        ), granted AS (
            SELECT '' AS columns, (aclexplode(relacl)).* FROM pg_class
             WHERE oid = 'events_whole'::regclass
            UNION ALL
            SELECT format('(%I)', attname), (aclexplode(attacl)).* FROM pg_attribute
             WHERE attrelid = 'events_whole'::regclass
        ), grants AS (
            SELECT privilege_type || columns AS what,
                   CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END
                   || CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END AS whom
              FROM granted
        )
        SELECT format('ALTER TABLE %s OWNER TO %s', moved, relowner::regrole)
          FROM pg_class, (SELECT 'events'::regclass UNION ALL SELECT part FROM parts) AS m (moved)
         WHERE oid = 'events_whole'::regclass
        UNION ALL
        SELECT format('GRANT %s ON events TO %s', what, whom) FROM grants
        UNION ALL
        SELECT format('GRANT SELECT ON %s TO %s', part, whom) FROM grants, parts
         WHERE what = 'SELECT'
    LOOP
        EXECUTE statement;
    END LOOP;
    EXECUTE 'CREATE OR REPLACE VIEW transcript AS ' || regexp_replace(
        pg_get_viewdef('transcript'::regclass), '\\mevents_whole\\M', 'events', 'g');
END
$$;
DROP TABLE events_whole;
"""
