"""Writes CSV files of runs or events, as ``runreel runs`` and ``runreel events`` print them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from runreel.codec import csv_rows, json_objects, object_shapes
from runreel.codec.flat_columns import flat
from runreel.export import parts, result_rows
from runreel.export.formats import Written
from runreel.model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from runreel.codec.json_objects import JsonObject
    from runreel.export.formats import ExportJob
    from runreel.model.runs import RunSummary
    from runreel.store.connection import Connection

_BUFFER = 1 << 20
# Runs and rows of a part that a worker makes.
_PART_RUNS, _PART_ROWS = 200, 2_000


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
    fields = _fields(has_events=has_events)
    written = Written()
    with job.target.open("wb", buffering=_BUFFER) as file:
        file.write(_encoded(csv_rows.header(fields)))
        for runs, rows, read in _written(job, file.write, has_events=has_events):
            written.runs += runs
            written.rows += rows
            job.advance(read)
    written.notices += result_rows.left_out(job, written.runs)
    return written


class _Runs(NamedTuple):
    """Runs of which a worker makes the lines, or those of their events."""

    runs: list[RunSummary]
    has_events: bool


def _written(
    job: ExportJob, write: Callable[[bytes], object], *, has_events: bool
) -> Iterator[tuple[int, int, int]]:
    """Write the lines; yield numbers of runs and rows written, and of rows of the log."""
    summaries = result_rows.summaries(job)
    if job.pool is None:
        for run in summaries:
            yield _lines(job.connection, _Runs([run], has_events), write)
    else:
        asked = (_Runs(runs, has_events) for runs in _batches(summaries))
        yield from parts.written(job.pool, asked, _lines, write)


def _lines(
    connection: Connection, asked: _Runs, write: Callable[[bytes], object]
) -> tuple[int, int, int]:
    fields, rows, read = _fields(has_events=asked.has_events), 0, 0
    for run in asked.runs:
        for value in _rows(connection, run, has_events=asked.has_events):
            write(_encoded(csv_rows.row(value, fields)))
            rows += 1
        read += run.last_seq + 1
    return len(asked.runs), rows, read


def _batches(runs: Iterable[RunSummary]) -> Iterator[list[RunSummary]]:
    batch: list[RunSummary] = []
    size = 0
    for run in runs:
        if batch and (len(batch) == _PART_RUNS or size + run.last_seq >= _PART_ROWS):
            yield batch
            batch, size = [], 0
        batch.append(run)
        size += run.last_seq + 1
    if batch:
        yield batch


@cache
def _fields(*, has_events: bool) -> tuple[str, ...]:
    return tuple(flat(object_shapes.EVENT if has_events else object_shapes.RUN))


def _encoded(text: str) -> bytes:
    # As on a standard output in UTF-8.
    return text.encode("utf-8", "backslashreplace")


def _rows(connection: Connection, run: RunSummary, *, has_events: bool) -> Iterable[JsonObject]:
    return result_rows.events(connection, run) if has_events else (json_objects.run(run),)
