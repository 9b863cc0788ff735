"""Pruning: deletes old runs and keeps a tombstone of each.

The tombstone is one row that records what was deleted, when, by whom and why.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from runreel.model.errors import UsageError
from runreel.model.events import CLOSED, INTERRUPTED, OPEN, PRUNED, EventRow
from runreel.model.identifiers import check_reason_and_actor
from runreel.model.runs import PrunedRun
from runreel.model.timestamps import from_micros
from runreel.projection import run_state
from runreel.projection import tombstone as tombstones
from runreel.projection.projector import RunProjector
from runreel.rebuild.comparison import DamagedRun, for_each_row
from runreel.recording import event_builder
from runreel.store.events import event_log
from runreel.store.projections import run_queries, run_table
from runreel.store.schema import migrations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runreel.model.selection import StatusChoice
    from runreel.projection.run_projection import RunProjection
    from runreel.projection.run_state import RunState
    from runreel.store.connection import Connection
    from runreel.store.database import Database

    Progress = Callable[[int, int], None]

BATCH = 100
# Recorders wait while a batch is deleted, so a batch of long runs has fewer of them.
MAX_ROWS = 2_000
_PAGE_SIZE = 500
_USAGE_KEPT = "pruned earlier; its usage was kept until now"
_CONCURRENT = "another process has recorded or pruned it in the meantime"


@dataclass(frozen=True, slots=True)
class PruneRequest:
    """Which runs to delete: those that ended before ``before`` (µs) and match ``status``.

    ``keep_usage`` keeps the usage of the runs for reports. Without it, the usage kept by earlier
    prunings is deleted as well. ``status`` None selects all.
    """

    before: int
    status: StatusChoice | None = None
    keep_usage: bool = False
    reason: str | None = None
    actor: str | None = None

    @property
    def recordings(self) -> tuple[str, ...]:
        """The recording states that may be pruned."""
        return (CLOSED, INTERRUPTED) if self.keep_usage else (CLOSED, INTERRUPTED, PRUNED)


class _PrunePlan(NamedTuple):
    """The result of pruning one run: its tombstone and its new projection (None: no row)."""

    run: PrunedRun
    tombstone: EventRow
    projection: RunProjection | None


def prune(  # noqa: PLR0913 - options of the operation
    database: Database,
    request: PruneRequest,
    *,
    dry_run: bool,
    batch: int = BATCH,
    progress: Progress | None = None,
    clock: Callable[[], int] = time.time_ns,
) -> Iterator[PrunedRun]:
    """Delete runs in transactions of up to ``batch`` runs, and yield each run once it is deleted.

    An interruption leaves every run either whole or pruned, and the call can be repeated. The
    event log decides which runs are deleted, not the projections. Runs that are being recorded
    are kept. ``progress`` receives the runs done and the total.

    Raises:
        UsageError: if a reason or an actor is invalid, or ``batch`` is less than 1.
        LogError: if the database refuses; runs that were yielded stay deleted.
    """
    check_reason_and_actor(request.reason, request.actor)
    if batch < 1:
        raise UsageError("batch must be at least 1")
    return _prune(_Pruner(database, request, clock), 0 if dry_run else batch, progress)


def _prune(pruner: _Pruner, batch: int, progress: Progress | None) -> Iterator[PrunedRun]:
    """Prune all candidates in batches; a batch size of 0 is a dry run."""
    pending: list[_PrunePlan] = []
    rows = 0
    for run_id in pruner.candidates(progress):
        plan = pruner.plan_run(run_id)
        if isinstance(plan, PrunedRun):
            yield plan
        elif plan is not None and not batch:
            yield plan.run
        elif plan is not None:
            pending.append(plan)
            rows += plan.run.rows
        if pending and (len(pending) == batch or rows >= MAX_ROWS):
            yield from pruner.delete_runs(pending)
            pending, rows = [], 0
    if pending:
        yield from pruner.delete_runs(pending)


class _Pruner:
    """Selects and deletes the runs of one request."""

    def __init__(self, database: Database, request: PruneRequest, clock: Callable[[], int]) -> None:
        self._database = database
        self._request = request
        self._clock = clock

    def candidates(self, progress: Progress | None) -> Iterator[str]:
        """Yield the ids of runs that are old enough according to the projections, in order."""
        found = self._pages()
        if progress is None:
            yield from found
            return
        request = self._request
        with self._database.reading() as connection:
            total = run_queries.count_ended(
                connection, request.before, recordings=request.recordings, status=request.status
            )
        for done, run_id in enumerate(found):
            progress(done, max(total, done))
            yield run_id
        progress(total, total)

    def _pages(self) -> Iterator[str]:
        request, page = self._request, [""]
        while page:
            with self._database.reading() as connection:
                migrations.require_projections(connection)
                page = run_queries.ended(
                    connection,
                    request.before,
                    recordings=request.recordings,
                    status=request.status,
                    after=page[-1],
                    limit=_PAGE_SIZE,
                )
            yield from page

    def plan_run(self, run_id: str) -> _PrunePlan | PrunedRun | None:
        """Decide from its events whether to prune a run.

        A ``PrunedRun`` gives the reason why the run is kept. None means that it does not match.
        """
        projector, size, last = RunProjector(run_id), 0, None

        def apply(row: EventRow) -> None:
            nonlocal size, last
            projector.apply(row)
            last = row
            if row.payload is not None and row.redacted is None:
                size += len(row.payload.encode())

        try:
            with self._database.reading() as connection:
                for_each_row(connection, run_id, apply)
        except DamagedRun as error:
            return PrunedRun(run_id, "damaged", why=str(error))
        return None if last is None else self._decide(projector, last, size)

    def delete_runs(self, plans: list[_PrunePlan]) -> list[PrunedRun]:
        """Delete the runs in one transaction, except those that other processes have changed."""
        with self._database.writing() as connection, connection.transaction():
            event_log.lock_appends(connection)
            deleted = [_replace_with_tombstone(connection, plan) for plan in plans]
        return [
            replace(plan.run, action="pruned")
            if is_deleted
            else replace(plan.run, action="left", why=_CONCURRENT)
            for plan, is_deleted in zip(plans, deleted, strict=True)
        ]

    def _decide(
        self, projector: RunProjector, last: EventRow, size: int
    ) -> _PrunePlan | PrunedRun | None:
        state, request = projector.state, self._request
        ended = last.at if state.finished_at is None else state.finished_at
        pruned_before = state.recording == PRUNED
        run = PrunedRun(
            projector.run_id,
            "prunable",
            source=state.source,
            status=state.status,
            ended_at=from_micros(ended),
            rows=1 if pruned_before else state.last_seq + 1,
            bytes=size,
            why=_USAGE_KEPT if pruned_before else None,
            state=run_state.summary(projector.run_id, state).state,
        )
        if state.last_seq != last.seq:
            return PrunedRun(projector.run_id, "damaged", why=f"rows are missing before {last.seq}")
        if state.recording == OPEN:
            return replace(run, action="left", why="being recorded")
        if ended >= request.before or not self._is_selected(state):
            return None
        tombstone = tombstones.tombstone_value(
            state,
            last.digest,
            reason=request.reason,
            actor=request.actor,
            keep_usage=request.keep_usage,
        )
        entry = event_builder.note(PRUNED, tombstone)
        (event,) = event_builder.build_events(
            projector, last.digest, [entry], self._clock() // 1_000, 0
        )
        return _PrunePlan(run, event.row, _project(event.row))

    def _is_selected(self, state: RunState) -> bool:
        """True if the request selects such runs and this one has a projection left to delete."""
        request = self._request
        recorded = state.recording in request.recordings and state.has_projection
        return recorded and (
            request.status is None or request.status.selects(state.status, state.recording)
        )


def _project(tombstone: EventRow) -> RunProjection | None:
    """Return the projection of a run that consists of its tombstone."""
    projector = RunProjector(tombstone.run_id)
    projector.apply(tombstone)
    return projector.projection() if projector.state.has_projection else None


def _replace_with_tombstone(connection: Connection, plan: _PrunePlan) -> bool:
    """Append a run's tombstone and delete all rows before it.

    False, with nothing changed, if another row was appended in the meantime.
    """
    run_id, seq, *_ = plan.tombstone
    # On Postgres, a conflict would abort the transaction and so the whole batch.
    is_free = event_log.last_position(connection, run_id) == seq - 1
    if not is_free or not event_log.append(connection, [plan.tombstone]):
        return False
    event_log.remove(connection, run_id, seq)
    run_table.delete(connection, run_id)
    if plan.projection is not None:
        run_table.save(connection, plan.projection)
    return True
