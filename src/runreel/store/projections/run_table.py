"""The projections ``runs`` and ``run_labels``: their only writer, and reads of single runs."""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache
from itertools import compress
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from runreel.model.columns import INDEXED, RUN_KEYS, RUN_LABELS, RUNS
from runreel.model.events import OPEN
from runreel.projection.run_mapper import SUMMARY, as_dict, label_rows, row_to_summary, to_dict
from runreel.store.projections import cost_table, key_frame_table, text_table, usage_rollups
from runreel.store.projections.usage_buckets import UsageContribution

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runreel.model.runs import RunSummary
    from runreel.projection.run_projection import Label, RunProjection
    from runreel.store.connection import Connection
    from runreel.store.projections.usage_buckets import ContributionChange

# Writing an indexed column moves a row in its index, so it is written only if it changed.
_FREE = tuple(column for column in RUNS[1:] if column not in INDEXED)
# The columns of a current row that are needed to replace it.
_KNOWN = tuple(
    dict.fromkeys(("run_id", "projected_seq", "labels", *UsageContribution._fields, *INDEXED))
)
_CURRENT = f"SELECT {', '.join(_KNOWN)} FROM runs"
_counted = itemgetter(*UsageContribution._fields)
_INSERT = f"INSERT INTO runs ({', '.join(RUNS)}) VALUES ({', '.join('?' * len(RUNS))})"
_INSERT_NEW = f"{_INSERT} ON CONFLICT DO NOTHING"
_RUN_ID, _SEQ, _RECORDING = map(RUNS.index, ("run_id", "projected_seq", "recording"))
_free = itemgetter(*map(RUNS.index, _FREE))
_indexed = itemgetter(*map(RUNS.index, INDEXED))
_INSERT_LABEL = (
    f"INSERT INTO run_labels ({', '.join(RUN_LABELS)}) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
)

