"""The texts of runs in a SQLite file, and an index of their trigrams. Implements ``TextSearch``.

The index is made on demand, in tables of its own. It has no copy of the texts: an entry is removed
with the text that it was made of, so an entry goes before its text does.

A new text gets a higher rowid than all others have, and so does one that takes the place of
another. When all texts are in the index, the last one and its rowid are noted in
``run_text_indexed_end``: until that text goes, only those after it are looked up in the index.
Rowids are not part of the schema, and VACUUM may change them, though not their order: the text that
has the rowid is compared.
"""

from __future__ import annotations

import sqlite3
import zlib
from typing import TYPE_CHECKING

from runreel.model.errors import BadValue, LogError
from runreel.model.search import LONG, IndexReport

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runreel.store.drivers.interface import Connection

# SQLite makes the other tables of the index, with names that begin like this one.
INDEX, INDEXED = "run_text_index", "run_text_indexed"
_MAKE_INDEX = (
    f"CREATE VIRTUAL TABLE IF NOT EXISTS {INDEX} USING fts5(text, content='', detail='none',"
    " tokenize='trigram case_sensitive 1')"
)
_MAKE_INDEXED = (
    f"CREATE TABLE IF NOT EXISTS {INDEXED} (id INTEGER PRIMARY KEY, run_id TEXT NOT NULL,"
    " part TEXT NOT NULL, checksum INTEGER NOT NULL, UNIQUE (run_id, part)) STRICT"
)
_MAKE_END = (
    "CREATE TABLE IF NOT EXISTS run_text_indexed_end"
    " (place INTEGER NOT NULL, run_id TEXT NOT NULL, part TEXT NOT NULL) STRICT"
)
_MAKE_LONG = (
    f"CREATE INDEX IF NOT EXISTS run_text_indexed_long ON {INDEXED} (run_id) WHERE part = '{LONG}'"
)
_MISSING = (
    "SELECT t.run_id, t.part FROM run_text AS t"
    f" WHERE NOT EXISTS (SELECT 1 FROM {INDEXED} AS i"
    " WHERE i.run_id = t.run_id AND i.part = t.part)"
)
_END = (
    "(SELECT e.place FROM run_text_indexed_end AS e JOIN run_text AS t ON t.rowid = e.place"
    " WHERE t.run_id = e.run_id AND t.part = e.part)"
)
_MISSING_AFTER_END = f"{_MISSING} AND t.rowid > coalesce({_END}, {-(2**63)})"
# Of zlib: higher ones take three times as long, and save 6 % of a text of 20 KiB.
_LEVEL = 3
# Bytes from which zlib's usual window and tables are worth clearing.
_LONG = 8_192
_FIRST = -(2**63)
_TRIGRAM = 3
# More trigrams of a text hardly exclude another one.
_MOST = 24
_BATCH = 500


def packed(text: str) -> object:
    """Return a text as it is stored."""
    data = text.encode()
    window, memory = (12, 4) if len(data) < _LONG else (15, 8)
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, window, memory)
    return compressor.compress(data) + compressor.flush()


def unpacked(stored: object) -> str:
    """Return a stored text.

    Raises:
        BadValue: if it is damaged.
    """
    try:
        return zlib.decompress(stored).decode()  # type: ignore[arg-type]
    except (zlib.error, TypeError, UnicodeDecodeError) as error:
        raise BadValue(f"a text for searches is damaged: {error}") from None


def containing(
    connection: Connection, folded: str, parts: Sequence[str], run_ids: Sequence[str]
) -> set[str]:
    """Return those of these runs that have a text in one of ``parts`` that contains ``folded``."""
    found: set[str] = set()
    sql = (
        f"SELECT run_id, part, text FROM run_text WHERE run_id IN ({_marks(run_ids)})"
        f" AND part IN (?, {_marks(parts)})"
    )
    for run_id, part, stored in connection.execute(sql, (*run_ids, LONG, *parts)):
        if run_id not in found and (part == LONG or _may_contain(stored, folded)):
            found.add(run_id)
    return found


