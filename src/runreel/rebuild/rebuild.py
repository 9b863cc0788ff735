"""Checks the projections against the log, and rebuilds them from it."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING

from runreel.model.identifiers import check_lookup_id, not_found
from runreel.model.runs import Difference
from runreel.projection import run_mapper
from runreel.rebuild.compared_batch import compare_batch
from runreel.rebuild.comparison import DamagedRun, compare_runs
from runreel.store.events import damage, event_log, stream_ids
from runreel.store.projections import (
    run_prefetch,
    run_table,
    staged_rebuild,
    usage_rollup_check,
    usage_rollups,
)
from runreel.store.schema import migrations
from runreel.system.disk_queue import DiskQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from runreel.model.finding import Finding
    from runreel.rebuild.compared_batch import ComparedBatch
    from runreel.store.connection import Connection
    from runreel.store.database import Database
    from runreel.store.projections.usage_buckets import RollupMismatch, UsageContribution
    from runreel.store.projections.usage_rollup_check import MissingRollup
    from runreel.store.worker_pool import WorkerPool

    Progress = Callable[[int, int], None]
    # Called for a run with a damaged log; its projection is left unchanged.
    OnDamage = Callable[[Finding], None]
    Compared = Iterable[ComparedBatch]

# What workers need for it.
MODULES = ("runreel.rebuild.compared_batch",)
# Number of runs per batch: fewer need more statements, more need more memory.
_BATCH_SIZE = 50


def require(connection: Connection, run_ids: Iterable[str]) -> None:
    """Check that each run is in the log or in the projections.

    Raises:
        RunNotFound: if one is in neither.
    """
    for run_id in run_ids:
        check_lookup_id(run_id)
        known = event_log.last_position(connection, run_id) >= 0 or run_prefetch.rows_of(
            connection, [run_id]
        )
        if not known:
            raise not_found(run_id)


def differences(  # noqa: PLR0913 - options of the comparison and callbacks
    database: Database,
    run_ids: Sequence[str] | None = None,
    *,
    check_only: bool = False,
    pool: WorkerPool | None = None,
    progress: Progress | None = None,
    on_damage: OnDamage | None = None,
) -> Iterator[Difference]:
    """Rebuild the projections of some runs or all, and yield what differed from the log.

    Differing projections are staged without locks and swapped in by one transaction at the end of
    the iteration; nothing is changed before, or with ``check_only``. Runs with a damaged log are
    left unchanged. If all runs are compared, the usage rollups are compared too. The processes of
    ``pool`` compare the runs, or else this process.

    Raises:
        RunNotFound: if one of the runs is neither in the log nor in the projections.
        DamagedRun: if a run's log is damaged and there is no ``on_damage``; nothing is changed.
    """
    all_runs = run_ids is None
    with database.reading() as connection:
        require(connection, run_ids or ())
        compare = partial(compare_batch, stage=not check_only)
        compared = _compared_batches(connection, run_ids, progress, pool, compare)
        compared = _report_damage(compared, on_damage)
        if check_only:
            yield from _check(connection, compared, pool, all_runs=all_runs)
        else:
            yield from _rebuild(database, compared, all_runs=all_runs)


def _check(
    connection: Connection, compared: Compared, pool: WorkerPool | None, *, all_runs: bool
) -> Iterator[Difference]:
    """Yield the differences of the compared runs, and of the usage rollups of all runs."""
    rollups_consistent = None
    if pool is not None and all_runs:
        rollups_consistent = pool.start(usage_rollup_check.is_consistent)
    # In order, each once.
    wrong: dict[str, None] = {}
    for batch in compared:
        wrong |= dict.fromkeys(one.run_id for one in batch.differences)
        yield from batch.differences
    if all_runs and (wrong or rollups_consistent is None or not rollups_consistent.result()):
        yield from _usage_differences(connection, wrong)


def _rebuild(database: Database, compared: Compared, *, all_runs: bool) -> Iterator[Difference]:
    """Stage and swap in the projections of the compared runs that differ."""
    wrong: DiskQueue[RollupMismatch | MissingRollup]
    with database.writing() as connection, DiskQueue() as wrong:
        # One transaction for all, as a pooler may switch servers between transactions. But where
        # writers exclude each other, they wait only while the rows are swapped in.
        at_end = connection.driver.one_writer
        whole = nullcontext() if at_end else connection.transaction()
        with whole, staged_rebuild.staging_tables(connection):
            for batch in compared:
                staged_rebuild.stage_rows(connection, batch.staged)
                yield from batch.differences
            with connection.transaction() if at_end else nullcontext():
                staged_rebuild.swap_in(connection, wrong if all_runs else None)
                if all_runs:
                    migrations.set_projection_version(connection)
        yield from map(_usage_difference, wrong)


def _usage_differences(connection: Connection, run_ids: Iterable[str]) -> Iterator[Difference]:
    """Yield the differences of the usage rollups to those of the runs as rebuilt from the log."""
    changes = []
    with damage.snapshot(connection):
        for run_id in run_ids:
            (run,) = compare_runs(connection, [run_id])
            if run.differences:
                stored = run_prefetch.rows_of(connection, [run_id]).get(run_id)
                changes.append((_contribution(stored), _contribution(run.expected)))
        yield from map(_usage_difference, usage_rollup_check.differences(connection, changes))


def _contribution(row: Sequence[object] | None) -> UsageContribution | None:
    return None if row is None else run_table.counted(run_mapper.as_dict(row))


def _usage_difference(wrong: RollupMismatch | MissingRollup) -> Difference:
    if isinstance(wrong, usage_rollup_check.MissingRollup):
        return Difference("*", wrong.name, None, f"{wrong.expected} rows")
    stored, expected = usage_rollups.totals(wrong.stored), usage_rollups.totals(wrong.expected)
    return Difference("*", wrong.bucket.name, stored, expected)


def _report_damage(compared: Compared, on_damage: OnDamage | None) -> Iterator[ComparedBatch]:
    """Yield the same batches after reporting the damaged runs in them.

    Raises:
        DamagedRun: if one is damaged and there is no ``on_damage``.
    """
    for batch in compared:
        for damaged in batch.damage:
            if on_damage is None:
                raise DamagedRun(damaged)
            on_damage(damaged)
        yield batch


def _compared_batches(
    connection: Connection,
    run_ids: Sequence[str] | None,
    progress: Progress | None,
    pool: WorkerPool | None,
    compare: Callable[..., ComparedBatch],
) -> Compared:
    """Compare the runs in batches, and report each run to ``progress``."""
    batches: Iterable[list[str]]
    if run_ids is None:
        batches = stream_ids.id_batches(connection, _BATCH_SIZE)
    else:
        batches = ([run_id] for run_id in run_ids)
    compared_batches: Compared
    if pool is None:
        compared_batches = (compare(connection, batch) for batch in batches)
    else:
        compared_batches = pool.map(partial(compare, run_ids=batch) for batch in batches)
    if progress is None:
        yield from compared_batches
        return
    total = stream_ids.count(connection) if run_ids is None else len(run_ids)
    done = 0
    progress(done, total)
    for compared in compared_batches:
        yield compared
        for _ in range(compared.runs):
            done += 1
            # Runs may be added meanwhile.
            progress(done, max(total, done))
    if done != total:
        progress(done, done)
