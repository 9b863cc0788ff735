"""Rebuilds projections in staging tables, and swaps them in at once."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from runreel.model.columns import KEY_FRAMES, RUN_KEYS, RUN_LABELS, RUN_TEXT, RUNS
from runreel.store.projections import cost_table, usage_rollup_check, usage_rollups
from runreel.store.projections.usage_buckets import UsageContribution

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from runreel.store.connection import Connection
    from runreel.store.projections.usage_buckets import RollupMismatch
    from runreel.store.projections.usage_rollup_check import MissingRollup
    from runreel.system.disk_queue import DiskQueue

_COLUMNS = {
    "staged_ids": ("run_id",),
    "staged_runs": RUNS,
    "staged_labels": RUN_LABELS,
    "staged_keys": RUN_KEYS,
    "staged_texts": RUN_TEXT,
    "staged_frames": KEY_FRAMES,
}
_LIKE = {
    "staged_ids": "runs",
    "staged_runs": "runs",
    "staged_labels": "run_labels",
    "staged_keys": "run_keys",
    "staged_texts": "run_text",
    "staged_frames": "key_frames",
}
# Number of runs that are removed from the search index at once.
_FORGOTTEN = 200
_IS_STAGED = "run_id IN (SELECT run_id FROM staged_ids)"


@contextlib.contextmanager
def staging_tables(connection: Connection) -> Iterator[None]:
    """Create temporary tables for rows that will replace projections."""
    for table, columns in _COLUMNS.items():
        like = f"SELECT {', '.join(columns)} FROM {_LIKE[table]} WHERE 1 = 0"
        connection.execute(f"CREATE TEMPORARY TABLE {table} AS {like}")
    try:
        yield
    except BaseException:
        # Otherwise the failed transaction drops the tables; doing it here would hide the error.
        if connection.driver.one_writer:
            _clear(connection)
        raise
    _clear(connection)


def stage_rows(connection: Connection, staged: Mapping[str, Sequence[Sequence[object]]]) -> None:
    """Insert rows by staging table; the tables have none of them yet."""
    if not any(staged.values()):
        return
    # Otherwise SQLite would commit each row. The transaction locks no table of the log.
    at_once = not connection.in_transaction
    if at_once:
        connection.execute(connection.driver.dialect.begin_snapshot)
    for table, inserted in staged.items():
        if inserted:
            connection.driver.insert(connection, table, _COLUMNS[table], inserted)
    if at_once:
        connection.execute("COMMIT")


def swap_in(
    connection: Connection, wrong: DiskQueue[RollupMismatch | MissingRollup] | None
) -> None:
    """Replace projections by the staged rows, except of runs recorded or pruned meanwhile.

    With ``wrong``, repair all rollups and record mismatches there; otherwise only keep those
    rollups consistent that were so before.
    """
    # Readers continue. Writers wait, since our row would replace their newer one.
    connection.driver.lock_writes(connection, "runs")
    connection.execute(
        "DELETE FROM staged_ids WHERE run_id IN (SELECT r.run_id FROM runs AS r"
        " JOIN staged_runs AS s ON s.run_id = r.run_id WHERE r.projected_seq > s.projected_seq AND"
        " r.projected_seq <= (SELECT max(seq) FROM events WHERE events.run_id = r.run_id))"
    )
    connection.execute(
        "DELETE FROM staged_ids WHERE run_id IN (SELECT s.run_id FROM staged_runs AS s"
        " WHERE s.projected_seq < (SELECT min(seq) FROM events WHERE events.run_id = s.run_id))"
    )
    days = set() if wrong is not None else _consistent_days(connection)
    _replace(connection)
    if wrong is not None:
        usage_rollup_check.repair(connection, wrong=wrong)
    for day in days:
        usage_rollup_check.repair(connection, day=day)


def _consistent_days(connection: Connection) -> set[int]:
    """Return the days of the replaced runs whose rollups are consistent."""
    columns = ", ".join(UsageContribution._fields)
    days = set()
    for table in ("runs", "staged_runs"):
        rows = connection.all(f"SELECT {columns} FROM {table} WHERE {_IS_STAGED}")
        days |= usage_rollups.days_of(map(UsageContribution._make, rows))
    return {day for day in days if not list(usage_rollup_check.differences(connection, day=day))}


def _replace(connection: Connection) -> None:
    text_search = connection.driver.text_search
    replaced = connection.all(f"SELECT DISTINCT run_id FROM run_text WHERE {_IS_STAGED}")
    for start in range(0, len(replaced), _FORGOTTEN):
        ids = [str(run_id) for (run_id,) in replaced[start : start + _FORGOTTEN]]
        text_search.forget(connection, ids)
    # Recorders may have added key-frames meanwhile, which go with those that are staged.
    connection.execute(
        f"DELETE FROM key_frames WHERE {_IS_STAGED} AND NOT (seq > (SELECT s.projected_seq"
        " FROM staged_runs AS s WHERE s.run_id = key_frames.run_id) AND EXISTS (SELECT 1"
        " FROM events AS e WHERE e.run_id = key_frames.run_id AND e.seq = key_frames.seq))"
    )
    cost_table.forget_staged(connection, _IS_STAGED)
    for table in ("runs", "run_labels", "run_keys", "run_text"):
        connection.execute(f"DELETE FROM {table} WHERE {_IS_STAGED}")
    staged_tables = ("staged_runs", "staged_labels", "staged_keys", "staged_texts", "staged_frames")
    for staged in staged_tables:
        names = ", ".join(_COLUMNS[staged])
        connection.execute(
            f"INSERT INTO {_LIKE[staged]} ({names}) SELECT {names} FROM {staged} WHERE {_IS_STAGED}"
        )


def _clear(connection: Connection) -> None:
    for table in _COLUMNS:
        connection.execute(f"DROP TABLE IF EXISTS {table}")
