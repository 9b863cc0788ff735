"""Projections made anew beside the old ones, and moved into their place at once."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from runreel.store import rollup_check, rollups
from runreel.store.read_models import COLUMNS, label_rows, row_of
from runreel.store.rollups import Counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.store.connection import Connection
    from runreel.store.read_models import Projected
    from runreel.store.rollups import Wrong

_LIST = ", ".join(COLUMNS)
_HERE = "run_id IN (SELECT run_id FROM staged_ids)"


@contextlib.contextmanager
def room(connection: Connection) -> Iterator[None]:
    """Room beside the projections for rows that will replace theirs."""
    connection.execute("CREATE TEMPORARY TABLE staged_runs AS SELECT * FROM runs WHERE 1 = 0")
    connection.execute(
        "CREATE TEMPORARY TABLE staged_labels AS SELECT * FROM run_labels WHERE 1 = 0"
    )
    connection.execute("CREATE TEMPORARY TABLE staged_ids AS SELECT run_id FROM runs WHERE 1 = 0")
    try:
        yield
    except BaseException:
        # A transaction that failed takes the room with it, and would hide the reason now.
        if not connection.postgres:
            _clear(connection)
        raise
    _clear(connection)


@contextlib.contextmanager
def attempt(connection: Connection) -> Iterator[None]:
    """Reads that may fail without failing the transaction that they are in."""
    if not connection.postgres:
        yield
        return
    connection.execute("SAVEPOINT attempt")
    try:
        yield
    except Exception:
        connection.execute("ROLLBACK TO SAVEPOINT attempt")
        raise
    connection.execute("RELEASE SAVEPOINT attempt")


def stage(connection: Connection, run_id: str, projected: Projected | None) -> None:
    """Put a run's new row and labels beside the projections; None: it is to have none."""
    connection.execute("INSERT INTO staged_ids VALUES (?)", (run_id,))
    if projected is None:
        return
    marks = ", ".join("?" * len(COLUMNS))
    connection.execute(f"INSERT INTO staged_runs ({_LIST}) VALUES ({marks})", row_of(projected))
    for label in label_rows(projected.summary):
        connection.execute(
            "INSERT INTO staged_labels (key, value, started_at, run_id) VALUES (?, ?, ?, ?)",
            (*label, run_id),
        )


def place(connection: Connection, *, whole: bool) -> list[Wrong]:
    """Move the staged rows into place, but for runs that were recorded or pruned meanwhile.

    Then all usage adds up to what the runs do, if they are the ``whole`` of what is wrong; where
    it did not is answered. Else it does where it did before.
    """
    if connection.postgres:
        # Readers go on; a writer waits, whose newer row would otherwise be replaced by ours.
        connection.execute("LOCK TABLE runs IN EXCLUSIVE MODE")
    connection.execute(
        "DELETE FROM staged_ids WHERE run_id IN (SELECT r.run_id FROM runs AS r"
        " JOIN staged_runs AS s ON s.run_id = r.run_id WHERE r.projected_seq > s.projected_seq AND"
        " r.projected_seq <= (SELECT max(seq) FROM events WHERE events.run_id = r.run_id))"
    )
    connection.execute(
        "DELETE FROM staged_ids WHERE run_id IN (SELECT s.run_id FROM staged_runs AS s"
        " WHERE s.projected_seq < (SELECT min(seq) FROM events WHERE events.run_id = s.run_id))"
    )
    days = set() if whole else _right_days(connection)
    _replace(connection)
    found = rollup_check.differences(connection) if whole else []
    rollups.mend(connection, found)
    for day in days:
        rollups.mend(connection, rollup_check.differences(connection, day=day))
    return found


def _right_days(connection: Connection) -> set[int]:
    """The days of the runs that are replaced whose usage adds up to what their runs do."""
    columns = ", ".join(Counted._fields)
    days = set()
    for table in ("runs", "staged_runs"):
        rows = connection.all(f"SELECT {columns} FROM {table} WHERE {_HERE}")
        days |= rollups.days_of(map(Counted._make, rows))
    return {day for day in days if not rollup_check.differences(connection, day=day)}


def _replace(connection: Connection) -> None:
    labels = "key, value, started_at, run_id"
    connection.execute(f"DELETE FROM runs WHERE {_HERE}")
    connection.execute(f"DELETE FROM run_labels WHERE {_HERE}")
    connection.execute(f"INSERT INTO runs ({_LIST}) SELECT {_LIST} FROM staged_runs WHERE {_HERE}")
    connection.execute(
        f"INSERT INTO run_labels ({labels}) SELECT {labels} FROM staged_labels WHERE {_HERE}"
    )


def _clear(connection: Connection) -> None:
    for table in ("staged_runs", "staged_labels", "staged_ids"):
        connection.execute(f"DROP TABLE IF EXISTS {table}")
