"""Writes a folder of Parquet tables, ``runs`` and ``events``, each one file or a file per day.

Days are the UTC days on which runs started, so all events of a run are in one file. The runs of a
job come newest first, so only the files of one day are open at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.codec import json_objects
from runreel.export import result_rows
from runreel.export.formats import Written
from runreel.export.parquet_table import Arrow, ParquetTable
from runreel.export.result_rows import EVENTS, RUNS, TABLES
from runreel.model.errors import UsageError
from runreel.model.timestamps import rfc3339

if TYPE_CHECKING:
    from pathlib import Path

    from runreel.codec.json_objects import JsonObject
    from runreel.export.formats import ExportJob
    from runreel.model.runs import RunSummary

DAY = "day"
# The partition of rows without a day: readers take the columns of a table without rows from it.
NO_DAY = "__HIVE_DEFAULT_PARTITION__"


def write(job: ExportJob) -> Written:
    """Write the runs of a job and their events.

    Raises:
        MissingExtra: if pyarrow is not installed.
        UsageError: if the partition is unknown, or a folder to replace has other files.
        LogError: if a row cannot be read.
    """
    if job.options.partition not in (None, DAY):
        raise UsageError(f"unknown partition {job.options.partition!r}", hint="Choose from day.")
    _refuse_other_files(job.path)
    arrow = Arrow()
    runs, events = _Table(arrow, job, RUNS), _Table(arrow, job, EVENTS)
    try:
        written = _write(job, runs, events)
        runs.close()
        events.close()
    finally:
        runs.discard()
        events.discard()
    escaped = runs.escaped + events.escaped
    if escaped:
        written.notices.append(
            f"{escaped:,} texts have halves of surrogate pairs, which UTF-8 cannot hold:"
            r" they are written as \ud800 to \udfff"
        )
    return written


def _write(job: ExportJob, runs: _Table, events: _Table) -> Written:
    written, is_partitioned = Written(), job.options.partition is not None
    for run in result_rows.summaries(job):
        day = _day(run, is_partitioned=is_partitioned)
        runs.append(day, json_objects.run(run))
        written.runs += 1
        before = written.rows
        for event in result_rows.events(job.connection, run):
            events.append(day, event)
            written.rows += 1
        job.advance(written.rows - before)
    written.notices += result_rows.left_out(job, written.runs)
    return written


class _Table:
    """A table of the folder; its rows come day by day."""

    def __init__(self, arrow: Arrow, job: ExportJob, name: str) -> None:
        self.escaped = 0
        self._arrow = arrow
        self._job = job
        self._name = name
        self._day: str | None = None
        self._file: ParquetTable | None = None

    def append(self, day: str, value: JsonObject) -> None:
        """Append the row of a JSON object to the file of a day."""
        if self._file is None or day != self._day:
            self._end_file()
            self._file = self._open(day)
            self._day = day
        self._file.append(value)

    def close(self) -> None:
        """Write the rest; a table without rows has one file too."""
        if self._file is None:
            self._file = self._open(NO_DAY)
        self._end_file()

    def discard(self) -> None:
        """Close the file that is open, if any."""
        if self._file is not None:
            self._file.discard()

    def _open(self, day: str) -> ParquetTable:
        path = self._job.target / f"{self._name}.parquet"
        if self._job.options.partition:
            path = self._job.target / self._name / f"day={day}" / "part-0.parquet"
            path.parent.mkdir(parents=True)
        return ParquetTable(self._arrow, path, self._name, self._job.version)

    def _end_file(self) -> None:
        if self._file is not None:
            self._file.close()
            self.escaped += self._file.escaped
            self._file = None


def _day(run: RunSummary, *, is_partitioned: bool) -> str:
    return str(rfc3339(run.started_at))[:10] if is_partitioned else ""


def _refuse_other_files(path: Path) -> None:
    """Check that a folder that will be replaced has only what an export makes.

    Raises:
        UsageError: if it has other files.
    """
    if not path.is_dir():
        return
    made = {*TABLES, *(f"{name}.parquet" for name in TABLES)}
    others = sorted(entry.name for entry in path.iterdir() if entry.name not in made)
    if others:
        raise UsageError(
            f"the folder {path} has files of others: {others[0]}",
            hint="Nothing was changed. Name a new folder.",
        )
