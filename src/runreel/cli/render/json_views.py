"""Answers as JSON objects: the shapes that ``runreel schema`` describes."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from runreel.cli.render.escaping import escape_json
from runreel.codec import plain_json
from runreel.model.messages import UnknownSource
from runreel.model.timestamps import rfc3339

if TYPE_CHECKING:
    from runreel.doctor.checks import Check
    from runreel.model.events import StoredEvent
    from runreel.model.finding import Finding
    from runreel.model.maintenance import Recovered, RedactionMatch
    from runreel.model.messages import Citation, FileChunk
    from runreel.model.results import RunResult, UsageDetails
    from runreel.model.runs import Difference, OpenRecording, PrunedRun, RunError, RunSummary
    from runreel.model.usage import UsageItem, UsageTotals

_MICROSECOND = timedelta(microseconds=1)


def text(value: Any, *, indent: int | None = None, ascii_only: bool = False) -> str:
    """``value`` as JSON, exactly, in characters that any terminal takes."""
    told = json.dumps(value, indent=indent, ensure_ascii=ascii_only, allow_nan=False)
    return escape_json(told)


def run(told: RunSummary) -> dict[str, Any]:
    """A run as lists have it."""
    return {
        "run_id": told.run_id,
        "source": told.source,
        "status": told.status.name,
        "status_name": told.status_name,
        "recording": told.recording,
        "state": told.state,
        "assistant_id": told.assistant_id,
        "thread_id": told.thread_id,
        "model": told.model,
        "labels": told.labels,
        "created_by": told.created_by,
        "created_at": rfc3339(told.created_at),
        "requested_at": rfc3339(told.requested_at),
        "started_at": rfc3339(told.started_at),
        "finished_at": rfc3339(told.finished_at),
        "first_text_ms": told.first_text_ms,
        "duration_ms": told.duration_ms,
        "error": _error(told.error),
        "tool_calls": plain_json.tool_calls_value(told.tool_calls),
        "usage": plain_json.usage_value(told.usage),
        "usage_details": _details(told.usage_details),
        "events": told.events,
        "last_seq": told.last_seq,
    }


def content(result: RunResult, reasoning: str | None) -> dict[str, Any]:
    """What ``show --content`` adds to a run; of a failed one, what was written before."""
    failed, parts = result.is_failed, list(result.parts_so_far)
    message = None if failed else result.message
    return {
        "text": result.text_so_far,
        "parts": None if failed and not parts else parts,
        "message": None if message is None else plain_json.message_value(message),
        "citations": None if failed else list(map(_citation, result.citations)),
        "reasoning": reasoning,
    }


def event(told: StoredEvent) -> dict[str, Any]:
    """A row of the log as its reader means it."""
    return {
        "run_id": told.run_id,
        "seq": told.seq,
        "kind": told.kind,
        "type": told.type,
        "source_index": told.source_index,
        "at": rfc3339(told.at),
        "elapsed_us": told.elapsed // _MICROSECOND,
        "text": told.text,
        "added": told.added,
        "error": told.error,
        "tool_calls": plain_json.tool_calls_value(told.tool_calls),
        "is_finished": told.event is not None and told.event.is_finished,
    }


def raw_event(told: StoredEvent) -> dict[str, Any]:
    """A row of the log with the source's own JSON value."""
    return {**event(told), "raw": told.raw}


def totals(told: UsageTotals) -> dict[str, Any]:
    """Counts of runs and tokens."""
    return {
        "runs": told.runs,
        "known": told.known,
        "unknown": told.unknown,
        "input_text_tokens": told.input_text_tokens,
        "completion_tokens": told.completion_tokens,
        "total_tokens": told.total_tokens,
    }


def usage_item(by: tuple[str, ...], told: UsageItem) -> dict[str, Any]:
    """The counts of one group, its keys named as they were asked for."""
    return {**dict(zip(by, told.key, strict=True)), **totals(told.totals)}


def difference(told: Difference) -> dict[str, Any]:
    """Where a projection was not what the log says."""
    return {
        "run_id": told.run_id,
        "column": told.column,
        "stored": plain(told.stored),
        "rebuilt": plain(told.rebuilt),
    }


def open_recording(told: OpenRecording) -> dict[str, Any]:
    """A recording that nobody has closed."""
    return {
        "run_id": told.run_id,
        "source": told.source,
        "opened_at": rfc3339(told.opened_at),
        "host": told.host,
        "pid": told.pid,
        "process_started": told.process_started,
        "last_event_at": rfc3339(told.last_event_at),
        "last_seq": told.last_seq,
        "alive": told.alive,
    }


def recovered(told: Recovered) -> dict[str, Any]:
    """A recording that nobody had closed, and what became of it."""
    return {**open_recording(told.recording), "action": told.action, "reason": told.reason}


def pruned_run(told: PrunedRun) -> dict[str, Any]:
    """A run that is to be pruned, or was."""
    return {
        "run_id": told.run_id,
        "action": told.action,
        "source": told.source,
        "status": None if told.status is None else told.status.name,
        "ended_at": rfc3339(told.ended_at),
        "rows": told.rows,
        "bytes": told.bytes,
        "why": told.why,
    }


def check(told: Check) -> dict[str, Any]:
    """Something that was looked at, and what to do where it is not well."""
    return {
        "check": told.name,
        "verdict": told.verdict,
        "found": told.found,
        "advice": told.advice,
    }


def place(told: RedactionMatch) -> dict[str, Any]:
    """Where something to be erased stands."""
    return told._asdict()


def finding(told: Finding) -> dict[str, Any]:
    """Something that is wrong with a log."""
    return {"run_id": told.run_id, "seq": told.seq, "what": told.what, "detail": told.detail}


def plain(value: Any) -> Any:
    """A column's value, or a row of them; bytes, which JSON has none of, as hexadecimal digits."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    return value.hex() if isinstance(value, bytes) else value


def _details(told: UsageDetails | None) -> dict[str, Any] | None:
    if told is None:
        return None
    return {
        "cached_tokens": told.cached_tokens,
        "reasoning_tokens": told.reasoning_tokens,
    }


def _error(told: RunError | None) -> dict[str, Any] | None:
    return None if told is None else {"message": told.message, "code": told.code}


def _citation(told: Citation) -> dict[str, Any]:
    return {"sources": [_source(source) for source in told.sources]}


def _source(told: FileChunk | UnknownSource) -> dict[str, Any]:
    shape: dict[str, Any] = {
        "type": told.type,
        "parts": [],
        "search_index_id": None,
        "file_id": None,
    }
    if isinstance(told, UnknownSource):
        return {**shape, "file_name": None, "text": told.text}
    return {
        **shape,
        "parts": list(told.parts),
        "search_index_id": told.search_index.id,
        "file_id": told.file and told.file.id,
        "file_name": told.file and told.file.name,
    }
