"""The log on Postgres in partitions by run: how many it has, and the SQL that gives it some."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.model.errors import LogError, UsageError

if TYPE_CHECKING:
    from runreel.store.connection import Connection

LEAST = 2
# A planned statement locks every partition that it might have to read: with so many of them an
# append takes twice as long.
MOST = 256

_LOCK_WAIT = "5s"
# New tables go where the log is, and not where this session would put them.
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
    """See that a log can have so many partitions.

    Raises:
        UsageError: if it cannot.
    """
    if not LEAST <= number <= MOST:
        raise UsageError(f"a log has from {LEAST} to {MOST} partitions, or none")


def name(place: int) -> str:
    """The name of a partition; they are counted from 0."""
    return f"events_p{place}"


def count(connection: Connection) -> int | None:
    """How many partitions the log has; None if it is one table, and on SQLite."""
    if not connection.postgres:
        return None
    found: int | None = connection.one(_MODULUS)[0]
    return found


def make(connection: Connection, number: int) -> None:
    """Give the log so many partitions, unless it has them; inside of a transaction.

    Whoever uses the log meanwhile waits.

    Raises:
        UsageError: if it has another number of them.
        LogError: if others have put triggers, rules or policies on it, which would be gone.
        psycopg.errors.LockNotAvailable: if somebody uses the log for longer than we wait.
    """
    has = count(connection)
    if has == number:
        return
    if has is not None:
        raise UsageError(
            f"this log has {has} partitions, and keeps them",
            hint="A new log can have another number, and be given the rows of this one.",
        )
    if theirs := [told for (told,) in connection.all(_THEIRS)]:
        raise LogError(
            f"events has what is not runreel's: {', '.join(theirs)}",
            hint="Nothing was changed. Take it away first, and put it back behind.",
        )
    # Everybody else queues behind us, so we do not queue for long.
    connection.execute(_SETTINGS, (_LOCK_WAIT,))
    connection.execute(sql(number))


def sql(number: int, *, places: int | None = None) -> str:
    """What puts the log in partitions, rows and all, but for the transaction around it.

    ``places`` is how many of the partitions are made, if not all.
    """
    made = range(number if places is None else places)
    statements = [_BEGIN]
    statements += [_PARTITION.format(name=name(n), number=number, place=n) for n in made]
    statements += [_guard("events", what) for what in ("update", "delete", "truncate")]
    for n in made:
        # Only the triggers of rows go from the parent to its partitions.
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
# The new tables belong to whom the old one did, and who might use that may use the new one. Its
# partitions are only read past it: the guards do so as whoever erases. The view becomes one of the
# new table under its own name.
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
        ), told AS (
            SELECT privilege_type || columns AS what,
                   CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END
                   || CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END AS whom
              FROM granted
        )
        SELECT format('ALTER TABLE %s OWNER TO %s', moved, relowner::regrole)
          FROM pg_class, (SELECT 'events'::regclass UNION ALL SELECT part FROM parts) AS m (moved)
         WHERE oid = 'events_whole'::regclass
        UNION ALL
        SELECT format('GRANT %s ON events TO %s', what, whom) FROM told
        UNION ALL
        SELECT format('GRANT SELECT ON %s TO %s', part, whom) FROM told, parts
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
