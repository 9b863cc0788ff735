"""The texts of runs in a SQLite file, and an index of their trigrams. Implements ``TextSearch``.

The index is made on demand, in tables of its own. It has no copy of the texts: an entry is removed
with the text that it was made of, so an entry goes before its text does.
"""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING

from runreel.model.errors import BadValue, LogError
from runreel.model.search import ANSWER, LONG, REQUEST, IndexReport
from runreel.store.drivers.sqlite import packed_text, text_index, text_index_parts, trigrams
from runreel.store.drivers.sqlite.text_index import END, INDEX, INDEXED, PARTS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from runreel.store.drivers.interface import Connection

# More texts than this, and than this part of all, are many.
_FEW, _SHARE = 1_000, 32
# The parts of nearly all texts.
_USUAL = {ANSWER, REQUEST}
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
    names = text_index.tables(connection)
    if len(folded) < trigrams.LENGTH or INDEXED not in names:
        return None
    (texts,) = connection.one(f"SELECT coalesce(max(id), 0) FROM {INDEXED}")
    most, known = max(_FEW, texts // _SHARE), trigrams.COMMON in names
    grams = trigrams.chosen(connection, folded, texts) if known else trigrams.spread(folded)
    query, indexes = trigrams.query(grams), text_index.parts(names)
    ids = _matching(connection, indexes, query, most + 1)
    if len(ids) <= most:
        sql = f"SELECT run_id FROM {INDEXED} WHERE id IN (SELECT value FROM json_each(?))"
        rows = connection.all(f"{sql} AND part IN ({_marks(parts)})", (json.dumps(ids), *parts))
    elif _USUAL.issubset(parts):
        return None
    else:
        # Few of these texts may be of the parts.
        rows = _of_parts(connection, indexes, query, parts)
        if len(rows) > most:
            return None
    rows += connection.all(f"SELECT run_id FROM {INDEXED} WHERE part = '{LONG}'")
    return {str(run_id) for run_id, *_ in [*rows, *connection.all(text_index.missing(connection))]}


def _matching(
    connection: Connection, indexes: Sequence[str], query: str, limit: int
) -> Sequence[int]:
    """Return the ids of texts, up to a number of them."""
    ids: list[int] = []
    for index in indexes:
        sql = f"SELECT rowid FROM {index} WHERE {index} MATCH ? LIMIT ?"
        ids += [id_ for (id_,) in connection.all(sql, (query, limit - len(ids)))]
        if len(ids) == limit:
            break
    return ids


def _of_parts(
    connection: Connection, indexes: Sequence[str], query: str, parts: Sequence[str]
) -> list[Sequence[object]]:
    rows: list[Sequence[object]] = []
    for index in indexes:
        sql = f"SELECT run_id FROM {index} JOIN {INDEXED} ON id = {index}.rowid"
        where = f"WHERE {index} MATCH ? AND part IN ({_marks(parts)})"
        rows += connection.all(f"{sql} {where}", (query, *parts))
    return rows


def planned(connection: Connection, jobs: int) -> list[Callable[[Connection], object]]:
    """Return work for worker processes, whose results ``add_part`` adds to the index.

    Raises:
        LogError: if this SQLite has no such index.
    """
    return [*text_index_parts.planned(connection, jobs)]


def add_part(connection: Connection, made: object) -> int:
    """Add what a worker has made; return the number of texts, 0 if any of them has changed."""
    assert isinstance(made, text_index_parts.Part)  # noqa: S101 - by ``planned``
    return text_index_parts.added(connection, made)


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


def forget(connection: Connection, run_ids: Sequence[str], *, erased: bool = False) -> None:
    """Remove the texts of runs from the index; call it before they change."""
    names = text_index.tables(connection) if run_ids else ()
    if INDEXED not in names:
        return
    if erased and trigrams.COMMON in names:
        # Trigrams that many of the erased texts had would still stand there.
        connection.execute(f"DELETE FROM {trigrams.COMMON}")
    if END in names:
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
            _clear(connection, names)
            return
        index = text_index.part_of(connection, id_) if PARTS in names else INDEX
        connection.execute(
            f"INSERT INTO {index} ({index}, rowid, text) VALUES ('delete', ?, ?)", (id_, text)
        )
    connection.execute(f"DELETE FROM {INDEXED} WHERE run_id IN ({_marks(run_ids)})", run_ids)


def _clear(connection: Connection, names: Collection[str]) -> None:
    """Empty the index: it has an entry whose text is not known any more."""
    for index in text_index.parts(names):
        connection.execute(
            f"INSERT INTO {INDEX} ({INDEX}) VALUES ('delete-all')"
            if index == INDEX
            else f"DROP TABLE {index}"
        )
    for table in {*text_index.LISTS}.intersection(names):
        connection.execute(f"DELETE FROM {table}")


def optimize(connection: Connection) -> None:
    """Rewrite the index without the entries that were removed."""
    names = text_index.tables(connection)
    if INDEXED not in names:
        return
    for index in text_index.parts(names):
        connection.execute(f"INSERT INTO {index} ({index}) VALUES ('optimize')")
    if trigrams.COMMON in names:
        trigrams.count(connection, unpacked)


def report(connection: Connection, *, added: int = 0) -> IndexReport | None:
    """Return the state of the index, None if there is none."""
    names = text_index.tables(connection)
    if INDEXED not in names:
        return None
    (indexed,) = connection.one(f"SELECT count(*) FROM {INDEXED}")
    size = sum(
        connection.one(f"SELECT coalesce(sum(length(block)), 0) FROM {index}_data")[0]
        for index in text_index.parts(names)
    )
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
