"""Writes an asciicast (version 2) of a run: what ``runreel replay`` shows, at the same times."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from runreel.codec.escaping import escape_line, escape_part
from runreel.codec.event_text import format_calls
from runreel.codec.joiners import stable_length
from runreel.export import logged_runs
from runreel.export.formats import Written
from runreel.model.errors import RunNotFound, UsageError
from runreel.model.events import STREAM_EVENT
from runreel.projection.projector import RunProjector
from runreel.projection.row_times import RowClock
from runreel.projection.stored_events import stored_event
from runreel.query import run_history
from runreel.store.events import event_log

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.export.formats import ExportJob
    from runreel.model.events import StoredEvent
    from runreel.projection.row_times import RowTimes

_SIZE = {"width": 80, "height": 24}
_CYAN, _RED, _NORMAL = "\x1b[36m", "\x1b[31m", "\x1b[0m"


def write(job: ExportJob) -> Written:
    """Write the run of a job; a player shows it as ``runreel replay`` does.

    Raises:
        UsageError: if the job has several runs.
        RunNotFound: if it has none, or the run was pruned.
        LogError: if a row cannot be read.
    """
    run_id = _only_run(job)
    head = run_history.require_logged(job.connection, run_id)
    times = _times(job, run_id)
    begin = times.wall[0] - times.rows[0]
    header = {"version": 2, **_SIZE, "timestamp": begin // 1_000_000, "title": escape_line(run_id)}
    with job.target.open("w", encoding="ascii", newline="\n") as file:
        file.write(json.dumps(header) + "\n")
        for time, text in _outputs(job, run_id, times):
            # A terminal in raw mode does not return to the first column by itself.
            shown = text.replace("\n", "\r\n")
            file.write(json.dumps([round(time / 1e6, 6), "o", shown]) + "\n")
    job.advance(head + 1)
    return Written(1, head + 1)


def _only_run(job: ExportJob) -> str:
    found = logged_runs.run_ids(job)
    run_id = next(found, None)
    if run_id is None:
        raise RunNotFound("the log has no runs; nothing was written")
    if next(found, None) is not None:
        raise UsageError("an asciicast shows one run", hint="Name the run to write.")
    return run_id


def _times(job: ExportJob, run_id: str) -> RowTimes:
    projector, clock = RunProjector(run_id), RowClock()
    for row in event_log.read(job.connection, run_id):
        clock.add(row, projector.apply(row), projector.state)
    return clock.times(projector.state.metadata.requested_at)


def _outputs(job: ExportJob, run_id: str, times: RowTimes) -> Iterator[tuple[int, str]]:
    """Yield what is shown, and when, in µs."""
    projector, screen, time = RunProjector(run_id), _Screen(), 0
    for row in event_log.read(job.connection, run_id):
        projected = projector.apply(row)
        if row.kind != STREAM_EVENT:
            continue
        time = times.rows[row.seq]
        text = projector.transcript.text
        event = stored_event(row, projected.value, projected.interpretation, text)
        if shown := "".join(screen.show(event)):
            yield time, shown
    if shown := "".join(screen.end()):
        yield time, shown


class _Screen:
    """Decides what to add to the screen for each event; tool calls and errors have own lines."""

    def __init__(self) -> None:
        self._text = ""
        self._shown = 0
        self._line_open = False

    def show(self, event: StoredEvent) -> Iterator[str]:
        """Yield the addition of the event."""
        if event.text is not None and event.text != self._text:
            if not event.text.startswith(self._text):
                yield from self.end()
                self._shown = 0
            self._text = event.text
            yield from self._add(stable_length(event.text))
        if event.tool_calls is not None:
            yield from self._line(f"tool calls: {format_calls(event.tool_calls)}", _CYAN)
        if event.error is not None:
            yield from self._line(f"error: {event.error}", _RED)

    def end(self) -> Iterator[str]:
        """Yield the text that was held back, and the end of the line."""
        yield from self._add(len(self._text))
        if self._line_open:
            yield "\n"
            self._line_open = False

    def _add(self, stop: int) -> Iterator[str]:
        if stop > self._shown:
            yield escape_part(self._text, self._shown, stop)
            self._line_open = self._text[stop - 1] != "\n"
            self._shown = stop

    def _line(self, text: str, style: str) -> Iterator[str]:
        yield from self.end()
        yield f"{style}[{escape_line(text)}]{_NORMAL}\n"
