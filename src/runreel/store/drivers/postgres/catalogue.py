"""The schema of a Postgres database. Implements ``Catalogue``."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from runreel.model.errors import LogError
from runreel.store.drivers.postgres import admin, partitions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runreel.store.drivers.interface import Connection, SchemaObjects

# For one transaction: the syntax of literals and the quoting of names, at any server default.
_USUAL_SETTINGS = (
    "SELECT set_config('standard_conforming_strings', 'on', true),"
    " set_config('quote_all_identifiers', 'off', true)"
)
# Any constant, as long as it never changes.
_MIGRATION_LOCK = 0x72756E7265656C

check_partitions = partitions.check


def has_table(connection: Connection, name: str) -> bool:
    """True if the table exists."""
    return connection.one("SELECT to_regclass(?)", (name,))[0] is not None


def prepare_creation(connection: Connection) -> None:
    """Check that the encoding is UTF8.

    Raises:
        LogError: if it is not.
    """
    (encoding,) = connection.one("SELECT current_setting('server_encoding')")
    if encoding != "UTF8":
        raise LogError(
            f"the database has the encoding {encoding}, which cannot store every character",
            hint="Nothing was changed. Create one with: createdb --encoding=UTF8"
            " --template=template0 NAME",
        )


def prepare_migration(connection: Connection) -> None:
    """Exclude other migrations until commit."""
    connection.execute(_USUAL_SETTINGS)
    connection.execute(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")


def not_compared(connection: Connection) -> str | None:
    """Return why no temporary objects can be created here; None if they can."""
    if admin.is_replica(connection):
        return "a replica cannot be compared: run this on the primary"
    if not connection.one("SELECT has_database_privilege(current_database(), 'TEMPORARY')")[0]:
        return "the role lacks the privilege TEMPORARY: GRANT TEMPORARY ON DATABASE ... TO it"
    return None


def objects(
    connection: Connection, relations: Sequence[str], ddl: str
) -> tuple[SchemaObjects, SchemaObjects]:
    """Return the objects of the database, and those that ``ddl`` creates as temporary ones."""
    with _rolled_back(connection):
        (home,) = connection.one(_HOME)
        number = partitions.count(connection)
        names = [*relations, *map(partitions.name, range(number or 0))]
        ours = connection.one(_OIDS, (names,))
        _search(connection, f"{home}, pg_temp")
        found = _objects(connection, ours)
        return found, _expected(connection, names, ddl, number)


def _expected(
    connection: Connection, names: Sequence[str], ddl: str, number: int | None
) -> SchemaObjects:
    _search(connection, "pg_temp")
    if number is not None:
        # All partitions are like the first.
        ddl += partitions.sql(number, created=1)
    # Postgres looks up functions in pg_temp only if they are qualified with it.
    connection.execute(ddl.replace("EXECUTE FUNCTION ", "EXECUTE FUNCTION pg_temp."))
    expected = _objects(connection, connection.one(_OIDS, (names,)))
    return dict(_of_each_partition(expected, number or 0))


def _of_each_partition(found: SchemaObjects, number: int) -> Iterator[tuple[tuple[str, str], str]]:
    """Repeat the objects of the first partition for each partition."""
    first = partitions.name(0)
    for (relation, item), definition in found.items():
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
        connection.execute(_USUAL_SETTINGS)
        yield
    finally:
        connection.execute("ROLLBACK")


def _search(connection: Connection, path: str) -> None:
    connection.execute("SELECT set_config('search_path', ?, true)", (path,))


def _objects(connection: Connection, oids: Sequence[object]) -> SchemaObjects:
    return {
        (name, item): definition for name, item, definition in connection.all(_OBJECTS, tuple(oids))
    }


# The schema in which runreel finds its tables; others may have tables of the same names.
_HOME = """
SELECT quote_ident(coalesce(
    (SELECT n.nspname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
      WHERE c.oid = to_regclass('runreel_version')), 'public'))
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
 WHERE i.relname NOT IN ('run_text_trigrams', 'run_text_long')
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