def _may_contain(stored: object, folded: str) -> bool:
    try:
        return folded in unpacked(stored)
    except BadValue:
        # The run is read from the log.
        return True


def candidates(connection: Connection, folded: str, parts: Sequence[str]) -> set[str] | None:
    """Return the runs that may contain ``folded`` in one of ``parts``; None if all may."""
    if len(folded) < _TRIGRAM or not _exists(connection):
        return None
    grams = list(dict.fromkeys(folded[at : at + _TRIGRAM] for at in range(len(folded) - 2)))
    # Every other one has all characters in it, and the rest hardly exclude another text.
    chosen = dict.fromkeys([*grams[:: max(2, -(-len(grams) // _MOST))], grams[-1]])
    query = " AND ".join('"{}"'.format(gram.replace('"', '""')) for gram in chosen)
    rows = connection.all(
        f"SELECT run_id FROM {INDEX} JOIN {INDEXED} ON id = {INDEX}.rowid"
        f" WHERE {INDEX} MATCH ? AND part IN ({_marks(parts)})",
        (query, *parts),
    )
    found = {str(run_id) for (run_id,) in rows}
    long = connection.all(f"SELECT run_id FROM {INDEXED} WHERE part = '{LONG}'")
    found |= {str(run_id) for (run_id,) in long}
    unread = {str(run_id) for run_id, _ in connection.all(_missing(connection))}
    if len(found) <= _BATCH:
        # Few texts are read in less time than a run in the log.
        found, unread = set(), unread | found
    others = sorted(unread - found)
    for start in range(0, len(others), _BATCH):
        found |= containing(connection, folded, parts, others[start : start + _BATCH])
    return found


def _missing(connection: Connection) -> str:
    """Return a statement on the run and the part of each text that is not in the index."""
    return _MISSING_AFTER_END if _has_table(connection, "run_text_indexed_end") else _MISSING


def build(connection: Connection, progress: Callable[[int, int], None] | None) -> IndexReport:
    """Add the texts that are not in the index; make it if there is none.

    Raises:
        LogError: if this SQLite has no such index.
    """
    try:
        with connection.transaction():
            connection.execute(_MAKE_INDEX)
            for statement in (_MAKE_INDEXED, _MAKE_LONG, _MAKE_END):
                connection.execute(statement)
    except sqlite3.OperationalError as error:
        if "fts5" not in str(error) and "tokenizer" not in str(error):
            raise
        raise LogError(
            f"this SQLite ({sqlite3.sqlite_version}) has no trigram index: {error}",
            hint="Searches work without one. SQLite has it from 3.34, where FTS5 is built in.",
        ) from None
    total, added, after = missing(connection), 0, _FIRST
    while True:
        batch, last = _add_batch(connection, after)
        if batch == 0 and after == _FIRST:
            break
        # Texts before the last one may have changed meanwhile: the end is a look at all of them.
        after = last if batch else _FIRST
        added += batch
        if batch and progress is not None:
            progress(added, max(total, added))
    made = report(connection, added=added)
    if made is None:
        raise LogError("the index was dropped by another process")
    return made


def _add_batch(connection: Connection, after: int) -> tuple[int, int]:
    """Add missing texts after a row of ``run_text``; return how many, and the last row."""
    with connection.transaction():
        chosen = f"{_missing(connection)} AND t.rowid > ? ORDER BY t.rowid LIMIT {_BATCH}"
        sql = f"SELECT t.rowid, t.run_id, t.part, t.text FROM ({chosen}) AS m JOIN run_text AS t"
        rows = connection.all(f"{sql} ON t.run_id = m.run_id AND t.part = m.part", (after,))
        (last_id,) = connection.one(f"SELECT coalesce(max(id), 0) FROM {INDEXED}")
        ids = range(int(last_id) + 1, int(last_id) + 1 + len(rows))
        texts = [_readable(run_id, stored) for _, run_id, _, stored in rows]
        named = zip(ids, rows, texts, strict=True)
        connection.executemany(
            f"INSERT INTO {INDEXED} (id, run_id, part, checksum) VALUES (?, ?, ?, ?)",
            [(id_, row[1], row[2], _checksum(text)) for id_, row, text in named],
        )
        connection.executemany(
            f"INSERT INTO {INDEX} (rowid, text) VALUES (?, ?)", zip(ids, texts, strict=True)
        )
        if not rows and after == _FIRST:
            _set_end(connection)
    return len(rows), max((row[0] for row in rows), default=after)


def _set_end(connection: Connection) -> None:
    """Remember that all texts are in the index."""
    connection.execute("DELETE FROM run_text_indexed_end")
    connection.execute(
        "INSERT INTO run_text_indexed_end SELECT rowid, run_id, part FROM run_text"
        " ORDER BY rowid DESC LIMIT 1"
    )


def _readable(run_id: str, stored: object) -> str:
    try:
        return unpacked(stored)
    except BadValue as error:
        raise LogError(
            f"run {run_id}: {error}", hint=f"`runreel rebuild {run_id}` computes it again."
        ) from None


def _checksum(text: str) -> int:
    return zlib.crc32(text.encode())


def forget(connection: Connection, run_ids: Sequence[str]) -> None:
    """Remove the texts of runs from the index; call it before they change."""
    if not run_ids or not _exists(connection):
        return
    if _has_table(connection, "run_text_indexed_end"):
        connection.execute(
            f"DELETE FROM run_text_indexed_end WHERE run_id IN ({_marks(run_ids)})", run_ids
        )
    rows = connection.all(
        f"SELECT i.id, i.checksum, t.text FROM {INDEXED} AS i LEFT JOIN run_text AS t"
        f" ON t.run_id = i.run_id AND t.part = i.part WHERE i.run_id IN ({_marks(run_ids)})",
        run_ids,
    )
    for id_, checksum, stored in rows:
        try:
            text = unpacked(stored)
        except BadValue:
            text = ""
        if _checksum(text) != checksum:
            _clear(connection)
            return
        connection.execute(
            f"INSERT INTO {INDEX} ({INDEX}, rowid, text) VALUES ('delete', ?, ?)", (id_, text)
        )
    connection.execute(f"DELETE FROM {INDEXED} WHERE run_id IN ({_marks(run_ids)})", run_ids)


def _clear(connection: Connection) -> None:
    """Empty the index: it has an entry whose text is not known any more."""
    connection.execute(f"INSERT INTO {INDEX} ({INDEX}) VALUES ('delete-all')")
    connection.execute(f"DELETE FROM {INDEXED}")
    if _has_table(connection, "run_text_indexed_end"):
        connection.execute("DELETE FROM run_text_indexed_end")


def optimize(connection: Connection) -> None:
    """Rewrite the index without the entries that were removed."""
    if _exists(connection):
        connection.execute(f"INSERT INTO {INDEX} ({INDEX}) VALUES ('optimize')")


def report(connection: Connection, *, added: int = 0) -> IndexReport | None:
    """Return the state of the index, None if there is none."""
    if not _exists(connection):
        return None
    (indexed,) = connection.one(f"SELECT count(*) FROM {INDEXED}")
    (size,) = connection.one(f"SELECT coalesce(sum(length(block)), 0) FROM {INDEX}_data")
    return IndexReport("SQLite FTS5 trigrams", int(indexed), added, int(size))


def missing(connection: Connection) -> int:
    """Return the number of texts that are not in the index."""
    return int(connection.one(f"SELECT count(*) FROM ({_missing(connection)})")[0])


def obstacle(connection: Connection) -> str | None:
    """Return why there can be no index here, None if there can."""
    options = {row[0] for row in connection.all("PRAGMA compile_options")}
    if "ENABLE_FTS5" in options and sqlite3.sqlite_version_info >= (3, 34):
        return None
    return f"SQLite {sqlite3.sqlite_version} without FTS5 trigrams"


def _exists(connection: Connection) -> bool:
    return _has_table(connection, INDEXED)


def _has_table(connection: Connection, name: str) -> bool:
    sql = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
    return connection.one(sql, (name,)) is not None


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