_INSERT_KEY = (
    f"INSERT INTO run_keys ({', '.join(RUN_KEYS)}) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)


def save(connection: Connection, *projected: RunProjection, force: bool = False) -> None:
    """Upsert projections, except those stored at a higher ``projected_seq`` (unless ``force``).

    Call it last in a transaction: it updates the usage rollups.
    """
    if not projected:
        return
    changes = _Changes()
    if len(projected) == 1 and not force and _replace_known(connection, projected[0]):
        one = projected[0]
        before = as_dict(one.replaces) if one.replaces else None
        changes.add(connection, one, to_dict(one), before, force=force)
    else:
        latest = {one.summary.run_id: one for one in projected}
        current = _current_rows(connection, sorted(latest))
        for run_id, one in latest.items():
            row, before = to_dict(one), current.get(run_id)
            # Recorders project their runs themselves; the one that has read more rows is right.
            if before and not force and before["projected_seq"] > row["projected_seq"]:
                continue
            sql, values = _write_statement(before, row)
            changes.writes[sql].append(values)
            changes.add(connection, one, row, before, force=force)
    changes.apply(connection)


class _Changes:
    """What remains to be written of saved rows: other tables, and the rollups at the end."""

    def __init__(self) -> None:
        self.writes: defaultdict[str, list[Sequence[Any]]] = defaultdict(list)
        self._contributions: list[ContributionChange] = []
        self._priced: list[tuple[str, int]] = []

    def add(
        self,
        connection: Connection,
        one: RunProjection,
        row: dict[str, Any],
        before: dict[str, Any] | None,
        *,
        force: bool,
    ) -> None:
        """Add what belongs to a row of a run, but not the row."""
        if before is None or any(before[name] != row[name] for name in ("labels", "started_at")):
            _save_labels(connection, label_rows(one.summary), row["run_id"], is_new=before is None)
        _save_texts(connection, one, before, self.writes, force=force)
        if one.keys or force:
            _save_keys(connection, one, before, self.writes, force=force)
        if row["recording"] != OPEN or (before is not None and before["recording"] != OPEN):
            self._contributions.append((counted(before) if before else None, counted(row)))
        self._priced += _priced(before, row)

    def apply(self, connection: Connection) -> None:
        """Write it, the rollups last."""
        for sql, rows in self.writes.items():
            _execute(connection, sql, rows)
        cost_table.forget(connection, self._priced)
        usage_rollups.apply_changes(connection, self._contributions)


def _replace_known(connection: Connection, one: RunProjection) -> bool:
    """Write the row of a run whose stored row its recorder knows; False if that is another one.

    A recording that is open has the row that its recorder stored, unless others append to the run.
    """
    before, row = one.replaces, one.row
    if before is None or row is None or (before and before[_RECORDING] != OPEN):
        return False
    if not before:
        return connection.driver.write(connection, _INSERT_NEW, row) == 1
    old, new = _indexed(before), _indexed(row)
    moved = tuple(was is not now and was != now for was, now in zip(old, new, strict=True))
    known = tuple(value is not None for value in old)
    parameters = (
        *_free(row),
        *compress(new, moved),
        row[_RUN_ID],
        before[_SEQ],
        *compress(old, known),
    )
    return connection.driver.write(connection, _update_known(moved, known), parameters) == 1


def _priced(before: dict[str, Any] | None, row: dict[str, Any]) -> list[tuple[str, int]]:
    """Return the id and the starts of a changed run whose cost may be stored."""
    if before is None or before["recording"] == OPEN:
        return []
    return [(row["run_id"], started) for started in {before["started_at"], row["started_at"]}]


def delete(connection: Connection, run_id: str) -> None:
    """Delete all projections of a run."""
    current = _current_rows(connection, [run_id])
    connection.execute("DELETE FROM runs WHERE run_id = ?", (run_id,))
    connection.execute("DELETE FROM run_labels WHERE run_id = ?", (run_id,))
    connection.execute("DELETE FROM run_keys WHERE run_id = ?", (run_id,))
    text_table.remove(connection, run_id, erased=True)
    key_frame_table.delete(connection, run_id)
    cost_table.forget(connection, [(run_id, row["started_at"]) for row in current.values()])
    usage_rollups.apply_changes(connection, [(counted(row), None) for row in current.values()])


def counted(row: dict[str, Any]) -> UsageContribution:
    """Return the columns of a row that the usage rollups need."""
    return UsageContribution._make(_counted(row))


def load(connection: Connection, run_id: str) -> tuple[RunSummary, bytes] | None:
    """Return a run's summary and its encoded result, None if there is no such run."""
    row = connection.one(
        f"SELECT {', '.join(SUMMARY)}, result FROM runs WHERE run_id = ?", (run_id,)
    )
    return None if row is None else (row_to_summary(row), bytes(row[-1]))


def summaries(connection: Connection, run_ids: Sequence[str]) -> list[RunSummary]:
    """Return the summaries of those of these runs that exist, in the order of the ids."""
    if not run_ids:
        return []
    one_of = ", ".join("?" * len(run_ids))
    sql = f"SELECT {', '.join(SUMMARY)} FROM runs WHERE run_id IN ({one_of})"
    found = {one.run_id: one for one in map(row_to_summary, connection.all(sql, run_ids))}
    return [found[run_id] for run_id in run_ids if run_id in found]


def _current_rows(connection: Connection, run_ids: list[str]) -> dict[str, dict[str, Any]]:
    """Read the stored rows by run id, and lock them until commit."""
    if not run_ids:
        return {}
    one_of = f"run_id IN ({', '.join('?' * len(run_ids))})"
    lock = connection.driver.dialect.lock_rows
    rows = connection.all(f"{_CURRENT} WHERE {one_of} ORDER BY run_id{lock}", run_ids)
    return {row[0]: dict(zip(_KNOWN, row, strict=True)) for row in rows}


def _write_statement(before: dict[str, Any] | None, row: dict[str, Any]) -> tuple[str, list[Any]]:
    """Return the statement and parameters that replace ``before`` by ``row``."""
    if before is None:
        return _INSERT, list(row.values())
    changed = (*_FREE, *[name for name in INDEXED if before[name] != row[name]])
    return _update(changed), [*[row[name] for name in changed], row["run_id"]]


@lru_cache(maxsize=64)
def _update(changed: tuple[str, ...]) -> str:
    return f"UPDATE runs SET {', '.join(f'{name} = ?' for name in changed)} WHERE run_id = ?"


@lru_cache(maxsize=256)
def _update_known(moved: tuple[bool, ...], known: tuple[bool, ...]) -> str:
    """The statement that replaces a row if its indexed columns have known values, or none."""
    same = [
        f"{name} = ?" if is_known else f"{name} IS NULL"
        for name, is_known in zip(INDEXED, known, strict=True)
    ]
    update = _update((*_FREE, *compress(INDEXED, moved)))
    return " AND ".join((update, "projected_seq = ?", *same))


def _save_labels(connection: Connection, labels: list[Label], run_id: str, *, is_new: bool) -> None:
    if not is_new:
        connection.execute("DELETE FROM run_labels WHERE run_id = ?", (run_id,))
    _execute(connection, _INSERT_LABEL, [(*label, run_id) for label in labels])


def _save_keys(
    connection: Connection,
    projected: RunProjection,
    before: dict[str, Any] | None,
    writes: defaultdict[str, list[Sequence[Any]]],
    *,
    force: bool,
) -> None:
    """Add the insertion of new keys to ``writes``; with ``force``, of all."""
    run_id, stored_seq = projected.summary.run_id, -1
    if before is not None and force:
        connection.execute("DELETE FROM run_keys WHERE run_id = ?", (run_id,))
    elif before is not None:
        stored_seq = before["projected_seq"]
    keys = [key for key in projected.keys if key.seq > stored_seq]
    if keys:
        writes[_INSERT_KEY] += [(kind, key, at, run_id, seq) for kind, key, at, seq in keys]


def _save_texts(
    connection: Connection,
    projected: RunProjection,
    before: dict[str, Any] | None,
    writes: defaultdict[str, list[Sequence[Any]]],
    *,
    force: bool,
) -> None:
    """Delete the texts of a run, and add the insertion of its new ones to ``writes``.

    While its recording is open, a run has none: searches read the log.
    """
    if before is not None and (force or before["recording"] != OPEN):
        text_table.remove(connection, projected.summary.run_id, erased=force)
    if projected.texts != ():
        writes[text_table.INSERT] += text_table.rows_of(connection, projected)


def _execute(connection: Connection, sql: str, rows: Sequence[Sequence[object]]) -> None:
    """Execute a statement for each row."""
    if len(rows) == 1:
        connection.driver.write(connection, sql, rows[0])
    elif rows:
        connection.executemany(sql, rows)
