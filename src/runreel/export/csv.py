"""Writes CSV files of runs or events, as ``runreel runs`` and ``runreel events`` print them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.codec import csv_rows, json_objects, object_shapes
from runreel.codec.flat_columns import flat
from runreel.export import result_rows
from runreel.export.formats import Written
from runreel.model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runreel.codec.json_objects import JsonObject
    from runreel.export.formats import ExportJob
    from runreel.model.runs import RunSummary


def write(job: ExportJob) -> Written:
    """Write the runs of a job, or their events, newest run first.

    Raises:
        UsageError: if there is no such table.
        LogError: if a row cannot be read.
    """
    table = job.options.table or result_rows.RUNS
    if table not in result_rows.TABLES:
        raise UsageError(
            f"unknown table {table!r}", hint=f"Choose from {', '.join(result_rows.TABLES)}."
        )
    has_events = table == result_rows.EVENTS
    fields = tuple(flat(object_shapes.EVENT if has_events else object_shapes.RUN))
    written = Written()
    # As on a standard output in UTF-8.
    with job.target.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        file.write(csv_rows.header(fields))
        for run in result_rows.summaries(job):
            written.runs += 1
            for value in _rows(job, run, has_events=has_events):
                file.write(csv_rows.row(value, fields))
                written.rows += 1
            job.advance(run.last_seq + 1)
    written.notices += result_rows.left_out(job, written.runs)
    return written


def _rows(job: ExportJob, run: RunSummary, *, has_events: bool) -> Iterable[JsonObject]:
    return result_rows.events(job, run) if has_events else (json_objects.run(run),)
