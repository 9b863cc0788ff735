"""Where the time of a run went."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.model.errors import UsageError
from runreel.projection.projector import RunProjector
from runreel.projection.run_steps import StepBuilder
from runreel.query import run_history
from runreel.store.events import damage, event_log

if TYPE_CHECKING:
    from runreel.model.steps import RunSteps
    from runreel.store.connection import Connection
    from runreel.store.database import Database

# Longest pause, in seconds, that belongs to a stream.
IDLE = 1.0


def steps(database: Database, run_id: str, *, idle: float = IDLE) -> RunSteps:
    """Return the steps of a run; a pause of more than ``idle`` seconds is a step of its own.

    Raises:
        RunNotFound: if the log has no such run.
        UsageError: if ``idle`` is negative.
    """
    with database.reading() as connection, damage.snapshot(connection):
        run_id = run_history.with_id(connection, run_id)
        run_history.require_logged(connection, run_id)
        return of_run(connection, run_id, idle=idle)


def of_run(connection: Connection, run_id: str, *, idle: float = IDLE) -> RunSteps:
    """Return the steps of a run; arguments as for ``steps``.

    Raises:
        UsageError: if ``idle`` is negative.
    """
    if not idle >= 0:
        raise UsageError(f"invalid idle {idle}: use a number of seconds from 0")
    projector = RunProjector(run_id)
    builder = StepBuilder(projector)
    for row in event_log.read(connection, run_id):
        builder.add(row, projector.apply(row))
    return builder.steps(run_id, idle=round(min(idle, 1e12) * 1_000_000))
