"""The list views: for each kind of item, its JSON object and table columns."""

from __future__ import annotations

from dataclasses import replace
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from runreel.cli.render import json_views, shapes
from runreel.cli.render.output import ListView
from runreel.cli.render.tables import Column, TableCell, number_column, time_column
from runreel.codec import object_shapes
from runreel.codec.durations import duration_text
from runreel.codec.event_text import event_text
from runreel.model.selection import PROBLEMS

if TYPE_CHECKING:
    from runreel.doctor.checks import Check
    from runreel.model.events import StoredEvent
    from runreel.model.finding import Finding
    from runreel.model.maintenance import Recovered, RedactionMatch
    from runreel.model.runs import Difference, OpenRecording, PrunedRun, RunSummary

# Colour is never the only sign: the word is printed too.
_VERDICT_STYLES = {"ok": "green", "warn": "yellow", "bad": "red"}

_STYLES = {"success": "green", "failed": "red", "running": "yellow", "unknown": "dim"}
_RECORDING_STYLES = {"open": "yellow", "closed": None, "interrupted": "red"}

_ALIVE: dict[bool | None, TableCell | None] = {
    True: ("alive", "green"),
    False: ("dead", "red"),
    None: None,
}


def state_cell(run: RunSummary) -> TableCell:
    """The state of the run, coloured."""
    return run.state, "red" if run.state in PROBLEMS else _STYLES[run.status_name]


def recording_cell(run: RunSummary) -> TableCell:
    """The state of the recording, coloured."""
    return run.recording, _RECORDING_STYLES.get(run.recording)


def _cell_text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json_views.text(json_views.plain(value))


_RUN_ID: Column[Any] = Column("RUN", attrgetter("run_id"), min_width=16, cut_middle=True)

RUNS: ListView[RunSummary] = ListView(
    "runs",
    object_shapes.RUN,
    (
        _RUN_ID,
        Column("STATUS", state_cell),
        time_column("STARTED", lambda run: run.started_at),
        Column("TOOK", lambda run: duration_text(run.duration_ms), right=True, drop_priority=1),
        number_column("TOKENS", lambda run: run.usage.total_tokens if run.usage else None, 1),
        Column("MODEL", lambda run: run.model, min_width=10, drop_priority=1, cut_middle=True),
        Column("RECORDING", recording_cell, drop_priority=1),
        number_column("EVENTS", lambda run: run.events, 1),
    ),
)
_EVENT_COLUMNS: tuple[Column[StoredEvent], ...] = (
    Column("SEQ", lambda event: event.seq, right=True),
    time_column("AT", lambda event: event.at, precise=True),
    Column("KIND", lambda event: event.kind, drop_priority=1),
    Column("TYPE", lambda event: event.type, min_width=12, cut_middle=True),
    Column("INDEX", lambda event: event.source_index, right=True, drop_priority=1),
)
EVENTS: ListView[StoredEvent] = ListView(
    "events",
    object_shapes.EVENT,
    (*_EVENT_COLUMNS, Column("WHAT", event_text, min_width=12)),
    json_views.event,
)
RAW_EVENTS: ListView[StoredEvent] = ListView(
    "events",
    object_shapes.RAW_EVENT,
    (*_EVENT_COLUMNS, Column("RAW", lambda event: json_views.text(event.raw), min_width=12)),
    lambda event: {**json_views.event(event), "raw": event.raw},
)


def without_text(view: ListView[StoredEvent]) -> ListView[StoredEvent]:
    """The view without the text so far: ``kept`` and ``added`` say how each event changed it."""
    shape = {name: schema for name, schema in view.shape.items() if name != "text"}

    def value(event: StoredEvent) -> json_views.JsonObject:
        return {name: item for name, item in view.value(event).items() if name != "text"}

    return replace(view, shape=shape, convert=value)


def with_run(view: ListView[StoredEvent]) -> ListView[StoredEvent]:
    """The view of events of several runs: its table has the run of each."""
    return replace(view, columns=(_RUN_ID, *view.columns))


DIFFERENCES: ListView[Difference] = ListView(
    "differences",
    shapes.DIFFERENCE,
    (
        _RUN_ID,
        Column("COLUMN", lambda found: found.column),
        Column("STORED", lambda found: _cell_text(found.stored), min_width=12),
        Column("REBUILT", lambda found: _cell_text(found.rebuilt), min_width=12),
    ),
)
OPEN_RECORDINGS: ListView[OpenRecording] = ListView(
    "open recordings",
    shapes.OPEN_RECORDING,
    (
        _RUN_ID,
        Column("PROCESS", lambda recording: _ALIVE[recording.alive]),
        Column("PID", lambda recording: recording.pid, right=True),
        time_column("LAST EVENT", lambda recording: recording.last_event_at),
        time_column("OPENED", lambda recording: recording.opened_at, 1),
        Column("LAST SEQ", lambda recording: recording.last_seq, right=True, drop_priority=1),
        Column("SOURCE", lambda recording: recording.source, drop_priority=1),
        Column("HOST", lambda recording: recording.host, min_width=8, drop_priority=1),
    ),
)
RECOVERED: ListView[Recovered] = ListView(
    "open recordings",
    shapes.RECOVERED,
    (
        Column("RUN", lambda item: item.recording.run_id, min_width=16, cut_middle=True),
        Column("ACTION", lambda item: item.action),
        Column("WHY", lambda item: item.reason, min_width=12),
        time_column("LAST EVENT", lambda item: item.recording.last_event_at, 1),
        Column("SOURCE", lambda item: item.recording.source, drop_priority=1),
    ),
    lambda item: json_views.fill(
        shapes.RECOVERED, item.recording, action=item.action, reason=item.reason
    ),
)
PRUNED_RUNS: ListView[PrunedRun] = ListView(
    "runs",
    shapes.PRUNED_RUN,
    (
        _RUN_ID,
        Column("ACTION", lambda run: run.action),
        Column("STATUS", lambda run: run.state),
        time_column("ENDED", lambda run: run.ended_at),
        number_column("ROWS", lambda run: run.rows, 3),
        number_column("BYTES", lambda run: run.bytes, 4),
        Column("WHY", lambda run: run.why, min_width=12, drop_priority=2),
    ),
)
CHECKS: ListView[Check] = ListView(
    "checks",
    shapes.CHECK,
    (
        Column("CHECK", lambda check: check.name),
        Column("VERDICT", lambda check: (check.verdict, _VERDICT_STYLES[check.verdict])),
        Column("FOUND", lambda check: check.found, min_width=12),
        Column("WHAT TO DO", lambda check: check.advice or "", min_width=12),
    ),
    lambda check: json_views.fill(shapes.CHECK, check, check=check.name),
)
PLACES: ListView[RedactionMatch] = ListView(
    "places",
    shapes.PLACE,
    (
        _RUN_ID,
        Column("SEQ", lambda found: found.seq, right=True),
        Column("KIND", lambda found: found.kind, drop_priority=1),
        Column("TYPE", lambda found: found.type),
        Column("WHERE", lambda found: found.where, min_width=12),
        number_column("CHARACTERS", lambda found: found.characters),
    ),
)
FINDINGS: ListView[Finding] = ListView(
    "findings",
    shapes.FINDING,
    (
        _RUN_ID,
        Column("SEQ", lambda found: found.seq, right=True),
        Column("WHAT", lambda found: found.what),
        Column("DETAIL", lambda found: found.detail, min_width=12),
    ),
)
