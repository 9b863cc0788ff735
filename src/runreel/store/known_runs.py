"""Which runs there are: those of the log, and those that the projections alone know."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

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
_COUNT_STRAYS = (
    "SELECT count(*) FROM (SELECT run_id FROM runs UNION SELECT run_id FROM run_labels) AS known"
    f" WHERE NOT {_IN_LOG}"
)
_PAGE_OF_PROJECTED = (
    f"SELECT run_id, {_IN_LOG} FROM ("
    "SELECT * FROM (SELECT run_id FROM runs WHERE run_id > ? ORDER BY run_id LIMIT ?) AS a"
    " UNION SELECT * FROM"
    " (SELECT DISTINCT run_id FROM run_labels WHERE run_id > ? ORDER BY run_id LIMIT ?) AS b"
    ") AS known ORDER BY run_id LIMIT ?"
)


def count(connection: Connection) -> int:
    """How many ``every`` gives."""
    logged = connection.one(_COUNT_LOGGED, ("",))[0]
    return int(logged + connection.one(_COUNT_STRAYS)[0])


def every(connection: Connection) -> Iterator[str]:
    """The ids of all runs of the log in order, then those of ``strays``."""
    after = ""
    while page := logged_after(connection, after):
        yield from page
        after = page[-1]
    yield from strays(connection)


def logged_after(connection: Connection, run_id: str) -> list[str]:
    """The next ids of runs of the log behind ``run_id``, in order; none at the end."""
    return [row[0] for row in connection.all(_PAGE_OF_LOGGED, (run_id, _PAGE))]


def strays(connection: Connection) -> Iterator[str]:
    """The ids that projections or labels have and the log has not, in order."""
    after = ""
    while page := connection.all(_PAGE_OF_PROJECTED, (after, _PAGE, after, _PAGE, _PAGE)):
        yield from (run_id for run_id, logged in page if not logged)
        after = page[-1][0]
