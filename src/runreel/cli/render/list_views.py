"""The list views: for each kind of item, its JSON object, CSV fields and table columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.cli import time_arguments
from runreel.cli.render import json_views
from runreel.cli.render.output import ListView
from runreel.cli.render.tables import Column, TableCell, number
from runreel.model.events import NOTE, RUN, STREAM_EVENT
from runreel.model.selection import PROBLEMS

if TYPE_CHECKING:
    from runreel.doctor.checks import Check
    from runreel.model.events import StoredEvent
    from runreel.model.finding import Finding
    from runreel.model.maintenance import Recovered, RedactionMatch
    from runreel.model.results import ToolCallList
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


def format_calls(calls: ToolCallList) -> str:
    """Format tool calls as ``name(key=value); …``."""
    formatted = []
    for call in calls:
        if call.function is None:
            formatted.append("?()")
        else:
            arguments = ", ".join(
                f"{key}={json_views.text(value)}" for key, value in call.function.arguments.items()
            )
            formatted.append(f"{call.function.name}({arguments})")
    return "; ".join(formatted)


def _event_text(event: StoredEvent) -> str | None:
    """Summarise an event for the table."""
    if event.error is not None:
        return event.error
    if event.tool_calls is not None:
        return format_calls(event.tool_calls)
    if event.added:
        return event.added
    if event.kind in (RUN, STREAM_EVENT):
        return None if event.raw is None else ""
    if event.kind == NOTE and isinstance(event.raw, dict):
        return ", ".join(f"{key} {json_views.text(value)}" for key, value in event.raw.items())
    return None if event.raw is None else json_views.text(event.raw)


def _tokens(run: RunSummary) -> str | None:
    return None if run.usage is None else number(run.usage.total_tokens)


def _cell_text(value: object) -> str | None:
    return (
        value
        if value is None or isinstance(value, str)
        else json_views.text(json_views.plain(value))
    )


_RUN_FIELDS = (
    "run_id",
    "source",
    "status",
    "status_name",
    "recording",
    "state",
    "assistant_id",
    "thread_id",
    "model",
    "labels",
    "created_by",
    "created_at",
    "requested_at",
    "started_at",
    "finished_at",
    "first_text_ms",
    "duration_ms",
    "error.message",
    "error.code",
    "tool_calls",
    "usage.input_text_tokens",
    "usage.completion_tokens",
    "usage.total_tokens",
    "usage_details.cached_tokens",
    "usage_details.reasoning_tokens",
    "events",
    "last_seq",
)
_EVENT_FIELDS = (
    "run_id",
    "seq",
    "kind",
    "type",
    "source_index",
    "at",
    "elapsed_us",
    "text",
    "added",
    "error",
    "tool_calls",
    "is_finished",
)

RUNS: ListView[RunSummary] = ListView(
    "runs",
    json_views.run,
    _RUN_FIELDS,
    (
        Column("RUN", lambda run: run.run_id, min_width=16, cut_middle=True),
        Column("STATUS", state_cell),
        Column("STARTED", lambda run: time_arguments.local_time(run.started_at), is_time=True),
        Column(
            "TOOK",
            lambda run: time_arguments.duration_text(run.duration_ms),
            right=True,
            drop_priority=1,
        ),
        Column("TOKENS", _tokens, right=True, drop_priority=1),
        Column("MODEL", lambda run: run.model, min_width=10, drop_priority=1, cut_middle=True),
        Column("RECORDING", recording_cell, drop_priority=1),
        Column("EVENTS", lambda run: number(run.events), right=True, drop_priority=1),
    ),
)
EVENTS: ListView[StoredEvent] = ListView(
    "events",
    json_views.event,
    _EVENT_FIELDS,
    (
        Column("SEQ", lambda event: event.seq, right=True),
        Column("AT", lambda event: time_arguments.local_time(event.at, precise=True), is_time=True),
        Column("KIND", lambda event: event.kind, drop_priority=1),
        Column("TYPE", lambda event: event.type, min_width=12, cut_middle=True),
        Column("INDEX", lambda event: event.source_index, right=True, drop_priority=1),
        Column("WHAT", _event_text, min_width=12),
    ),
)
RAW_EVENTS: ListView[StoredEvent] = ListView(
    "events",
    json_views.raw_event,
    (*_EVENT_FIELDS, "raw"),
    (*EVENTS.columns[:-1], Column("RAW", lambda event: json_views.text(event.raw), min_width=12)),
)
DIFFERENCES: ListView[Difference] = ListView(
    "differences",
    json_views.difference,
    ("run_id", "column", "stored", "rebuilt"),
    (
        Column("RUN", lambda found: found.run_id, min_width=16, cut_middle=True),
        Column("COLUMN", lambda found: found.column),
        Column("STORED", lambda found: _cell_text(found.stored), min_width=12),
        Column("REBUILT", lambda found: _cell_text(found.rebuilt), min_width=12),
    ),
)
_OPEN_FIELDS = (
    "run_id",
    "source",
    "opened_at",
    "host",
    "pid",
    "process_started",
    "last_event_at",
    "last_seq",
    "alive",
)
OPEN_RECORDINGS: ListView[OpenRecording] = ListView(
    "open recordings",
    json_views.open_recording,
    _OPEN_FIELDS,
    (
        Column("RUN", lambda recording: recording.run_id, min_width=16, cut_middle=True),
        Column("PROCESS", lambda recording: _ALIVE[recording.alive]),
        Column("PID", lambda recording: recording.pid, right=True),
        Column(
            "LAST EVENT",
            lambda recording: time_arguments.local_time(recording.last_event_at),
            is_time=True,
        ),
        Column(
            "OPENED",
            lambda recording: time_arguments.local_time(recording.opened_at),
            drop_priority=1,
            is_time=True,
        ),
        Column("LAST SEQ", lambda recording: recording.last_seq, right=True, drop_priority=1),
        Column("SOURCE", lambda recording: recording.source, drop_priority=1),
        Column("HOST", lambda recording: recording.host, min_width=8, drop_priority=1),
    ),
)
RECOVERED: ListView[Recovered] = ListView(
    "open recordings",
    json_views.recovered,
    (*_OPEN_FIELDS, "action", "reason"),
    (
        Column("RUN", lambda item: item.recording.run_id, min_width=16, cut_middle=True),
        Column("ACTION", lambda item: item.action),
        Column("WHY", lambda item: item.reason, min_width=12),
        Column(
            "LAST EVENT",
            lambda item: time_arguments.local_time(item.recording.last_event_at),
            drop_priority=1,
            is_time=True,
        ),
        Column("SOURCE", lambda item: item.recording.source, drop_priority=1),
    ),
)
PRUNED_RUNS: ListView[PrunedRun] = ListView(
    "runs",
    json_views.pruned_run,
    ("run_id", "action", "source", "status", "ended_at", "rows", "bytes", "why"),
    (
        Column("RUN", lambda run: run.run_id, min_width=16, cut_middle=True),
        Column("ACTION", lambda run: run.action),
        Column("STATUS", lambda run: None if run.status is None else run.status.name),
        Column("ENDED", lambda run: time_arguments.local_time(run.ended_at), is_time=True),
        Column("ROWS", lambda run: number(run.rows), right=True, drop_priority=3),
        Column("BYTES", lambda run: number(run.bytes), right=True, drop_priority=4),
        Column("WHY", lambda run: run.why, min_width=12, drop_priority=2),
    ),
)
CHECKS: ListView[Check] = ListView(
    "checks",
    json_views.check,
    ("check", "verdict", "found", "advice"),
    (
        Column("CHECK", lambda check: check.name),
        Column("VERDICT", lambda check: (check.verdict, _VERDICT_STYLES[check.verdict])),
        Column("FOUND", lambda check: check.found, min_width=12),
        Column("WHAT TO DO", lambda check: check.advice or "", min_width=12),
    ),
)
PLACES: ListView[RedactionMatch] = ListView(
    "places",
    json_views.place,
    ("run_id", "seq", "kind", "type", "where", "characters"),
    (
        Column("RUN", lambda found: found.run_id, min_width=16, cut_middle=True),
        Column("SEQ", lambda found: found.seq, right=True),
        Column("KIND", lambda found: found.kind, drop_priority=1),
        Column("TYPE", lambda found: found.type),
        Column("WHERE", lambda found: found.where, min_width=12),
        Column("CHARACTERS", lambda found: number(found.characters), right=True),
    ),
)
FINDINGS: ListView[Finding] = ListView(
    "findings",
    json_views.finding,
    ("run_id", "seq", "what", "detail"),
    (
        Column("RUN", lambda found: found.run_id, min_width=16, cut_middle=True),
        Column("SEQ", lambda found: found.seq, right=True),
        Column("WHAT", lambda found: found.what),
        Column("DETAIL", lambda found: found.detail, min_width=12),
    ),
)
