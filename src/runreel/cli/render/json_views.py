"""Convert results to the JSON objects that ``runreel schema`` describes."""

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
    """Encode ``value`` as JSON that is safe to print on a terminal."""
    encoded = json.dumps(value, indent=indent, ensure_ascii=ascii_only, allow_nan=False)
    return escape_json(encoded)


def run(summary: RunSummary) -> dict[str, Any]:
    """Convert a run."""
    return {
        "run_id": summary.run_id,
        "source": summary.source,
        "status": summary.status.name,
        "status_name": summary.status_name,
        "recording": summary.recording,
        "state": summary.state,
        "assistant_id": summary.assistant_id,
        "thread_id": summary.thread_id,
        "model": summary.model,
        "labels": summary.labels,
        "created_by": summary.created_by,
        "created_at": rfc3339(summary.created_at),
        "requested_at": rfc3339(summary.requested_at),
        "started_at": rfc3339(summary.started_at),
        "finished_at": rfc3339(summary.finished_at),
        "first_text_ms": summary.first_text_ms,
        "duration_ms": summary.duration_ms,
        "error": _error(summary.error),
        "tool_calls": plain_json.tool_calls_value(summary.tool_calls),
        "usage": plain_json.usage_value(summary.usage),
        "usage_details": _details(summary.usage_details),
        "events": summary.events,
        "last_seq": summary.last_seq,
    }


def content(result: RunResult, reasoning: str | None) -> dict[str, Any]:
    """The fields that ``show --content`` adds; of a failed run, its text before the failure."""
    failed, parts = result.is_failed, list(result.parts_so_far)
    message = None if failed else result.message
    return {
        "text": result.text_so_far,
        "parts": None if failed and not parts else parts,
        "message": None if message is None else plain_json.message_value(message),
        "citations": None if failed else list(map(_citation, result.citations)),
        "reasoning": reasoning,
    }


def event(stored: StoredEvent) -> dict[str, Any]:
    """Convert an event."""
    return {
        "run_id": stored.run_id,
        "seq": stored.seq,
        "kind": stored.kind,
        "type": stored.type,
        "source_index": stored.source_index,
        "at": rfc3339(stored.at),
        "elapsed_us": stored.elapsed // _MICROSECOND,
        "text": stored.text,
        "added": stored.added,
        "error": stored.error,
        "tool_calls": plain_json.tool_calls_value(stored.tool_calls),
        "is_finished": stored.event is not None and stored.event.is_finished,
    }


def raw_event(stored: StoredEvent) -> dict[str, Any]:
    """Convert an event, with the original JSON of its source."""
    return {**event(stored), "raw": stored.raw}


def totals(counts: UsageTotals) -> dict[str, Any]:
    """Convert counts of runs and tokens."""
    return {
        "runs": counts.runs,
        "known": counts.known,
        "unknown": counts.unknown,
        "input_text_tokens": counts.input_text_tokens,
        "completion_tokens": counts.completion_tokens,
        "total_tokens": counts.total_tokens,
    }


def usage_item(by: tuple[str, ...], item: UsageItem) -> dict[str, Any]:
    """Convert the counts of one group; its keys are named as in ``--by``."""
    return {**dict(zip(by, item.key, strict=True)), **totals(item.totals)}


def difference(found: Difference) -> dict[str, Any]:
    """Convert a difference between a projection and the event log."""
    return {
        "run_id": found.run_id,
        "column": found.column,
        "stored": plain(found.stored),
        "rebuilt": plain(found.rebuilt),
    }


def open_recording(recording: OpenRecording) -> dict[str, Any]:
    """Convert an open recording."""
    return {
        "run_id": recording.run_id,
        "source": recording.source,
        "opened_at": rfc3339(recording.opened_at),
        "host": recording.host,
        "pid": recording.pid,
        "process_started": recording.process_started,
        "last_event_at": rfc3339(recording.last_event_at),
        "last_seq": recording.last_seq,
        "alive": recording.alive,
    }


def recovered(result: Recovered) -> dict[str, Any]:
    """Convert an open recording, with the action that was taken on it."""
    return {**open_recording(result.recording), "action": result.action, "reason": result.reason}


def pruned_run(pruned: PrunedRun) -> dict[str, Any]:
    """Convert a run that was pruned or can be."""
    return {
        "run_id": pruned.run_id,
        "action": pruned.action,
        "source": pruned.source,
        "status": None if pruned.status is None else pruned.status.name,
        "ended_at": rfc3339(pruned.ended_at),
        "rows": pruned.rows,
        "bytes": pruned.bytes,
        "why": pruned.why,
    }


def check(found: Check) -> dict[str, Any]:
    """Convert a health check."""
    return {
        "check": found.name,
        "verdict": found.verdict,
        "found": found.found,
        "advice": found.advice,
    }


def place(match: RedactionMatch) -> dict[str, Any]:
    """Convert the position of a text to erase."""
    return match._asdict()


def finding(found: Finding) -> dict[str, Any]:
    """Convert a finding of ``verify``."""
    return {"run_id": found.run_id, "seq": found.seq, "what": found.what, "detail": found.detail}


def plain(value: Any) -> Any:
    """Convert a column's value, or a row as a dictionary; bytes become hexadecimal digits."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    return value.hex() if isinstance(value, bytes) else value


def _details(details: UsageDetails | None) -> dict[str, Any] | None:
    if details is None:
        return None
    return {
        "cached_tokens": details.cached_tokens,
        "reasoning_tokens": details.reasoning_tokens,
    }


def _error(error: RunError | None) -> dict[str, Any] | None:
    return None if error is None else {"message": error.message, "code": error.code}


def _citation(citation: Citation) -> dict[str, Any]:
    return {"sources": [_source(source) for source in citation.sources]}


def _source(source: FileChunk | UnknownSource) -> dict[str, Any]:
    common: dict[str, Any] = {
        "type": source.type,
        "parts": [],
        "search_index_id": None,
        "file_id": None,
    }
    if isinstance(source, UnknownSource):
        return {**common, "file_name": None, "text": source.text}
    return {
        **common,
        "parts": list(source.parts),
        "search_index_id": source.search_index.id,
        "file_id": source.file and source.file.id,
        "file_name": source.file and source.file.name,
    }
