"""Checks the projections against the log, and rebuilds them from it."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import TYPE_CHECKING, Any

from runreel.model.errors import RunNotFound
from runreel.model.identifiers import check_lookup_id
from runreel.model.runs import Difference
from runreel.rebuild.comparison import DamagedRun, RunComparison, compare_intact_runs, compare_runs
from runreel.store.events import damage as integrity
from runreel.store.events import event_log, stream_ids
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
    from runreel.rebuild.comparison import Attempt
    from runreel.rebuild.worker_pool import WorkerPool
    from runreel.store.connection import Connection
    from runreel.store.database import Database
    from runreel.store.projections.usage_buckets import (
        ContributionChange,
        RollupMismatch,
        UsageContribution,
    )
    from runreel.store.projections.usage_rollup_check import MissingRollup

    Progress = Callable[[int, int], None]
    # Called for a run with a damaged log; its projection is left unchanged.
    OnDamage = Callable[[Finding], None]
    # Compares batches of run ids; yields the results in the same order.
    CompareBatches = Callable[[Iterable[list[str]]], Iterator[list[RunComparison]]]

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
            raise RunNotFound(f"run not found: {run_id!r}")


def differences(  # noqa: PLR0913 - options of the comparison and callbacks
    database: Database,
    run_ids: Sequence[str] | None = None,
    *,
    check_only: bool = False,
    pool: WorkerPool | None = None,
    progress: Progress | None = None,
    on_damage: OnDamage | None = None,
) -> Iterator[Difference]:
    """Yield the differences of ``rebuild``, or of ``check``, for some runs or all.

    The processes of ``pool`` do part of the work.

    Raises:
        RunNotFound: if one of the runs is neither in the log nor in the projections.
        DamagedRun: if a run's log is damaged and there is no ``on_damage``.
    """
    work = check if check_only else rebuild
    with database.reading() if check_only else database.writing() as connection:
        require(connection, run_ids or ())
        yield from work(connection, run_ids, progress=progress, on_damage=on_damage, pool=pool)


def check(
    connection: Connection,
    run_ids: Sequence[str] | None = None,
    *,
    progress: Progress | None = None,
    on_damage: OnDamage | None = None,
    pool: WorkerPool | None = None,
) -> Iterator[Difference]:
    """Yield the differences between the projections and the log, run by run.

    If all runs are compared, the usage rollups are compared too.

    Raises:
        DamagedRun: if a run's log is damaged and there is no ``on_damage``.
    """
    wrong = []
    all_runs = run_ids is None
    rollups_consistent = pool.start(usage_rollup_check.is_consistent) if pool and all_runs else None
    compare_batches = pool.compare_batches if pool else partial(compare_in_process, connection)
    for runs in _compared_batches(connection, run_ids, progress, compare_batches):
        for run in runs:
            _handle_damage(run, on_damage)
            if run.differences:
                wrong.append(run.run_id)
            yield from run.differences
    if all_runs and (wrong or rollups_consistent is None or not rollups_consistent()):
        yield from _usage_differences(connection, wrong)


def rebuild(
    connection: Connection,
    run_ids: Sequence[str] | None = None,
    *,
    progress: Progress | None = None,
    on_damage: OnDamage | None = None,
    pool: WorkerPool | None = None,
) -> Iterator[Difference]:
    """Rebuild the projections from the log; yield what differed.

    Differing projections are staged without locks and swapped in by one transaction at the end of
    the iteration; nothing is changed before. Runs with a damaged log are left unchanged.

    Raises:
        DamagedRun: if a run's log is damaged and there is no ``on_damage``; nothing is changed.
    """
    transaction = connection.transaction() if connection.postgres else contextlib.nullcontext()
    wrong: DiskQueue[RollupMismatch | MissingRollup]
    with DiskQueue() as wrong:
        with transaction, staged_rebuild.staging_tables(connection):
            in_process = partial(compare_in_process, connection, attempt=staged_rebuild.savepoint)
            compare_batches = pool.compare_batches if pool else in_process
            for runs in _compared_batches(connection, run_ids, progress, compare_batches):
                for run in runs:
                    _handle_damage(run, on_damage)
                _stage(connection, [run for run in runs if run.differences])
                for run in runs:
                    yield from run.differences
            swap_transaction = (
                contextlib.nullcontext() if connection.postgres else connection.transaction()
            )
            with swap_transaction:
                staged_rebuild.swap_in(connection, None if run_ids is not None else wrong)
                if run_ids is None:
                    migrations.set_projection_version(connection)
        yield from map(_usage_difference, wrong)


def _stage(connection: Connection, runs: list[RunComparison]) -> None:
    expected = [(run.run_id, run.expected) for run in runs if run.expected is not None]
    staged_rebuild.stage_rows(
        connection,
        [run.run_id for run in runs],
        [projection.row for _, projection in expected],
        [(*label, run_id) for run_id, projection in expected for label in projection.labels],
    )


def compare_in_process(
    connection: Connection,
    batches: Iterable[list[str]],
    *,
    attempt: Attempt = contextlib.nullcontext,
) -> Iterator[list[RunComparison]]:
    """Compare batches of runs in this process, each inside the context manager ``attempt``."""
    for run_ids in batches:
        yield compare_runs(connection, run_ids, attempt=attempt)


def _usage_differences(connection: Connection, run_ids: Iterable[str]) -> Iterator[Difference]:
    """Yield the differences of the usage rollups to those of the runs as rebuilt from the log."""
    changes: list[ContributionChange] = []
    with integrity.snapshot(connection):
        for run_id in run_ids:
            (run,) = compare_intact_runs(connection, [run_id])
            if run.differences:
                stored_row = run_prefetch.rows_of(connection, [run_id]).get(run_id)
                expected_row = run.expected and run.expected.by_column
                changes.append((_contribution(stored_row), _contribution(expected_row)))
        yield from map(_usage_difference, usage_rollup_check.differences(connection, changes))


def _contribution(row: dict[str, Any] | None) -> UsageContribution | None:
    return None if row is None else run_table.counted(row)


def _usage_difference(wrong: RollupMismatch | MissingRollup) -> Difference:
    if isinstance(wrong, usage_rollup_check.MissingRollup):
        return Difference("*", wrong.name, None, f"{wrong.expected} rows")
    return Difference(
        "*",
        wrong.bucket.name,
        usage_rollups.totals(wrong.stored),
        usage_rollups.totals(wrong.expected),
    )


def _handle_damage(run: RunComparison, on_damage: OnDamage | None) -> None:
    if run.damage is None:
        return
    if on_damage is None:
        raise DamagedRun(run.damage)
    on_damage(run.damage)


def _compared_batches(
    connection: Connection,
    run_ids: Sequence[str] | None,
    progress: Progress | None,
    compare_batches: CompareBatches,
) -> Iterator[list[RunComparison]]:
    """Compare the runs in batches, and report each to ``progress``."""
    if run_ids is None:
        compared_batches = compare_batches(stream_ids.id_batches(connection, _BATCH_SIZE))
    else:
        compared_batches = compare_batches([run_id] for run_id in run_ids)
    if progress is None:
        yield from compared_batches
        return
    total = stream_ids.count(connection) if run_ids is None else len(run_ids)
    done = 0
    progress(done, total)
    for runs in compared_batches:
        yield runs
        for _ in runs:
            done += 1
            # Runs may be added meanwhile.
            progress(done, max(total, done))
    if done != total:
        progress(done, done)
