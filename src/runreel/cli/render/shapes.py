"""The JSON objects that commands print: for each field, in order, its JSON Schema.

``json_views`` fills these objects from results, and lists take their CSV columns from them.
"""

from __future__ import annotations

from typing import Any

from runreel.model.events import KINDS, RECORDINGS
from runreel.model.selection import STATES
from runreel.model.status import RunStatus

Schema = dict[str, Any]
# The fields of an object and their schemas.
Shape = dict[str, Schema]

_ANY: Schema = {}
_NULL: Schema = {"type": "null"}
_STRING: Schema = {"type": "string"}
_TEXT: Schema = {"type": ["string", "null"]}
_INTEGER: Schema = {"type": "integer"}
_MAYBE_INTEGER: Schema = {"type": ["integer", "null"]}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_MAYBE_COUNT: Schema = {"type": ["integer", "null"], "minimum": 0}
_FLAG: Schema = {"type": "boolean"}
_MAYBE_FLAG: Schema = {"type": ["boolean", "null"]}
_MILLISECONDS: Schema = {"type": ["number", "null"]}
_LABELS: Schema = {"type": "object", "additionalProperties": _STRING}
_COUNTS: Schema = {"type": "object", "additionalProperties": _COUNT}


def ref(name: str) -> Schema:
    """A reference to the definition with this name."""
    return {"$ref": f"#/$defs/{name}"}


def _enum(*values: str | None) -> Schema:
    return {"enum": [*values]}


def _maybe(schema: Schema) -> Schema:
    return {"anyOf": [schema, _NULL]}


