"""The texts of runs in a SQLite file, and an index of their trigrams. Implements ``TextSearch``.

The index is made on demand, in tables of its own. It has no copy of the texts: an entry is removed
with the text that it was made of, so an entry goes before its text does.
"""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING

from runreel.model.errors import BadValue, LogError
from runreel.model.search import LONG, IndexReport
from runreel.store.drivers.sqlite import packed_text, text_index, trigrams
from runreel.store.drivers.sqlite.text_index import END, INDEX, INDEXED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runreel.store.drivers.interface import Connection

# More texts than this, and than this part of all, are many.
_FEW, _SHARE = 1_000, 32
# The runs of ``candidates`` may lack the text.
EXACT = False

packed, unpacked = packed_text.packed, packed_text.unpacked


def containing(
    connection: Connection, folded: str, parts: Sequence[str], run_ids: Sequence[str]
) -> set[str]:
    """Return those of these runs that have a text in one of ``parts`` that contains ``folded``."""
    found: set[str] = set()
    # Without the sign, each run is looked up once for each part.
    sql = (
        "SELECT run_id, part, text FROM run_text WHERE run_id IN (SELECT value FROM json_each(?))"
        f" AND +part IN (?, {_marks(parts)})"
    )
    for run_id, part, stored in connection.execute(sql, (json.dumps(run_ids), LONG, *parts)):
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
    """Return the runs that may contain ``folded`` in one of ``parts``; None if all may.

    None, too, if many do: then the newest of them are found sooner by a look at the newest texts.
    """
    if len(folded) < trigrams.LENGTH or not text_index.exists(connection):
        return None
    (texts,) = connection.one(f"SELECT coalesce(max(id), 0) FROM {INDEXED}")
    most = max(_FEW, texts // _SHARE)
    known = text_index.has_table(connection, trigrams.COMMON)
    grams = trigrams.chosen(connection, folded, texts) if known else trigrams.spread(folded)
    rows = connection.all(
        f"SELECT run_id FROM {INDEX} JOIN {INDEXED} ON id = {INDEX}.rowid"
        f" WHERE {INDEX} MATCH ? AND part IN ({_marks(parts)}) LIMIT ?",
        (trigrams.query(grams), *parts, most + 1),
    )
    if len(rows) > most:
        return None
    rows += connection.all(f"SELECT run_id FROM {INDEXED} WHERE part = '{LONG}'")
    return {run_id for run_id, *_ in [*rows, *connection.all(text_index.missing(connection))]}


def build(connection: Connection, progress: Callable[[int, int], None] | None) -> IndexReport:
    """Add the texts that are not in the index; make it if there is none.

    Raises:
        LogError: if this SQLite has no such index.
    """
    added = text_index.add_texts(connection, progress)
    made = report(connection, added=added)
    if made is None:
        raise LogError("the index was dropped by another process")
    return made


def forget(connection: Connection, run_ids: Sequence[str]) -> None:
    """Remove the texts of runs from the index; call it before they change."""
    if not run_ids or not text_index.exists(connection):
        return
    if text_index.has_table(connection, END):
        connection.execute(f"DELETE FROM {END} WHERE run_id IN ({_marks(run_ids)})", run_ids)
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
        if packed_text.checksum(text) != checksum:
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
    if text_index.has_table(connection, END):
        connection.execute(f"DELETE FROM {END}")


def optimize(connection: Connection) -> None:
    """Rewrite the index without the entries that were removed."""
    if text_index.exists(connection):
        connection.execute(f"INSERT INTO {INDEX} ({INDEX}) VALUES ('optimize')")
        if text_index.has_table(connection, trigrams.COMMON):
            trigrams.count(connection, unpacked)


def report(connection: Connection, *, added: int = 0) -> IndexReport | None:
    """Return the state of the index, None if there is none."""
    if not text_index.exists(connection):
        return None
    (indexed,) = connection.one(f"SELECT count(*) FROM {INDEXED}")
    (size,) = connection.one(f"SELECT coalesce(sum(length(block)), 0) FROM {INDEX}_data")
    return IndexReport("SQLite FTS5 trigrams", int(indexed), added, int(size))


def missing(connection: Connection) -> int:
    """Return the number of texts that are not in the index."""
    return int(connection.one(f"SELECT count(*) FROM ({text_index.missing(connection)})")[0])


def obstacle(connection: Connection) -> str | None:
    """Return why there can be no index here, None if there can."""
    options = {row[0] for row in connection.all("PRAGMA compile_options")}
    if "ENABLE_FTS5" in options and sqlite3.sqlite_version_info >= (3, 34):
        return None
    return f"SQLite {sqlite3.sqlite_version} without FTS5 trigrams"


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
