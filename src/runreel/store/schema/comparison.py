"""Compares the schema of a database with that of the migrations: tables, views and guards.

The expected schema is not written down a second time. The migrations create it for the comparison:
on SQLite in memory, on Postgres as temporary objects that are rolled back, since each server
version describes the same object in its own words.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
from functools import cache
from typing import TYPE_CHECKING, Any

from runreel.model.columns import TABLES
from runreel.store.replica import is_replica
from runreel.store.schema import migrations as schema
from runreel.store.schema import partitions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from runreel.store.connection import Connection
    from runreel.store.database_url import Url

VIEWS = ("transcript", "run_list")
RELATIONS = (*TABLES, schema.VERSION_TABLE, *VIEWS)
# Postgres only; SQLite's triggers contain their bodies.
FUNCTIONS = ("runreel_guard_update", "runreel_guard_delete", "runreel_guard_truncate")

# Key: table or view, and object in it ("" is the table itself). Value: its definition, of which
# messages show the first line.
SchemaObjects = dict[tuple[str, str], str]


def differences(connection: Connection) -> list[str]:
    """Return one sentence for each difference between the schema and this code's migrations.

    Compared are tables, columns, constraints, indexes, views, rules and triggers, and whether the
    triggers are enabled. Other objects in the database are ignored. Nothing is changed.
    ``connection`` is in no transaction. If ``not_compared`` has a reason, the list is empty.
    """
    if not_compared(connection) is not None:
        return []
    try:
        found, expected = (_postgres if connection.postgres else _sqlite)(connection)
    except Exception as error:
        if not _is_of_schema(error):
            raise
        return [f"the schema cannot be compared: {' '.join(str(error).split())}"]
    missing = {relation for relation, item in expected.keys() - found.keys() if not item}
    return [
        _sentence(key, found.get(key), expected.get(key))
        for key in sorted(found | expected)
        if found.get(key) != expected.get(key) and not (key[1] and key[0] in missing)
    ]


def not_compared(connection: Connection) -> str | None:
    """Return why the schema cannot be compared here, and what to do; None if it can.

    On Postgres the comparison creates temporary objects.
    """
    if not connection.postgres:
        return None
    if is_replica(connection):
        return "a replica cannot be compared: run this on the primary"
    if not connection.one("SELECT has_database_privilege(current_database(), 'TEMPORARY')")[0]:
        return "the role lacks the privilege TEMPORARY: GRANT TEMPORARY ON DATABASE ... TO it"
    return None


def _sentence(key: tuple[str, str], found: str | None, expected: str | None) -> str:
    name = ": ".join(filter(None, key))
    if found is None:
        return f"{name} is missing"
    if expected is None:
        return f"{name} is not runreel's"
    actual, original = (definition.partition("\n")[0] for definition in (found, expected))
    return (
        f"{name} is not as runreel made it"
        if actual == original
        else f"{name} is {actual}, not {original}"
    )


def _is_of_schema(error: Any) -> bool:
    """True if the database responds, but rejects this statement."""
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", None) or 0
        return code & 0xFF in (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
    return (getattr(error, "sqlstate", None) or "")[:2] in ("0A", "22", "25", "42", "XX")


def _sqlite(connection: Connection) -> tuple[SchemaObjects, SchemaObjects]:
    return _sqlite_objects(connection.all), _sqlite_expected(connection.url)


@cache
def _sqlite_expected(url: Url) -> SchemaObjects:
    scratch = sqlite3.connect(":memory:")
    try:
        scratch.executescript(schema.ddl(url))
        return _sqlite_objects(scratch.execute)
    finally:
        scratch.close()


def _sqlite_objects(query: Callable[[str], Iterable[Any]]) -> SchemaObjects:
    objects: SchemaObjects = {}
    for kind, name, relation, sql in query(_MASTER):
        item = "" if kind in ("table", "view") else f"{kind} {name}"
        # A damaged file may hold anything as its SQL.
        objects[relation, item] = f"a {kind}\n{_tokens(str(sql or ''))}"
    for relation, column, definition in query(_COLUMNS):
        objects[relation, f"column {column}"] = definition
    return objects


def _tokens(sql: str) -> str:
    """Normalise the whitespace between the tokens of SQL: SQLAlchemy chooses the layout."""
    return "".join(
        text if text.startswith("'") else " ".join(re.sub(r"([(),])", r" \1 ", text).split())
        for text in re.split(r"('(?:[^']|'')*')", sql)
    )


# Names are case-insensitive, and a trigger has the name of its table as it was written.
_OURS = ", ".join(f"'{name}'" for name in RELATIONS)
_MASTER = (
    f"SELECT type, name, lower(tbl_name), sql FROM sqlite_master WHERE lower(tbl_name) IN ({_OURS})"
)
_COLUMNS = f"""
SELECT lower(m.name), c.name,
       c.type || iif(c."notnull", ' not null', '') || iif(c.pk, ' key ' || c.pk, '')
       || iif(c.hidden, ' generated', '') || coalesce(' default ' || c.dflt_value, '')
  FROM sqlite_master AS m JOIN pragma_table_xinfo(m.name) AS c
 WHERE m.type = 'table' AND lower(m.name) IN ({_OURS})
