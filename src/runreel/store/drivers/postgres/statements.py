"""Stores rows in Postgres: one statement and one round trip for any number of rows."""

from __future__ import annotations

import json
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from runreel.model.events import EventRow
from runreel.store.drivers.postgres.arrays import array
from runreel.store.drivers.postgres.prepared import Prepared

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runreel.store.drivers.interface import Connection, Keys, Row

_COLUMNS = EventRow._fields
_LIST = ", ".join(_COLUMNS)
_TEXT = ("run_id", "kind", "type", "payload", "dimension", "value")
_BYTES = ("salt", "redacted", "digest")
_TYPES = [
    "text" if column in _TEXT else "bytea" if column in _BYTES else "bigint" for column in _COLUMNS
]

# Set per statement: session settings get lost behind a pooler.
_DURABLE = (
    "(SELECT current_setting('synchronous_commit') <> 'off'"
    " OR set_config('synchronous_commit', 'on', true) = 'on')"
)
_LAZY = "(SELECT set_config('synchronous_commit', 'off', true) = 'off')"

# Inserts a row if its predecessor exists and its position is free, in one statement. Parameters are
# typed: Postgres reads an untyped one in a SELECT as text.
_ONE = (
    f"INSERT INTO events ({_LIST})"
    f" SELECT {', '.join(f'${n}::{type_}' for n, type_ in enumerate(_TYPES, 1))}"
    " WHERE EXISTS (SELECT 1 FROM events WHERE run_id = $1 AND seq = $2 - 1)"
    " AND {durability} ON CONFLICT DO NOTHING"
)
_FORMATS = [int(type_ == "bytea") for type_ in _TYPES]
_ONE_DURABLE = Prepared(_ONE.format(durability=_DURABLE), _FORMATS)
_ONE_LAZY = Prepared(_ONE.format(durability=_LAZY), _FORMATS)

# Inserts all rows or none: if a position is taken the statement fails. A first row requires that
# its run has no rows: pruned runs have no row 0. The predecessor is looked up by a scalar subquery,
# since EXISTS may become a join, which reads every partition.
_MANY = (
    f"INSERT INTO events ({_LIST})"
    f" SELECT * FROM unnest({', '.join(f'${n}::{type_}[]' for n, type_ in enumerate(_TYPES, 1))})"
    " WHERE NOT EXISTS (SELECT 1 FROM unnest($14::text[], $15::bigint[]) AS before (run_id, seq)"
    " WHERE (SELECT 1 FROM events"
    " WHERE events.run_id = before.run_id AND events.seq = before.seq) IS NULL)"
    " AND NOT EXISTS (SELECT 1 FROM events WHERE run_id = ANY ($16::text[])) AND {durability}"
)
_ARRAYS = (*_TYPES, "text", "bigint", "text")
_MANY_DURABLE = Prepared(_MANY.format(durability=_DURABLE), [1] * len(_ARRAYS))
_MANY_LAZY = Prepared(_MANY.format(durability=_LAZY), [1] * len(_ARRAYS))


def append(connection: Connection, rows: Sequence[EventRow], *, durable: bool) -> bool:
    """Append all rows or none; False if a predecessor is missing or a position is taken."""
    positions = {(row.run_id, row.seq) for row in rows}
    predecessors = [
        (row.run_id, row.seq - 1)
        for row in rows
        if row.seq and (row.run_id, row.seq - 1) not in positions
    ]
    new_runs = [row.run_id for row in rows if not row.seq]
    columns = (
        *zip(*rows, strict=True),
        *(zip(*predecessors, strict=True) if predecessors else ((), ())),
        new_runs,
    )
    parameters = [array(type_, items) for type_, items in zip(_ARRAYS, columns, strict=True)]
    from psycopg.errors import UniqueViolation

    statement = _MANY_DURABLE if durable else _MANY_LAZY
    try:
        # Not prepared: with many rows to store that makes no difference, and a plan for any runs
        # reads every partition.
        return statement.run_unprepared(connection, parameters) == len(rows)
    except UniqueViolation:
        return False


def append_one(connection: Connection, row: EventRow, *, durable: bool) -> bool:
    """Append one row; False if its predecessor is missing or its position is taken."""
    if not row.seq:
        return append(connection, [row], durable=durable)
    statement = _ONE_DURABLE if durable else _ONE_LAZY
    return statement.run(connection, list(map(_to_wire, row))) == 1


def write(connection: Connection, sql: str, parameters: Sequence[Any]) -> int:
    """Execute a statement that changes rows; return how many.

    It is prepared: to plan a change of a table with many indexes takes longer than to execute it.
    """
    wire = list(map(_to_wire, parameters))
    formats = tuple(int(type(value) is bytes) for value in parameters)
    return _prepared(sql, formats).run(connection, wire)


@lru_cache(maxsize=512)
def _prepared(sql: str, formats: tuple[int, ...]) -> Prepared:
    first, *rest = sql.split("?")
    return Prepared(first + "".join(f"${n}{part}" for n, part in enumerate(rest, 1)), formats)


_FIRST = (
    f"INSERT INTO events ({_LIST}) SELECT {', '.join('?' * len(_COLUMNS))}"
    " WHERE NOT EXISTS (SELECT 1 FROM events WHERE run_id = ?) ON CONFLICT DO NOTHING"
)


def append_tombstone(connection: Connection, row: EventRow) -> bool:
    """Store a tombstone as the first row of its run; False if the run has rows.

    Exclude other appends before: they find no row of the run.
    """
    typed = _FIRST.replace("?", "{}", len(_COLUMNS)).format(*(f"?::{type_}" for type_ in _TYPES))
    return int(connection.execute(typed, (*row, row.run_id)).rowcount) == 1


def _to_wire(value: str | int | bytes | None) -> bytes | None:
    """Encode a parameter in text format: integers in digits, text in UTF-8, bytes as they are."""
    if isinstance(value, int):
        return b"%d" % value
    return value.encode() if isinstance(value, str) else value


# The transaction that ends a run locks the rows that it adds to until it is on disk. So that others
# do not wait, each count has several rows, and each connection uses one of them.
_WRITE_SHARDS = 16


def add_counts(
    connection: Connection, keys: Keys, counts: tuple[str, ...], rows: Mapping[str, Sequence[Row]]
) -> None:
    """Add to the counts of tables with these keys; missing rows are inserted."""
    # One array per column would take longer than everything else here.
    records = {
        table: [dict(zip((*key, *counts), row, strict=True)) for row in rows[table]]
        for table, key in keys
    }
    _upserts(keys, counts).run(connection, [json.dumps(records).encode()])


@cache
def _upserts(keys: Keys, counts: tuple[str, ...]) -> Prepared:
    *others, last = (_upsert(table, key, counts) for table, key in keys)
    named = ", ".join(f"added{n} AS ({sql})" for n, sql in enumerate(others))
    return Prepared(f"WITH {named} {last}" if named else last, [0])


def _upsert(table: str, key: tuple[str, ...], counts: tuple[str, ...]) -> str:
    columns = (*key, *counts)
    names = ", ".join(columns)
    typed = ", ".join(f"{name} {'text' if name in _TEXT else 'bigint'}" for name in columns)
    added = ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in counts)
    return (
        f"INSERT INTO {table} ({names}, slot)"
        f" SELECT {names}, pg_backend_pid() % {_WRITE_SHARDS}"
        f" FROM json_to_recordset($1::json -> '{table}') AS added ({typed})"
        f" ON CONFLICT ({', '.join(key)}, slot) DO UPDATE SET {added}"
    )
