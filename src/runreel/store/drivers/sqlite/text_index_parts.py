"""Parts of the index of texts, each made by a worker process in its memory.

SQLite cannot merge indexes, so each part is one of its own, and a search asks all of them. What a
part consists of are rows of the tables that SQLite makes for an index; they are copied into the
log together with the list of the texts that they are of, if none of those has changed meanwhile.
"""

from __future__ import annotations

import sqlite3
import zlib
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from runreel.store.drivers.sqlite import text_index
from runreel.store.drivers.sqlite.packed_text import checksum
from runreel.store.drivers.sqlite.text_index import INDEX, INDEXED, PARTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runreel.store.drivers.interface import Connection

# A part of fewer texts is not worth asking for in each search; one of more takes much memory.
_LEAST, _MOST = 1_000, 65_536
# The tables of an index without those that say how it is made.
_TABLES = ("data", "idx", "docsize")


class Span(NamedTuple):
    """Texts that are not in the index, by their places in ``run_text``, and the ids they get."""

    first_place: int
    last_place: int
    first_id: int
    last_id: int


class Part(NamedTuple):
    """A part of the index: its texts, the checksums of their stored form, and rows by table."""

    span: Span
    texts: list[tuple[int, str, str, int]]
    stored: list[int]
    rows: dict[str, list[tuple[object, ...]]]


def planned(connection: Connection, jobs: int) -> list[Callable[[Connection], Part]]:
    """Return the work of making parts of the texts that are not in the index; none if they are few.

    Raises:
        LogError: if this SQLite has no such index.
    """
    text_index.make(connection)
    sql = text_index.missing(connection, "t.rowid")
    places = [int(place) for (place,) in connection.all(f"{sql} ORDER BY t.rowid")]
    size = min(-(-len(places) // jobs), _MOST)
    if size < _LEAST:
        return []
    spans, next_id = [], text_index.next_id(connection)
    for start in range(0, len(places), size):
        some = places[start : start + size]
        spans.append(Span(some[0], some[-1], next_id + start, next_id + start + len(some) - 1))
    return [partial(_made, span) for span in spans]


def _made(span: Span, connection: Connection) -> Part:
    """Make a part, in a worker."""
    texts: list[tuple[int, str, str, int]] = []
    stored: list[int] = []

    def read() -> Iterator[tuple[int, str]]:
        for id_, (run_id, part, packed) in enumerate(_in_span(connection, span), span.first_id):
            text = text_index.readable(run_id, packed)
            texts.append((id_, run_id, part, checksum(text)))
            stored.append(zlib.crc32(packed))
            yield id_, text

    with closing(sqlite3.connect(":memory:", isolation_level=None)) as memory:
        memory.execute(text_index.MAKE_INDEX.format(INDEX))
        memory.execute(text_index.SET.format(INDEX), ("hashsize", text_index.HASH))
        memory.execute("BEGIN")
        memory.executemany(f"INSERT INTO {INDEX} (rowid, text) VALUES (?, ?)", read())
        memory.execute(f"INSERT INTO {INDEX} ({INDEX}) VALUES ('optimize')")
        memory.execute("COMMIT")
        rows = {
            table: memory.execute(f"SELECT * FROM {INDEX}_{table}").fetchall() for table in _TABLES
        }
    return Part(span, texts, stored, rows)


def _in_span(connection: Connection, span: Span) -> Iterator[tuple[str, str, bytes]]:
    sql = text_index.missing(connection, "t.run_id, t.part, t.text")
    yield from connection.execute(
        f"{sql} AND t.rowid BETWEEN ? AND ? ORDER BY t.rowid", (span.first_place, span.last_place)
    )


def added(connection: Connection, part: Part) -> int:
    """Add a part to the index; return the number of its texts, 0 if any of them has changed."""
    name = f"{INDEX}_{part.span.first_id}"
    with connection.transaction():
        if not part.texts or not _is_current(connection, part):
            return 0
        connection.execute(text_index.MAKE_INDEX.format(name))
        for table, rows in part.rows.items():
            connection.execute(f"DELETE FROM {name}_{table}")
            marks = ", ".join("?" * len(rows[0]))
            connection.executemany(f"INSERT INTO {name}_{table} VALUES ({marks})", rows)
        connection.executemany(f"INSERT INTO {INDEXED} VALUES (?, ?, ?, ?)", part.texts)
        ids = (part.span.first_id, part.span.last_id)
        connection.execute(f"INSERT INTO {PARTS} VALUES (?, ?, ?)", (*ids, name))
    return len(part.texts)


def _is_current(connection: Connection, part: Part) -> bool:
    """Return whether the texts are as they were, and not in the index yet."""
    if text_index.next_id(connection) > part.span.first_id:
        return False
    found = {
        (run_id, name): zlib.crc32(text) for run_id, name, text in _in_span(connection, part.span)
    }
    made = zip(part.texts, part.stored, strict=True)
    return all(found.get((run_id, name)) == crc for (_, run_id, name, _), crc in made)