"""


def _postgres(connection: Connection) -> tuple[SchemaObjects, SchemaObjects]:
    with _rolled_back(connection):
        (home,) = connection.one(_HOME)
        number = partitions.count(connection)
        names = [*RELATIONS, *map(partitions.name, range(number or 0))]
        ours = connection.one(_OIDS, (names,))
        _search(connection, f"{home}, pg_temp")
        found = _postgres_objects(connection, ours)
        _search(connection, "pg_temp")
        ddl = schema.ddl(connection.url)
        if number is not None:
            # All partitions are like the first.
            ddl += partitions.sql(number, created=1)
        # Postgres looks up functions in pg_temp only if they are qualified with it.
        connection.execute(ddl.replace("EXECUTE FUNCTION ", "EXECUTE FUNCTION pg_temp."))
        expected = _postgres_objects(connection, connection.one(_OIDS, (names,)))
        return found, dict(_of_each_partition(expected, number or 0))


def _of_each_partition(
    objects: SchemaObjects, number: int
) -> Iterator[tuple[tuple[str, str], str]]:
    """Repeat the objects of the first partition for each partition."""
    first = partitions.name(0)
    for (relation, item), definition in objects.items():
        if relation != first:
            yield (relation, item), definition
            continue
        for place in range(number):
            name = partitions.name(place)
            renumbered = definition.replace("remainder 0", f"remainder {place}")
            yield (name, item.replace(first, name)), renumbered.replace(first, name)


@contextlib.contextmanager
def _rolled_back(connection: Connection) -> Iterator[None]:
    # Some roles are read-only by default.
    connection.execute("BEGIN READ WRITE")
    try:
        connection.execute(schema.USUAL_SETTINGS)
        yield
    finally:
        connection.execute("ROLLBACK")


def _search(connection: Connection, path: str) -> None:
    connection.execute("SELECT set_config('search_path', ?, true)", (path,))


def _postgres_objects(connection: Connection, oids: Any) -> SchemaObjects:
    return {
        (name, item): definition for name, item, definition in connection.all(_OBJECTS, tuple(oids))
    }


# The schema in which runreel finds its tables; others may have tables of the same names.
_HOME = f"""
SELECT quote_ident(coalesce(
    (SELECT n.nspname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
      WHERE c.oid = to_regclass('{schema.VERSION_TABLE}')), 'public'))
"""
_OIDS = """
SELECT array(SELECT to_regclass(name)::oid FROM unnest(?::text[]) AS name
              WHERE to_regclass(name) IS NOT NULL)
"""
_OBJECTS = """
WITH ours AS (
    SELECT c.*, c.relname::text AS name, quote_ident(n.nspname) || '.' AS home
      FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
     WHERE c.oid = ANY (?)
)
SELECT name, '',
       CASE WHEN relispartition THEN 'a partition'
            WHEN relkind IN ('r', 'p') THEN 'a table' WHEN relkind = 'v' THEN 'a view'
            ELSE 'something else' END
       || coalesce(' of ' || (SELECT inhparent::regclass FROM pg_inherits
                               WHERE inhrelid = oid AND relispartition)
                   || ' ' || pg_get_expr(relpartbound, oid), '')
       || coalesce(' in partitions by ' || pg_get_partkeydef(oid), '')
       || CASE relpersistence WHEN 'u' THEN ' that is not logged' ELSE '' END
       || CASE WHEN relrowsecurity THEN ' with row security' ELSE '' END
       || CASE WHEN NOT relispartition AND relkind <> 'p'
                AND EXISTS (SELECT FROM pg_inherits WHERE ours.oid IN (inhrelid, inhparent))
               THEN ' with inheritance' ELSE '' END
       || CASE relkind WHEN 'v' THEN E'\\n' || pg_get_viewdef(oid) ELSE '' END
  FROM ours
UNION ALL
SELECT name, 'column ' || attname,
       format_type(atttypid, atttypmod)
       || CASE WHEN attcollation <> typcollation THEN ' collate ' || collname ELSE '' END
       || CASE WHEN attnotnull THEN ' not null' ELSE '' END
       || CASE WHEN attidentity <> '' OR attgenerated <> '' THEN ' generated' ELSE '' END
       || coalesce(' default ' || pg_get_expr(adbin, adrelid), '')
  FROM ours
  JOIN pg_attribute ON attrelid = ours.oid AND attnum > 0 AND NOT attisdropped
  JOIN pg_type AS t ON t.oid = atttypid
  LEFT JOIN pg_collation AS o ON o.oid = attcollation
  LEFT JOIN pg_attrdef ON adrelid = ours.oid AND adnum = attnum
UNION ALL
SELECT name, 'constraint ' || conname, pg_get_constraintdef(c.oid)
  FROM ours JOIN pg_constraint AS c ON conrelid = ours.oid AND contype <> 'n'
UNION ALL
SELECT name, 'index ' || i.relname,
       CASE WHEN indisvalid AND indisready AND indislive THEN '' ELSE 'invalid: ' END
       || replace(replace(pg_get_indexdef(indexrelid), home, ''), 'pg_temp.', '')
  FROM ours JOIN pg_index ON indrelid = ours.oid JOIN pg_class AS i ON i.oid = indexrelid
UNION ALL
SELECT name, 'rule ' || rulename, E'a rule\\n' || pg_get_ruledef(r.oid)
  FROM ours JOIN pg_rewrite AS r ON ev_class = ours.oid AND rulename <> '_RETURN'
UNION ALL
SELECT name, 'trigger ' || tgname,
       CASE tgenabled WHEN 'A' THEN 'always on' WHEN 'D' THEN 'off' ELSE 'on in some sessions' END
       || E'\\n' || replace(replace(pg_get_triggerdef(g.oid), home, ''), 'pg_temp.', '')
       || concat_ws(E'\\n', '', prosrc, lanname, prosecdef, provolatile,
                    array_to_string(proconfig, ', '))
  FROM ours
  JOIN pg_trigger AS g ON tgrelid = ours.oid AND NOT tgisinternal
  JOIN pg_proc AS p ON p.oid = tgfoid
  JOIN pg_language AS l ON l.oid = prolang
"""
