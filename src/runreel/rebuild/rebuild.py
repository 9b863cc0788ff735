"""The projections against the log: compared with it run by run, and made anew from it."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import TYPE_CHECKING, Any

from runreel.model.errors import RunNotFound
from runreel.model.identifiers import check_lookup_id
from runreel.model.runs import Difference
from runreel.rebuild.comparison import DamagedRun, RunComparison, compare_runs, compared
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
    # What happens to a run whose log is damaged; it is left as it is.
    OnDamage = Callable[[Finding], None]
    # What looks at pieces of the log; the answers are in order.
    CompareBatches = Callable[[Iterable[list[str]]], Iterator[list[RunComparison]]]

# So many runs are read at once: fewer take more statements, more take more memory.
_PIECE = 50


def require(connection: Connection, run_ids: Iterable[str]) -> None:
    """See that each run is in the log or in the projections.

    Raises:
        RunNotFound: if one is in neither.
    """
    for run_id in run_ids:
        check_lookup_id(run_id)
        known = event_log.last_position(connection, run_id) >= 0 or run_prefetch.rows_of(
            connection, [run_id]
        )
        if not known:
            raise RunNotFound(f"no run is called {run_id!r}")


def differences(  # noqa: PLR0913 - how to look, and whom to tell
    database: Database,
    run_ids: Sequence[str] | None = None,
    *,
    check_only: bool = False,
    others: WorkerPool | None = None,
    progress: Progress | None = None,
    on_damage: OnDamage | None = None,
) -> Iterator[Difference]:
    """What ``rebuild`` finds, or ``check``, of some runs or all; ``others`` do some of the work.

    Raises:
        RunNotFound: if one of the runs is neither in the log nor in the projections.
        DamagedRun: if a run's log is damaged and nobody takes care of that.
    """
    work = check if check_only else rebuild
    with database.reading() if check_only else database.writing() as connection:
        require(connection, run_ids or ())
        yield from work(connection, run_ids, progress=progress, on_damage=on_damage, others=others)


def check(
    connection: Connection,
    run_ids: Sequence[str] | None = None,
    *,
    progress: Progress | None = None,
    on_damage: OnDamage | None = None,
    others: WorkerPool | None = None,
) -> Iterator[Difference]:
    """Where the projections are not what the log says, run by run.

    If all runs are compared, so is the usage that they add up to.

    Raises:
        DamagedRun: if a run's log is damaged and nobody takes care of that.
    """
    wrong = []
    whole = run_ids is None
    adds_up = others.start(usage_rollup_check.is_consistent) if others and whole else None
    look = others.compared if others else partial(one_by_one, connection)
    for runs in _compared_batches(connection, run_ids, progress, look):
        for run in runs:
            _handle_damage(run, on_damage)
            if run.differences:
                wrong.append(run.run_id)
            yield from run.differences
    if whole and (wrong or adds_up is None or not adds_up()):
        yield from _usage(connection, wrong)


def rebuild(
    connection: Connection,
    run_ids: Sequence[str] | None = None,
    *,
    progress: Progress | None = None,
    on_damage: OnDamage | None = None,
    others: WorkerPool | None = None,
) -> Iterator[Difference]:
    """Make the projections what the log says, in one step for whoever reads; what differed.

    What differs is staged outside of any lock, and moved into place at once when the iteration
    ends: nothing is changed before. Runs whose log is damaged stay as they are.

    Raises:
        DamagedRun: if a run's log is damaged and nobody takes care of that; nothing is changed.
    """
    whole = connection.transaction() if connection.postgres else contextlib.nullcontext()
    wrong: DiskQueue[RollupMismatch | MissingRollup]
    with DiskQueue() as wrong:
        with whole, staged_rebuild.staging_tables(connection):
            alone = partial(one_by_one, connection, attempt=staged_rebuild.savepoint)
            look = others.compared if others else alone
            for runs in _compared_batches(connection, run_ids, progress, look):
                for run in runs:
                    _handle_damage(run, on_damage)
                _stage(connection, [run for run in runs if run.differences])
                for run in runs:
                    yield from run.differences
            place = contextlib.nullcontext() if connection.postgres else connection.transaction()
            with place:
                staged_rebuild.swap_in(connection, None if run_ids is not None else wrong)
                if run_ids is None:
                    migrations.set_projection_version(connection)
        yield from map(_usage_difference, wrong)


def _stage(connection: Connection, runs: list[RunComparison]) -> None:
    due = [(run.run_id, run.expected) for run in runs if run.expected is not None]
    staged_rebuild.stage_rows(
        connection,
        [run.run_id for run in runs],
        [it.row for _, it in due],
        [(*label, run_id) for run_id, it in due for label in it.labels],
    )


def one_by_one(
    connection: Connection,
    pieces: Iterable[list[str]],
    *,
    attempt: Attempt = contextlib.nullcontext,
) -> Iterator[list[RunComparison]]:
    """Each piece of the log examined, in order; ``attempt`` is what it is done inside of."""
    for run_ids in pieces:
        yield compare_runs(connection, run_ids, attempt=attempt)


def _usage(connection: Connection, run_ids: Iterable[str]) -> Iterator[Difference]:
    """Where usage is not what runs add up to, once those that are wrong are what the log says."""
    moves: list[ContributionChange] = []
    with integrity.snapshot(connection):
        for run_id in run_ids:
            (run,) = compared(connection, [run_id])
            if run.differences:
                stood = run_prefetch.rows_of(connection, [run_id]).get(run_id)
                moves.append((_counted(stood), _counted(run.expected and run.expected.named)))
        yield from map(_usage_difference, usage_rollup_check.differences(connection, moves))


def _counted(row: dict[str, Any] | None) -> UsageContribution | None:
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
    look: CompareBatches,
) -> Iterator[list[RunComparison]]:
    """The runs that were looked at, piece by piece, each told to ``progress``."""
    if run_ids is None:
        looked = look(stream_ids.id_batches(connection, _PIECE))
    else:
        looked = look([run_id] for run_id in run_ids)
    if progress is None:
        yield from looked
        return
    total = stream_ids.count(connection) if run_ids is None else len(run_ids)
    done = 0
    progress(done, total)
    for runs in looked:
        yield runs
        for _ in runs:
            done += 1
            # Runs may begin meanwhile.
            progress(done, max(total, done))
    if done != total:
        progress(done, done)
