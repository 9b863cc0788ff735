"""What the projections say of run after run, read ahead for whoever asks in the order of ids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runreel.store.read_models import COLUMNS, ordered

if TYPE_CHECKING:
    from runreel.store.connection import Connection
    from runreel.store.read_models import Label

_PAGE = 50
_ROWS = f"SELECT {', '.join(COLUMNS)} FROM runs WHERE run_id >= ? ORDER BY run_id LIMIT ?"
_LABELS = "SELECT run_id, key, value, started_at FROM run_labels WHERE run_id >= ?"
_ID = COLUMNS.index("run_id")


class Lookahead:
    """Rows of ``runs`` by column names, and labels in order; each may be asked for once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._first: str | None = None
        # None: to the end.
        self._last: str | None = None
        self._rows: dict[str, dict[str, Any]] = {}
        self._labels: dict[str, list[Label]] = {}

    def of(self, run_id: str) -> tuple[dict[str, Any] | None, list[Label]]:
        """What there is of a run."""
        known = self._first is not None and self._first <= run_id
        if not known or (self._last is not None and run_id > self._last):
            self._read(run_id)
        return self._rows.pop(run_id, None), ordered(self._labels.pop(run_id, []))

    def _read(self, run_id: str) -> None:
        self._first = None
        rows = self._connection.all(_ROWS, (run_id, _PAGE))
        last = rows[-1][_ID] if len(rows) == _PAGE else None
        bound = (run_id,) if last is None else (run_id, last)
        labels: dict[str, list[Label]] = {}
        for of, *label in self._connection.all(
            _LABELS if last is None else f"{_LABELS} AND run_id <= ?", bound
        ):
            labels.setdefault(of, []).append(tuple(label))
        self._rows = {row[_ID]: dict(zip(COLUMNS, row, strict=True)) for row in rows}
        self._first, self._last, self._labels = run_id, last, labels