def _array(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def described(schema: Schema, description: str) -> Schema:
    """A schema with a description."""
    return {**schema, "description": description}


def closed(shape: Shape, *optional: str) -> Schema:
    """The schema of an object with these fields and no other; ``optional`` ones may be absent."""
    required = [name for name in shape if name not in optional]
    schema = {"type": "object", "properties": shape, "required": required}
    return {**schema, "additionalProperties": False}


_TIME = ref("time")
_MAYBE_TIME = _maybe(_TIME)
_TOOL_CALLS = _maybe(_array(ref("tool_call")))

ERROR: Shape = {"message": _TEXT, "code": {"type": ["string", "integer", "null"]}}
TOKENS: Shape = {
    "input_text_tokens": _INTEGER,
    "completion_tokens": _INTEGER,
    "total_tokens": _INTEGER,
}
DETAILS: Shape = {"cached_tokens": _MAYBE_COUNT, "reasoning_tokens": _MAYBE_COUNT}
RUN: Shape = {
    "run_id": _STRING,
    "source": _STRING,
    "status": _enum(*RunStatus.__members__),
    "status_name": _enum("success", "failed", "running", "unknown"),
    "recording": _enum(*RECORDINGS),
    "state": described(
        _enum(*STATES), "One-word state; stale: the recording is open, but its process is gone."
    ),
    "assistant_id": _TEXT,
    "thread_id": _TEXT,
    "model": _TEXT,
    "labels": _LABELS,
    "created_by": _TEXT,
    "created_at": _MAYBE_TIME,
    "requested_at": described(_MAYBE_TIME, "Time of the request."),
    "started_at": described(_TIME, "Time of the first event."),
    "finished_at": _MAYBE_TIME,
    "first_text_ms": described(_MILLISECONDS, "Since `requested_at`; null if that is unknown."),
    "duration_ms": described(
        _MILLISECONDS, "Since `requested_at`, or since `started_at` if that is unknown."
    ),
    "error": _maybe(closed(ERROR)),
    "tool_calls": _TOOL_CALLS,
    "usage": _maybe(ref("tokens")),
    "usage_details": _maybe(closed(DETAILS)),
    "events": _COUNT,
    "last_seq": _COUNT,
}
CONTENT: Shape = {
    "text": _TEXT,
    "parts": _maybe(_array(_ANY)),
    "message": _maybe(ref("message")),
    "citations": _maybe(_array(ref("citation"))),
    "reasoning": described(_TEXT, "Reasoning of the last answer, if the server returned it."),
    "request": described(_ANY, "The last request, as its source's JSON; null if none is stored."),
}
EVENT: Shape = {
    "run_id": _STRING,
    "seq": _COUNT,
    "kind": _enum(*KINDS),
    "type": _TEXT,
    "source_index": _MAYBE_COUNT,
    "at": _TIME,
    "elapsed_us": _COUNT,
    "text": _TEXT,
    "added": _TEXT,
    "error": _TEXT,
    "tool_calls": _TOOL_CALLS,
    "is_finished": _FLAG,
}
RAW_EVENT = {**EVENT, "raw": described(_ANY, "The original JSON; only with --raw.")}
TOTALS: Shape = {
    "runs": _COUNT,
    "known": _COUNT,
    "unknown": _COUNT,
    "input_text_tokens": _MAYBE_INTEGER,
    "completion_tokens": _MAYBE_INTEGER,
    "total_tokens": _MAYBE_INTEGER,
}
GROUP = described(_TEXT, "Key of the group, named as in --by.")
DIFFERENCE: Shape = {"run_id": _STRING, "column": _STRING, "stored": _ANY, "rebuilt": _ANY}
OPEN_RECORDING: Shape = {
    "run_id": _STRING,
    "source": _STRING,
    "opened_at": _TIME,
    "host": _TEXT,
    "pid": _MAYBE_INTEGER,
    "process_started": _MAYBE_INTEGER,
    "last_event_at": _TIME,
    "last_seq": _COUNT,
    "alive": _MAYBE_FLAG,
}
RECOVERED = {**OPEN_RECORDING, "action": _enum("resumed", "interrupted", "left"), "reason": _TEXT}
PRUNED_RUN: Shape = {
    "run_id": _STRING,
    "action": _enum("prunable", "pruned", "left", "damaged"),
    "source": _TEXT,
    "status": _enum(*RunStatus.__members__, None),
    "ended_at": described(_MAYBE_TIME, "End of the run, or time of its last row."),
    "rows": _COUNT,
    "bytes": described(_COUNT, "Stored payload bytes."),
    "why": _TEXT,
}
CHECK: Shape = {
    "check": _STRING,
    "verdict": _enum("ok", "warn", "bad"),
    "found": _STRING,
    "advice": _TEXT,
}
PLACE: Shape = {
    "run_id": _STRING,
    "seq": _COUNT,
    "kind": _STRING,
    "type": _TEXT,
    "where": described(_STRING, "Path in the JSON of the row, or `text` for the text of the run."),
    "characters": _COUNT,
}
FINDING: Shape = {
    "run_id": _TEXT,
    "seq": _MAYBE_INTEGER,
    "what": described(_STRING, "Finding code."),
    "detail": _STRING,
}
PROBLEM: Shape = {"file": _STRING, "line": _COUNT, "message": _STRING, "run_id": _TEXT}
COMPARED: Shape = {"checkpoints": _COUNT, "runs": _COUNT, "pruned": _COUNT}
SPACE: Shape = {"before": _COUNT, "after": _COUNT, "unused": _MAYBE_COUNT}
CHECKPOINT: Shape = {
    "file": _STRING,
    "sha256": _STRING,
    "number": _COUNT,
    "kind": _enum("full", "changes"),
    "runs": _COUNT,
    "previous": _TEXT,
    "key_id": _STRING,
    "next_key_id": _TEXT,
}
BACKUP: Shape = {
    "file": _STRING,
    "bytes": _COUNT,
    "runs": _COUNT,
    "events": _COUNT,
    "wrong": described(_COUNT, "Number of findings of `verify` in the copy."),
}
REPORT: Shape = {
    "lines": _COUNT,
    "events_new": _COUNT,
    "events_known": _COUNT,
    "runs_new": _COUNT,
    "runs_touched": _COUNT,
    "problems": _array(ref("problem")),
    "notices": _array(_STRING),
}
SOURCE: Shape = {
    "type": _enum("filechunk", "unknown"),
    "parts": _array(_ANY),
    "search_index_id": _TEXT,
    "file_id": _TEXT,
    "file_name": _TEXT,
    "text": described(_STRING, "Only if the type is unknown."),
}
MESSAGE: Shape = {
    "id": _TEXT,
    "parts": _array(_ANY),
    "thread_id": _TEXT,
    "created_by": _TEXT,
    "created_at": _MAYBE_TIME,
    "labels": _maybe(_LABELS),
    "author": closed({"id": _STRING, "role": _STRING}),
    "citations": _array({"type": "object"}),
    "status": _STRING,
    "finish_reason": described(_STRING, "As the server sent it."),
}
CITATION: Shape = {"sources": _array(closed(SOURCE, "text"))}
USAGE: Shape = {"items": _array(ref("usage_item")), "totals": closed(TOTALS), "tz": _STRING}
VERIFIED: Shape = {
    "findings": _array(ref("finding")),
    "intact": _FLAG,
    "runs": _COUNT,
    "events": _COUNT,
    "checkpoints": _maybe(closed(COMPARED)),
    "as_of": _TIME,
}
REDACTED: Shape = {"places": _array(ref("place")), "erased": _FLAG, "as_of": _TIME}
PRUNED: Shape = {
    "items": _array(ref("pruned_run")),
    "dry_run": _FLAG,
    "runs": _COUNT,
    "rows": _COUNT,
    "bytes": _COUNT,
    "space": described(
        _maybe(closed(SPACE)), "Database size in bytes; `unused`: free space in the file."
    ),
    "as_of": _TIME,
}
KEY: Shape = {"key_id": _STRING, "file": _STRING, "public_file": _STRING, "passphrase": _FLAG}
DATABASE: Shape = {
    "database": _STRING,
    "backend": _enum("sqlite", "postgresql"),
    "revision": _TEXT,
    "projection_version": _TEXT,
    "rows": _COUNTS,
    "bytes": _COUNTS,
    "settings": {"type": "object"},
}
REVISION: Shape = {"revision": _TEXT}
TOOL_CALL: Shape = {"id": _TEXT, "name": _TEXT, "arguments": {"type": ["object", "null"]}}


def page(item: str) -> Shape:
    """A page of a list of items."""
    return {"items": _array(ref(item)), "next": _TEXT, "as_of": _TIME}
