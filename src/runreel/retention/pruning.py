"""Letting old runs go: of each, one row stays that says what went, when, by whom and why."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from runreel.model.errors import UsageError
from runreel.model.events import CLOSED, INTERRUPTED, NOTE, OPEN, PRUNED, EventRow
from runreel.model.identifiers import check_reason_and_actor
from runreel.model.runs import PrunedRun
from runreel.model.timestamps import from_micros
from runreel.projection import tombstone as tombstones
from runreel.projection.projector import RunProjector
from runreel.rebuild.comparison import DamagedRun, for_each_row
from runreel.recording import event_builder
from runreel.recording.event_builder import EventInput
from runreel.store.events import event_log
from runreel.store.projections import run_queries, run_table
from runreel.store.schema import migrations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runreel.model.selection import StatusChoice
    from runreel.projection.run_mapper import RunProjection
    from runreel.projection.run_state import RunState
    from runreel.store.connection import Connection
    from runreel.store.database import Database

    Progress = Callable[[int, int], None]

BATCH = 100
# Whoever records waits while a batch goes, so one with long runs has fewer of them.
ROWS = 2_000
_PAGE = 500
_AGAIN = "it was pruned before, and its usage kept until now"
_MEANWHILE = "somebody else has recorded or pruned it meanwhile"


@dataclass(frozen=True, slots=True)
class PruneRequest:
    """Which runs are to go: those that ended before a time in µs; ``status`` None is all.

    With ``keep_usage`` what usage reports need stays. Without it, it also goes of runs that were
    pruned with it before.
    """

    before: int
    status: StatusChoice | None = None
    keep_usage: bool = False
    reason: str | None = None
    actor: str | None = None

    @property
    def recordings(self) -> tuple[str, ...]:
        """The states of recordings that may go."""
        return (CLOSED, INTERRUPTED) if self.keep_usage else (CLOSED, INTERRUPTED, PRUNED)


class _PrunePlan(NamedTuple):
    """What would become of a run: its tombstone, and what the projections are to have of it."""

    run: PrunedRun
    tombstone: EventRow
    projected: RunProjection | None


def prune(  # noqa: PLR0913 - how it is to be done
    database: Database,
    order: PruneRequest,
    *,
    dry_run: bool,
    batch: int = BATCH,
    progress: Progress | None = None,
    clock: Callable[[], int] = time.time_ns,
) -> Iterator[PrunedRun]:
    """Let runs go, so many in a transaction; each is told once it is gone.

    Whatever stops it in between leaves every run whole or gone, and it may be done again. What
    goes is decided by the log itself. A run that is recorded meanwhile stays. ``progress`` is told
    runs done and runs in all.

    Raises:
        UsageError: if a reason or an actor is not fit to be kept, or the batch is none.
        LogError: if the database does not let it; what was told is gone.
    """
    check_reason_and_actor(order.reason, order.actor)
    if batch < 1:
        raise UsageError("a batch is of at least one run")
    return _pruned(_Pruner(database, order, clock), 0 if dry_run else batch, progress)


def _pruned(work: _Pruner, batch: int, progress: Progress | None) -> Iterator[PrunedRun]:
    """Carry it out in batches; one of no runs is a dry run."""
    held: list[_PrunePlan] = []
    total = work.count() if progress is not None else 0
    for done, run_id in enumerate(work.candidates()):
        if progress is not None:
            progress(done, max(total, done))
        found = work.plan_run(run_id)
        if isinstance(found, PrunedRun):
            yield found
        elif found is not None and not batch:
            yield found.run
        elif found is not None:
            held.append(found)
        if held and (len(held) == batch or sum(plan.run.rows for plan in held) >= ROWS):
            yield from work.carry_out(held)
            held = []
    if held:
        yield from work.carry_out(held)
    if progress is not None:
        progress(total, total)


class _Pruner:
    """What one pruning does to a log."""

    def __init__(self, database: Database, order: PruneRequest, clock: Callable[[], int]) -> None:
        self._database = database
        self._order = order
        self._clock = clock

    def count(self) -> int:
        """How many runs there are to look at."""
        order = self._order
        with self._database.reading() as connection:
            return run_queries.count_ended(
                connection, order.before, recordings=order.recordings, status=order.status
            )

    def candidates(self) -> Iterator[str]:
        """The runs that are old enough by the projections, in the order of their ids."""
        order, after = self._order, ""
        while True:
            with self._database.reading() as connection:
                migrations.require_projections(connection)
                page = run_queries.ended(
                    connection,
                    order.before,
                    recordings=order.recordings,
                    status=order.status,
                    after=after,
                    limit=_PAGE,
                )
            yield from page
            if len(page) < _PAGE:
                return
            after = page[-1]

    def plan_run(self, run_id: str) -> _PrunePlan | PrunedRun | None:
        """What to do with a run by its log: a plan, why it stays, or None if it is not meant."""
        folded, size, last = RunProjector(run_id), 0, None

        def take(row: EventRow) -> None:
            nonlocal size, last
            folded.apply_row(row)
            last = row
            if row.payload is not None and row.redacted is None:
                size += len(row.payload.encode())

        try:
            with self._database.reading() as connection:
                for_each_row(connection, run_id, take)
        except DamagedRun as error:
            return PrunedRun(run_id, "damaged", why=str(error))
        return None if last is None else self._decide(folded, last, size)

    def carry_out(self, plans: list[_PrunePlan]) -> list[PrunedRun]:
        """Let the runs go in one transaction, but for those that were recorded meanwhile."""
        with self._database.writing() as connection, connection.transaction():
            event_log.lock_appends(connection)
            gone = [_replace_with_tombstone(connection, plan) for plan in plans]
        return [
            replace(plan.run, action="pruned")
            if is_gone
            else replace(plan.run, action="left", why=_MEANWHILE)
            for plan, is_gone in zip(plans, gone, strict=True)
        ]

    def _decide(
        self, folded: RunProjector, last: EventRow, size: int
    ) -> _PrunePlan | PrunedRun | None:
        state, order = folded.state, self._order
        ended = last.at if state.finished_at is None else state.finished_at
        again = state.recording == PRUNED
        run = PrunedRun(
            folded.run_id,
            "prunable",
            source=state.source,
            status=state.status,
            ended_at=from_micros(ended),
            rows=1 if again else state.last_seq + 1,
            bytes=size,
            why=_AGAIN if again else None,
        )
        if state.last_seq != last.seq:
            return PrunedRun(folded.run_id, "damaged", why=f"rows are missing before {last.seq}")
        if state.recording == OPEN:
            return replace(run, action="left", why="it is being recorded")
        if ended >= order.before or not self._is_due(state):
            return None
        told = tombstones.tombstone_value(
            state, last.digest, reason=order.reason, actor=order.actor, keep_usage=order.keep_usage
        )
        entry = EventInput(NOTE, PRUNED, None, told)
        (made,) = event_builder.build_events(
            folded, last.digest, [entry], self._clock() // 1_000, 0
        )
        return _PrunePlan(run, made.row, _projected(made.row))

    def _is_due(self, state: RunState) -> bool:
        """Whether the order means runs of this kind, and there is something of this one to go."""
        order = self._order
        recorded = state.recording in order.recordings and state.has_projection
        return recorded and (
            order.status is None or order.status.selects(state.status, state.recording)
        )


def _projected(tombstone: EventRow) -> RunProjection | None:
    """What the projections are to have of a run of which this is left."""
    anew = RunProjector(tombstone.run_id)
    anew.apply(tombstone)
    return anew.projection() if anew.state.has_projection else None


def _replace_with_tombstone(connection: Connection, plan: _PrunePlan) -> bool:
    """Put a run's tombstone behind its last row, and remove what is before it.

    False if another row has come there meanwhile; nothing is changed then.
    """
    run_id, seq, *_ = plan.tombstone
    # A place that is taken would end Postgres' transaction, and so the batch.
    free = event_log.last_position(connection, run_id) == seq - 1
    if not free or not event_log.append(connection, [plan.tombstone]):
        return False
    event_log.remove(connection, run_id, seq)
    run_table.delete(connection, run_id)
    if plan.projected is not None:
        run_table.save(connection, plan.projected)
    return True
