"""The projection ``key_frames``: its only writer, and its readers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runreel.model.columns import KEY_FRAMES
from runreel.projection.key_frames import KeyFrame
from runreel.store.schema import migrations

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runreel.store.connection import Connection

_LIST = ", ".join(KEY_FRAMES)
_INSERT = (
    f"INSERT INTO key_frames ({_LIST}) VALUES ({', '.join('?' * len(KEY_FRAMES))})"
    " ON CONFLICT (run_id, seq) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in KEY_FRAMES[2:])
)
# The state is read of the first one only.
_COLUMNS = ", ".join(
    f"CASE WHEN chain.n = 0 THEN k.{name} ELSE k.text END" if name == "state" else f"k.{name}"
    for name in KEY_FRAMES
)
# Those of older code would give its state. A damaged base must not lead in a circle.
_CHAIN = f"""
WITH RECURSIVE chain (seq, base, n) AS (
  SELECT * FROM (SELECT seq, base, 0 FROM key_frames WHERE run_id = ? AND seq < ?{{condition}}
                  AND {migrations.VERSION} = ? ORDER BY seq DESC LIMIT 1) AS latest
  UNION ALL
  SELECT k.seq, k.base, chain.n + 1 FROM chain
    JOIN key_frames AS k ON k.run_id = ? AND k.seq = chain.base AND k.seq < chain.seq
)
SELECT {_COLUMNS} FROM chain JOIN key_frames AS k ON k.run_id = ? AND k.seq = chain.seq
 ORDER BY chain.n
"""
_BEFORE = _CHAIN.format(condition="")
_UNTIL = _CHAIN.format(condition=" AND until <= ?")


def save(connection: Connection, frames: Sequence[KeyFrame]) -> None:
    """Store key-frames; call it in the transaction that stores their rows."""
    if len(frames) == 1:
        connection.execute(_INSERT, frames[0])
    elif frames:
        connection.executemany(_INSERT, frames)


def replace(connection: Connection, run_id: str, frames: Sequence[KeyFrame]) -> None:
    """Replace all key-frames of a run."""
    delete(connection, run_id)
    save(connection, frames)


def delete(connection: Connection, run_id: str) -> None:
    """Delete the key-frames of a run."""
    connection.execute("DELETE FROM key_frames WHERE run_id = ?", (run_id,))


def before(
    connection: Connection, run_id: str, seq: int, *, until: int | None = None
) -> list[KeyFrame]:
    """Return the last key-frame of a run before row ``seq``, and its bases in order.

    With ``until``, the last one whose rows all have times up to this, in µs. Empty if there is
    none, or if the projections are of another version.
    """
    version = migrations.PROJECTION_VERSION
    bound = (run_id, seq) if until is None else (run_id, seq, until)
    sql = _BEFORE if until is None else _UNTIL
    return list(map(_frame, connection.all(sql, (*bound, version, run_id, run_id))))


def of_runs(connection: Connection, run_ids: Sequence[str]) -> dict[str, list[KeyFrame]]:
    """Return all key-frames of a few runs, in order."""
    return _by_run(connection, f"run_id IN ({', '.join('?' * len(run_ids))})", run_ids)


def between(connection: Connection, first: str, last: str | None) -> dict[str, list[KeyFrame]]:
    """Return all key-frames of the runs from ``first`` to ``last``, in order; None: to the end."""
    if last is None:
        return _by_run(connection, "run_id >= ?", (first,))
    return _by_run(connection, "run_id >= ? AND run_id <= ?", (first, last))


def _by_run(
    connection: Connection, where: str, parameters: Sequence[str]
) -> dict[str, list[KeyFrame]]:
    sql = f"SELECT {_LIST} FROM key_frames WHERE {where} ORDER BY run_id, seq"
    found: dict[str, list[KeyFrame]] = {}
    for frame in map(_frame, connection.all(sql, parameters)):
        found.setdefault(frame.run_id, []).append(frame)
    return found


def _frame(row: Sequence[Any]) -> KeyFrame:
    return KeyFrame(*row[:5], *map(bytes, row[5:]))
