"""Lists runs: those in the event log, and those that only projections have."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from runreel.store.connection import Connection

_PAGE = 500

# Skips from run to run along the primary key: the log may have millions of rows per run.
_LOGGED = (
    "WITH RECURSIVE logged(run_id, place) AS ("
    " SELECT (SELECT min(run_id) FROM events WHERE run_id > ?), 1 UNION ALL"
    " SELECT (SELECT min(run_id) FROM events WHERE run_id > logged.run_id), place + 1"
    " FROM logged WHERE run_id IS NOT NULL{bound}) "
)
_PAGE_OF_LOGGED = (
    _LOGGED.format(bound=" AND place < ?") + "SELECT run_id FROM logged WHERE run_id IS NOT NULL"
)
_COUNT_LOGGED = _LOGGED.format(bound="") + "SELECT count(run_id) FROM logged"

_IN_LOG = "EXISTS (SELECT 1 FROM events WHERE events.run_id = known.run_id)"
_COUNT_ORPHANS = (
    "SELECT count(*) FROM (SELECT run_id FROM runs UNION SELECT run_id FROM run_labels"
    " UNION SELECT run_id FROM run_keys UNION SELECT run_id FROM run_text"
    " UNION SELECT run_id FROM key_frames) AS known"
    f" WHERE NOT {_IN_LOG}"
)
_PAGE_OF_PROJECTED = (
    f"SELECT run_id, {_IN_LOG} FROM ("
    "SELECT * FROM (SELECT run_id FROM runs WHERE run_id > ? ORDER BY run_id LIMIT ?) AS a"
    " UNION SELECT * FROM"
    " (SELECT DISTINCT run_id FROM run_labels WHERE run_id > ? ORDER BY run_id LIMIT ?) AS b"
    " UNION SELECT * FROM"
    " (SELECT DISTINCT run_id FROM run_keys WHERE run_id > ? ORDER BY run_id LIMIT ?) AS c"
    " UNION SELECT * FROM"
    " (SELECT DISTINCT run_id FROM run_text WHERE run_id > ? ORDER BY run_id LIMIT ?) AS d"
    " UNION SELECT * FROM"
    " (SELECT DISTINCT run_id FROM key_frames WHERE run_id > ? ORDER BY run_id LIMIT ?) AS e"
    ") AS known ORDER BY run_id LIMIT ?"
)

# A scalar subquery, since EXISTS may become a join, which reads every partition.
_ASKED = (
    "SELECT value FROM {}"
    " WHERE (SELECT 1 FROM events WHERE events.run_id = asked.value LIMIT 1) IS NOT NULL"
)

_LAST = (
    "SELECT asked.value, (SELECT max(seq) FROM events WHERE events.run_id = asked.value) FROM {}"
)


def count(connection: Connection) -> int:
    """Count the ids in all ``id_batches``."""
    logged = connection.one(_COUNT_LOGGED, ("",))[0]
    return int(logged + connection.one(_COUNT_ORPHANS)[0])


def id_batches(connection: Connection, most: int) -> Iterator[list[str]]:
    """Yield the ids of all runs in batches, in order, then each of ``orphan_projections`` alone.

    The event log has no other ids between the first and the last of a batch.
    """
    yield from id_pages(connection, most)
    yield from ([run_id] for run_id in orphan_projections(connection))


def id_pages(connection: Connection, most: int) -> Iterator[list[str]]:
    """Yield the ids of the runs in the log in batches, in order.

    In a damaged file they may be of other types.
    """
    after = ""
    while page := ids_after(connection, after):
        yield from (page[start : start + most] for start in range(0, len(page), most))
        after = page[-1]


def ids_after(connection: Connection, run_id: str) -> list[str]:
    """Return the next ids in the event log after ``run_id``, in order; none at the end."""
    return [row[0] for row in connection.all(_PAGE_OF_LOGGED, (run_id, _PAGE))]


def sized_pages(
    connection: Connection, run_ids: Sequence[str] | None, *, runs: int, rows: int
) -> Iterator[list[str]]:
    """Yield the ids of these runs, or of all in the log, in batches of at most ``rows`` rows.

    A run with more rows is a batch of its own, and no batch has more than ``runs`` of them.
    """
    batch: list[str] = []
    size = 0
    for run_id, last in _with_last(connection, run_ids):
        if batch and (len(batch) == runs or size + last >= rows):
            yield batch
            batch, size = [], 0
        batch.append(run_id)
        size += last + 1
    if batch:
        yield batch


def _with_last(connection: Connection, run_ids: Sequence[str] | None) -> Iterator[tuple[str, int]]:
    """Yield ids with the last seq of each run."""
    pages: Iterable[Sequence[str]]
    if run_ids is None:
        pages = id_pages(connection, _PAGE)
    else:
        pages = (run_ids[start : start + _PAGE] for start in range(0, len(run_ids), _PAGE))
    for page in pages:
        # A damaged file may hold ids of other types.
        asked = json.dumps([run_id for run_id in page if isinstance(run_id, str)])
        sql = _LAST.format(connection.driver.dialect.strings)
        found = dict(connection.all(sql, (asked,)))
        yield from ((run_id, found[run_id] or 0) for run_id in page if run_id in found)


def orphan_projections(connection: Connection) -> Iterator[str]:
    """Yield the ids that projections have and the event log does not, in order."""
    after = ""
    while page := connection.all(_PAGE_OF_PROJECTED, (*[after, _PAGE] * 5, _PAGE)):
        yield from (run_id for run_id, logged in page if not logged)
        after = page[-1][0]


def existing(connection: Connection, run_ids: Iterable[str]) -> set[str]:
    """Return those of these runs that have rows in the event log."""
    asked = json.dumps(list(run_ids))
    sql = _ASKED.format(connection.driver.dialect.strings)
    return {run_id for (run_id,) in connection.all(sql, (asked,))}
