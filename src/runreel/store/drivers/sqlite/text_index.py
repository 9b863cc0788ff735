"""The index of the trigrams of texts in a SQLite file: its tables, and how it is made.

A new text gets a higher rowid than all others have, and so does one that takes the place of
another. When all texts are in the index, the last one and its rowid are noted in
``run_text_indexed_end``: until that text goes, only those after it are looked up in the index.
Rowids are not part of the schema, and VACUUM may change them, though not their order: the text that
has the rowid is compared.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from runreel.model.errors import BadValue, LogError
from runreel.model.search import LONG
from runreel.store.drivers.sqlite import trigrams
from runreel.store.drivers.sqlite.packed_text import checksum, unpacked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from runreel.store.drivers.interface import Connection

# SQLite makes the other tables of the index, with names that begin like this one.
INDEX, INDEXED, END = "run_text_index", "run_text_indexed", "run_text_indexed_end"
# Of the parts of the index that workers have made: the ids of their texts, and their tables.
PARTS = "run_text_indexed_parts"
# The tables that are no index.
LISTS = (INDEXED, END, PARTS, trigrams.COMMON)
MAKE_INDEX = (
    "CREATE VIRTUAL TABLE IF NOT EXISTS {} USING fts5(text, content='', detail='none',"
    " tokenize='trigram case_sensitive 1')"
)
_MAKE_INDEXED = (
    f"CREATE TABLE IF NOT EXISTS {INDEXED} (id INTEGER PRIMARY KEY, run_id TEXT NOT NULL,"
    " part TEXT NOT NULL, checksum INTEGER NOT NULL, UNIQUE (run_id, part)) STRICT"
)
_MAKE_END = (
    f"CREATE TABLE IF NOT EXISTS {END}"
    " (place INTEGER NOT NULL, run_id TEXT NOT NULL, part TEXT NOT NULL) STRICT"
)
_MAKE_LONG = (
    f"CREATE INDEX IF NOT EXISTS run_text_indexed_long ON {INDEXED} (run_id) WHERE part = '{LONG}'"
)
_MAKE_PARTS = (
    f"CREATE TABLE IF NOT EXISTS {PARTS}"
    " (first INTEGER PRIMARY KEY, last INTEGER NOT NULL, name TEXT NOT NULL) STRICT"
)
# Sets an option of an index, or gives it a command.
SET = "INSERT INTO {0} ({0}, rank) VALUES (?, ?)"
_MISSING = (
    "SELECT {} FROM run_text AS t"
    f" WHERE NOT EXISTS (SELECT 1 FROM {INDEXED} AS i"
    " WHERE i.run_id = t.run_id AND i.part = t.part)"
)
_END = (
    f"(SELECT e.place FROM {END} AS e JOIN run_text AS t ON t.rowid = e.place"
    " WHERE t.run_id = e.run_id AND t.part = e.part)"
)
_MISSING_AFTER_END = f"{_MISSING} AND t.rowid > coalesce({_END}, {-(2**63)})"
_FIRST = -(2**63)
_BATCH = 500
# Bytes that SQLite collects before it writes a part of the index: those of a batch.
HASH = 2**24
# Pages of the index that are rewritten in one transaction, which other writers wait for.
_PAGES = 500
# The index is merged once it has grown by a part of this size.
_GROWN = 4
_MERGED = 2


def tables(connection: Connection) -> set[str]:
    """Return the names of the tables of the index and its parts; empty if there is no index."""
    sql = f"SELECT name FROM sqlite_master WHERE type = 'table' AND name GLOB '{INDEX}*'"
    return {str(name) for (name,) in connection.all(sql)}


def parts(names: Iterable[str]) -> list[str]:
    """Return those of these names that searches look in."""
    return [INDEX, *sorted(name for name in names if _is_part(name))]


def _is_part(name: str) -> bool:
    return name.removeprefix(f"{INDEX}_").isdecimal()


def part_of(connection: Connection, id_: int) -> str:
    """Return the table of the part that a text is in."""
    sql = f"SELECT name FROM {PARTS} WHERE first <= ? AND last >= ?"
    found = connection.one(sql, (id_, id_))
    return INDEX if found is None else str(found[0])


def missing(connection: Connection, columns: str = "t.run_id, t.part") -> str:
    """Return a statement on each text ``t`` that is not in the index; it ends with a condition."""
    sql = _MISSING_AFTER_END if END in tables(connection) else _MISSING
    return sql.format(columns)


def next_id(connection: Connection) -> int:
    """Return the id of the next text that is added: higher than those of all parts."""
    sql = f"SELECT max((SELECT coalesce(max(id), 0) FROM {INDEXED}),"
    (last,) = connection.one(f"{sql} (SELECT coalesce(max(last), 0) FROM {PARTS}))")
    return int(last) + 1


def make(connection: Connection) -> None:
    """Make the tables of the index if there are none.

    Raises:
        LogError: if this SQLite has no such index.
    """
    making = (_MAKE_INDEXED, _MAKE_LONG, _MAKE_END, _MAKE_PARTS, trigrams.MAKE_COMMON)
    try:
        with connection.transaction():
            for statement in (MAKE_INDEX.format(INDEX), *making):
                connection.execute(statement)
            _set(connection, "hashsize", HASH)
    except sqlite3.OperationalError as error:
        if "fts5" not in str(error) and "tokenizer" not in str(error):
            raise
        raise LogError(
            f"this SQLite ({sqlite3.sqlite_version}) has no trigram index: {error}",
            hint="Searches work without one. SQLite has it from 3.34, where FTS5 is built in.",
        ) from None


def add_texts(connection: Connection, progress: Callable[[int, int], None] | None) -> int:
    """Add the texts that are not in the index, and return how many; make it if there is none.

    Raises:
        LogError: if this SQLite has no such index.
    """
    make(connection)
    (total,) = connection.one(f"SELECT count(*) FROM ({missing(connection)})")
    added, after = 0, _FIRST
    while True:
        batch, last = _add_batch(connection, after)
        if batch == 0 and after == _FIRST:
            break
        # Texts before the last one may have changed meanwhile: the end is a look at all of them.
        after = last if batch else _FIRST
        added += batch
        if batch and progress is not None:
            progress(added, max(total, added))
    (indexed,) = connection.one(f"SELECT count(*) FROM {INDEXED}")
    has_grown = added * _GROWN >= indexed
    if has_grown or connection.one(f"SELECT 1 FROM {trigrams.COMMON} LIMIT 1") is None:
        with connection.transaction():
            trigrams.count(connection, unpacked)
    if added:
        _merge(connection, whole=has_grown)
    return added


def _add_batch(connection: Connection, after: int) -> tuple[int, int]:
    """Add missing texts after a row of ``run_text``; return how many, and the last row."""
    with connection.transaction():
        chosen = f"{missing(connection)} AND t.rowid > ? ORDER BY t.rowid LIMIT {_BATCH}"
        sql = f"SELECT t.rowid, t.run_id, t.part, t.text FROM ({chosen}) AS m JOIN run_text AS t"
        rows = connection.all(f"{sql} ON t.run_id = m.run_id AND t.part = m.part", (after,))
        first = next_id(connection)
        ids = range(first, first + len(rows))
        texts = [readable(run_id, stored) for _, run_id, _, stored in rows]
        named = zip(ids, rows, texts, strict=True)
        connection.executemany(
            f"INSERT INTO {INDEXED} (id, run_id, part, checksum) VALUES (?, ?, ?, ?)",
            [(id_, row[1], row[2], checksum(text)) for id_, row, text in named],
        )
        connection.executemany(
            f"INSERT INTO {INDEX} (rowid, text) VALUES (?, ?)", zip(ids, texts, strict=True)
        )
        if not rows and after == _FIRST:
            _set_end(connection)
    return len(rows), max((row[0] for row in rows), default=after)


def _merge(connection: Connection, *, whole: bool) -> None:
    """Merge what SQLite has written of the index: a search looks for each trigram in each of it."""
    if not whole:
        # Rewriting all of it would take longer than adding these texts.
        _set(connection, "merge", _PAGES)
        return
    _set(connection, "usermerge", 2)
    changes, pages = -_MERGED, -_PAGES
    # SQLite's sign that nothing is left to merge.
    while connection.raw.total_changes - changes >= _MERGED:
        changes = connection.raw.total_changes
        _set(connection, "merge", pages)
        pages = _PAGES


def _set(connection: Connection, name: str, value: int) -> None:
    connection.execute(SET.format(INDEX), (name, value))


def _set_end(connection: Connection) -> None:
    """Remember that all texts are in the index."""
    connection.execute(f"DELETE FROM {END}")
    connection.execute(
        f"INSERT INTO {END} SELECT rowid, run_id, part FROM run_text ORDER BY rowid DESC LIMIT 1"
    )


def readable(run_id: str, stored: object) -> str:
    """Return a stored text.

    Raises:
        LogError: if it is damaged.
    """
    try:
        return unpacked(stored)
    except BadValue as error:
        raise LogError(
            f"run {run_id}: {error}", hint=f"`runreel rebuild {run_id}` computes it again."
        ) from None
