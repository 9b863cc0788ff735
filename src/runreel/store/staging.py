"""Projections made anew beside the old ones, and moved into their place at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.rules import codec
from runreel.store.read_models import COLUMNS, label_rows, row_of, save_labels

if TYPE_CHECKING:
    from runreel.store.connection import Connection
    from runreel.store.read_models import Projected

_LIST = ", ".join(COLUMNS)


def begin(connection: Connection) -> None:
    """Make room beside the projections for rows that will replace theirs."""
    connection.execute("CREATE TEMPORARY TABLE staged_runs AS SELECT * FROM runs WHERE 1 = 0")
    connection.execute("CREATE TEMPORARY TABLE staged_ids (run_id TEXT NOT NULL)")


def stage(connection: Connection, run_id: str, projected: Projected | None) -> None:
    """Put a run's new row beside the projections; None: it is to have none."""
    connection.execute("INSERT INTO staged_ids VALUES (?)", (run_id,))
    if projected is not None:
        marks = ", ".join("?" * len(COLUMNS))
        connection.execute(f"INSERT INTO staged_runs ({_LIST}) VALUES ({marks})", row_of(projected))


def place(connection: Connection) -> None:
    """Move the staged rows into place, but for runs that were recorded further meanwhile."""
    if connection.postgres:
        # Readers go on; a writer waits, whose newer row would otherwise be replaced by ours.
        connection.execute("LOCK TABLE runs IN SHARE ROW EXCLUSIVE MODE")
    connection.execute(
        "DELETE FROM staged_ids WHERE run_id IN (SELECT r.run_id FROM runs AS r"
        " JOIN staged_runs AS s ON s.run_id = r.run_id"
        " JOIN (SELECT run_id, max(seq) AS head FROM events GROUP BY run_id) AS e"
        " ON e.run_id = r.run_id"
        " WHERE r.projected_seq > s.projected_seq AND r.projected_seq <= e.head)"
    )
    here = "run_id IN (SELECT run_id FROM staged_ids)"
    connection.execute(f"DELETE FROM runs WHERE {here}")
    connection.execute(f"DELETE FROM run_labels WHERE {here}")
    connection.execute(f"INSERT INTO runs ({_LIST}) SELECT {_LIST} FROM staged_runs WHERE {here}")
    labelled = connection.all(
        f"SELECT run_id, labels FROM staged_runs WHERE labels IS NOT NULL AND {here}"
    )
    for run_id, labels in labelled:
        save_labels(connection, run_id, label_rows(codec.loads(labels)))


def end(connection: Connection) -> None:
    """Clear the room away."""
    connection.execute("DROP TABLE IF EXISTS staged_runs")
    connection.execute("DROP TABLE IF EXISTS staged_ids")
