"""Reads the projections of many runs at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from runreel.model.columns import RUNS
from runreel.model.run_keys import RunKey, sort_keys
from runreel.projection.run_mapper import as_dict, sort_labels
from runreel.store.projections import key_frame_table, text_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from runreel.projection.key_frames import KeyFrame
    from runreel.projection.run_projection import Label, Texts
    from runreel.store.connection import Connection

_PAGE = 50
_ROWS = f"SELECT {', '.join(RUNS)} FROM runs WHERE run_id"
_LABELS = "SELECT run_id, key, value, started_at FROM run_labels WHERE run_id"
_KEYS = f"SELECT run_id, {', '.join(RunKey._fields)} FROM run_keys WHERE run_id"
_TEXTS = "SELECT run_id, part, text FROM run_text WHERE run_id"
_ID = RUNS.index("run_id")


class StoredProjection(NamedTuple):
    """The stored projection of a run: its row of ``runs`` by column name, and the other tables.

    Labels, keys, texts and key-frames are sorted.
    """

    row: dict[str, Any] | None
    labels: list[Label]
    keys: list[RunKey]
    texts: Texts
    frames: Sequence[KeyFrame] = ()


def stored_projections(
    connection: Connection, run_ids: Sequence[str]
) -> dict[str, StoredProjection]:
    """Return the stored projections of a few runs."""
    one_of = f" IN ({', '.join('?' * len(run_ids))})"
    # A run's labels and keys change only with its row: read after it, they cannot be older.
    rows = rows_of(connection, run_ids)
    labels = _by_run(connection.all(_LABELS + one_of, run_ids))
    keys = _by_run(connection.all(_KEYS + one_of, run_ids))
    texts = _texts(connection, _by_run(connection.all(_TEXTS + one_of, run_ids)))
    frames = key_frame_table.of_runs(connection, run_ids)
    return {
        run_id: _stored(run_id, rows, labels, keys, texts)._replace(frames=frames.get(run_id, ()))
        for run_id in run_ids
    }


def rows_of(connection: Connection, run_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the rows of a few runs by column name; a run may have none."""
    one_of = f" IN ({', '.join('?' * len(run_ids))})"
    return _rows(connection.all(_ROWS + one_of, run_ids))


class ProjectionPrefetch:
    """Reads stored projections ahead, for a caller that gets each run once, in order of ids."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._first: str | None = None
        # None: up to the last run.
        self._last: str | None = None
        self._rows: dict[str, dict[str, Any]] = {}
        self._labels: dict[str, list[Label]] = {}
        self._keys: dict[str, list[Any]] = {}
        self._texts: dict[str, Texts] = {}
        self._frames: dict[str, list[KeyFrame]] = {}

    def get(self, run_id: str) -> StoredProjection:
        """Return the stored projection of a run."""
        read = self._first is not None and self._first <= run_id
        if not read or (self._last is not None and run_id > self._last):
            self._read(run_id)
        found = _stored(run_id, self._rows, self._labels, self._keys, self._texts)
        return found._replace(frames=self._frames.pop(run_id, ()))

    def _read(self, run_id: str) -> None:
        self._first = None
        rows = self._connection.all(f"{_ROWS} >= ? ORDER BY run_id LIMIT ?", (run_id, _PAGE))
        last = rows[-1][_ID] if len(rows) == _PAGE else None
        bound = (run_id,) if last is None else (run_id, last)
        within = " >= ?" if last is None else " >= ? AND run_id <= ?"
        self._rows = _rows(rows)
        self._labels = _by_run(self._connection.all(_LABELS + within, bound))
        self._keys = _by_run(self._connection.all(_KEYS + within, bound))
        found = _by_run(self._connection.all(_TEXTS + within, bound))
        self._texts = _texts(self._connection, found)
        self._frames = key_frame_table.between(self._connection, run_id, last)
        self._first, self._last = run_id, last


def _rows(found: Iterable[Sequence[Any]]) -> dict[str, dict[str, Any]]:
    return {row[_ID]: as_dict(row) for row in found}


def _by_run(found: Iterable[Sequence[Any]]) -> dict[str, list[Any]]:
    """Return the other columns of rows by run id, which comes first."""
    by_run: dict[str, list[Any]] = {}
    for run_id, *columns in found:
        by_run.setdefault(run_id, []).append(tuple(columns))
    return by_run


def _texts(connection: Connection, found: dict[str, list[Any]]) -> dict[str, Texts]:
    return {run_id: text_table.read_texts(connection, rows) for run_id, rows in found.items()}


def _stored(
    run_id: str,
    rows: dict[str, dict[str, Any]],
    labels: dict[str, list[Any]],
    keys: dict[str, list[Any]],
    texts: dict[str, Texts],
) -> StoredProjection:
    return StoredProjection(
        rows.pop(run_id, None),
        sort_labels(labels.pop(run_id, ())),
        sort_keys(map(RunKey._make, keys.pop(run_id, ()))),
        texts.pop(run_id, ()),
    )
