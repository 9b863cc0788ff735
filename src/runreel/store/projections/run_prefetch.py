"""Reads the projections of many runs at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from runreel.model.columns import RUNS
from runreel.model.run_keys import RunKey, sort_keys
from runreel.projection.run_mapper import sort_labels
from runreel.store.projections import key_frame_table, text_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from runreel.projection.key_frames import KeyFrame
    from runreel.projection.run_projection import Label, Texts
    from runreel.store.connection import Connection

# Number of runs that are read at once: at first, and twice as many each time, up to the most, while
# their results and texts take little memory.
_RUNS, _MOST = 50, 400
# Bytes, or characters on Postgres.
_LITTLE = 500_000
_ROWS = f"SELECT {', '.join(RUNS)} FROM runs WHERE run_id"
_LABELS = "SELECT run_id, key, value, started_at FROM run_labels WHERE run_id"
_KEYS = f"SELECT run_id, {', '.join(RunKey._fields)} FROM run_keys WHERE run_id"
_TEXTS = "SELECT run_id, part, text FROM run_text WHERE run_id"
_ID, _RESULT = map(RUNS.index, ("run_id", "result"))


class StoredProjection(NamedTuple):
    """The stored projection of a run: its row of ``runs``, and those of the other tables.

    Labels, keys, texts and key-frames are sorted.
    """

    row: Sequence[Any] | None
    labels: list[Label]
    keys: list[RunKey]
    texts: Texts
    frames: Sequence[KeyFrame] = ()


class _Page(NamedTuple):
    """Rows of projections by run id, each without that column but those of ``runs``."""

    rows: dict[str, Sequence[Any]]
    labels: dict[str, list[Any]]
    keys: dict[str, list[Any]]
    texts: dict[str, list[Any]]
    frames: dict[str, list[KeyFrame]]

    def take(self, connection: Connection, run_id: str) -> StoredProjection:
        """Remove what is stored of a run, and return it."""
        rows, labels, keys, texts, frames = self
        return StoredProjection(
            rows.pop(run_id, None),
            sort_labels(labels.pop(run_id)) if run_id in labels else [],
            sort_keys(map(RunKey._make, keys.pop(run_id))) if run_id in keys else [],
            text_table.read_texts(connection, texts.pop(run_id)) if run_id in texts else (),
            frames.pop(run_id, ()),
        )


def stored_projections(
    connection: Connection, run_ids: Sequence[str]
) -> dict[str, StoredProjection]:
    """Return the stored projections of a few runs."""
    one_of = f" IN ({', '.join('?' * len(run_ids))})"
    # A run's labels and keys change only with its row: read after it, they cannot be older.
    page = _Page(
        rows_of(connection, run_ids),
        _by_run(connection.all(_LABELS + one_of, run_ids)),
        _by_run(connection.all(_KEYS + one_of, run_ids)),
        _by_run(connection.all(_TEXTS + one_of, run_ids)),
        key_frame_table.of_runs(connection, run_ids),
    )
    return {run_id: page.take(connection, run_id) for run_id in run_ids}


def rows_of(connection: Connection, run_ids: Sequence[str]) -> dict[str, Sequence[Any]]:
    """Return the rows of a few runs, with the columns of ``RUNS``; a run may have none."""
    one_of = f" IN ({', '.join('?' * len(run_ids))})"
    return {row[_ID]: row for row in connection.all(_ROWS + one_of, run_ids)}


class ProjectionPrefetch:
    """Reads stored projections ahead, for a caller that gets each run once, in order of ids."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._first: str | None = None
        # None: up to the last run.
        self._last: str | None = None
        self._page = _Page({}, {}, {}, {}, {})
        self._runs = _RUNS

    def get(self, run_id: str) -> StoredProjection:
        """Return the stored projection of a run."""
        read = self._first is not None and self._first <= run_id
        if not read or (self._last is not None and run_id > self._last):
            self._read(run_id)
        return self._page.take(self._connection, run_id)

    def _read(self, run_id: str) -> None:
        self._first = None
        connection = self._connection
        rows = connection.all(f"{_ROWS} >= ? ORDER BY run_id LIMIT ?", (run_id, self._runs))
        last = rows[-1][_ID] if len(rows) == self._runs else None
        bound = (run_id,) if last is None else (run_id, last)
        within = " >= ?" if last is None else " >= ? AND run_id <= ?"
        self._page = _Page(
            {row[_ID]: row for row in rows},
            _by_run(connection.all(_LABELS + within, bound)),
            _by_run(connection.all(_KEYS + within, bound)),
            _by_run(connection.all(_TEXTS + within, bound)),
            key_frame_table.between(connection, run_id, last),
        )
        self._first, self._last = run_id, last
        self._runs = min(2 * self._runs, _MOST) if self._is_small() else _RUNS

    def _is_small(self) -> bool:
        """Return whether the next page may be larger than this one."""
        rows, _, _, texts, _ = self._page
        stored = [row[_RESULT] for row in rows.values()]
        stored += [text for found in texts.values() for _, text in found]
        # A damaged file may hold a value of any type.
        return sum(len(one) for one in stored if isinstance(one, str | bytes)) < _LITTLE


def _by_run(found: Iterable[Sequence[Any]]) -> dict[str, list[Any]]:
    """Return the other columns of rows by run id, which comes first."""
    by_run: dict[str, list[Any]] = {}
    for row in found:
        by_run.setdefault(row[0], []).append(tuple(row[1:]))
    return by_run
