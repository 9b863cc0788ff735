"""Runs and events as rows of tables: the JSON objects that commands print of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.codec import json_objects
from runreel.model.events import PRUNED
from runreel.query import run_history
from runreel.query.runs import every_run, some_runs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.codec.json_objects import JsonObject
    from runreel.export.formats import ExportJob
    from runreel.model.runs import RunSummary
    from runreel.store.connection import Connection

RUNS = "runs"
EVENTS = "events"
TABLES = (RUNS, EVENTS)


def summaries(job: ExportJob) -> Iterator[RunSummary]:
    """Yield the runs of a job, newest first.

    Pruned runs are among them if usage reports count them.
    """
    if job.run_ids is None:
        return every_run(job.connection)
    return some_runs(job.connection, job.run_ids)


def events(connection: Connection, run: RunSummary) -> Iterator[JsonObject]:
    """Yield the events of a run; a pruned one has none.

    Raises:
        LogError: if a row cannot be read.
    """
    if run.recording != PRUNED:
        yield from map(json_objects.event, run_history.events(connection, run.run_id))


def left_out(job: ExportJob, written: int) -> list[str]:
    """Return the notice about runs that have no row, given the number of those that have one."""
    missing = 0 if job.run_ids is None else len(job.run_ids) - written
    if not missing:
        return []
    named = "1 run was" if missing == 1 else f"{missing:,} runs were"
    return [f"{named} pruned without its usage, and has no row"]
