"""The JSON Schemas of what commands print."""

from __future__ import annotations

from typing import Any

from runreel.model.events import KINDS, RECORDINGS
from runreel.model.selection import STATES
from runreel.model.status import RunStatus

_DRAFT = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]

_STRING: Schema = {"type": "string"}
_TEXT: Schema = {"type": ["string", "null"]}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_MAYBE_COUNT: Schema = {"type": ["integer", "null"], "minimum": 0}
_MAYBE_TOKENS: Schema = {"type": ["integer", "null"]}
_FLAG: Schema = {"type": "boolean"}
_TIME: Schema = {"$ref": "#/$defs/time"}
_MAYBE_TIME: Schema = {"anyOf": [_TIME, {"type": "null"}]}
_MILLISECONDS: Schema = {"type": ["number", "null"]}
_LABELS: Schema = {"type": "object", "additionalProperties": _STRING}
_ANY: Schema = {}


def _object(properties: Schema, *, optional: tuple[str, ...] = (), **rest: Any) -> Schema:
    required = [name for name in properties if name not in optional]
    closed = {"type": "object", "properties": properties, "required": required}
    return closed | {"additionalProperties": False} | rest


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _maybe(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _envelope(item: str) -> Schema:
    return _object({"items": _list(_ref(item)), "next": _TEXT, "as_of": _TIME})


_RUN: Schema = {
    "run_id": _STRING,
    "source": _STRING,
    "status": {"enum": list(RunStatus.__members__)},
    "status_name": {"enum": ["success", "failed", "running", "unknown"]},
    "recording": {"enum": list(RECORDINGS)},
    "state": {
        "enum": list(STATES),
        "description": "One-word state; stale: the recording is open, but its process is gone.",
    },
    "assistant_id": _TEXT,
    "thread_id": _TEXT,
    "model": _TEXT,
    "labels": _LABELS,
    "created_by": _TEXT,
    "created_at": _MAYBE_TIME,
    "requested_at": {**_MAYBE_TIME, "description": "Time of the request."},
    "started_at": {**_TIME, "description": "Time of the first event."},
    "finished_at": _MAYBE_TIME,
    "first_text_ms": {
        **_MILLISECONDS,
        "description": "Since `requested_at`; null if that is unknown.",
    },
    "duration_ms": {
        **_MILLISECONDS,
        "description": "Since `requested_at`, or since `started_at` if that is unknown.",
    },
    "error": _maybe(_object({"message": _TEXT, "code": {"type": ["string", "integer", "null"]}})),
    "tool_calls": _maybe(_list(_ref("tool_call"))),
    "usage": _maybe(_ref("tokens")),
    "usage_details": _maybe(
        _object({"cached_tokens": _MAYBE_COUNT, "reasoning_tokens": _MAYBE_COUNT})
    ),
    "events": _COUNT,
    "last_seq": _COUNT,
}
_CONTENT: Schema = {
    "text": _TEXT,
    "parts": _maybe(_list(_ANY)),
    "message": _maybe(_ref("message")),
    "citations": _maybe(_list(_ref("citation"))),
    "reasoning": {
        **_TEXT,
        "description": "Reasoning of the last answer, if the server returned it.",
    },
}
_EVENT: Schema = {
    "run_id": _STRING,
    "seq": _COUNT,
    "kind": {"enum": list(KINDS)},
    "type": _TEXT,
    "source_index": _MAYBE_COUNT,
    "at": _TIME,
    "elapsed_us": _COUNT,
    "text": _TEXT,
    "added": _TEXT,
    "error": _TEXT,
    "tool_calls": _maybe(_list(_ref("tool_call"))),
    "is_finished": _FLAG,
    "raw": {"description": "The original JSON; only with --raw."},
}
_TOTALS: Schema = {
    "runs": _COUNT,
    "known": _COUNT,
    "unknown": _COUNT,
    "input_text_tokens": _MAYBE_TOKENS,
    "completion_tokens": _MAYBE_TOKENS,
    "total_tokens": _MAYBE_TOKENS,
}
_SOURCE: Schema = {
    "type": {"enum": ["filechunk", "unknown"]},
    "parts": _list(_ANY),
    "search_index_id": _TEXT,
    "file_id": _TEXT,
    "file_name": _TEXT,
    "text": {"type": "string", "description": "Only if the type is unknown."},
}
_MESSAGE: Schema = {
    "id": _TEXT,
    "parts": _list(_ANY),
    "thread_id": _TEXT,
    "created_by": _TEXT,
    "created_at": _MAYBE_TIME,
    "labels": _maybe(_LABELS),
    "author": _object({"id": _STRING, "role": _STRING}),
    "citations": _list({"type": "object"}),
    "status": _STRING,
    "finish_reason": {**_STRING, "description": "As the server sent it."},
}
_REPORT: Schema = {
    "lines": _COUNT,
    "events_new": _COUNT,
    "events_known": _COUNT,
    "runs_new": _COUNT,
    "runs_touched": _COUNT,
    "problems": _list(_ref("problem")),
    "notices": _list(_STRING),
}

DEFINITIONS: Schema = {
    "time": {
        "type": "string",
        "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z$",
        "description": "RFC 3339, UTC, microseconds.",
    },
    "tokens": _object({name: {"type": "integer"} for name in list(_TOTALS)[3:]}),
    "tool_call": _object({"id": _TEXT, "name": _TEXT, "arguments": {"type": ["object", "null"]}}),
    "run": _object(_RUN),
    "event": _object(_EVENT, optional=("raw",)),
    "message": _object(
        _MESSAGE,
        optional=tuple(name for name in _MESSAGE if name != "parts"),
        description="A partial message has only `parts`.",
    ),
    "citation": _object({"sources": _list(_object(_SOURCE, optional=("text",)))}),
    "usage_item": {
        "type": "object",
        "properties": _TOTALS,
        "required": list(_TOTALS),
        "additionalProperties": {**_TEXT, "description": "Key of the group, named as in --by."},
    },
    "difference": _object({"run_id": _STRING, "column": _STRING, "stored": _ANY, "rebuilt": _ANY}),
    "open_recording": _object(
        {
            "run_id": _STRING,
            "source": _STRING,
            "opened_at": _TIME,
            "host": _TEXT,
            "pid": {"type": ["integer", "null"]},
            "process_started": {"type": ["integer", "null"]},
            "last_event_at": _TIME,
            "last_seq": _COUNT,
            "alive": {"type": ["boolean", "null"]},
            "action": {"enum": ["resumed", "interrupted", "left"]},
            "reason": _TEXT,
        },
        optional=("action", "reason"),
        description="`action` and `reason` are absent with --list.",
    ),
    "pruned_run": _object(
        {
            "run_id": _STRING,
            "action": {"enum": ["prunable", "pruned", "left", "damaged"]},
            "source": _TEXT,
            "status": {"enum": [*RunStatus.__members__, None]},
            "ended_at": {**_MAYBE_TIME, "description": "End of the run, or time of its last row."},
            "rows": _COUNT,
            "bytes": {**_COUNT, "description": "Stored payload bytes."},
            "why": _TEXT,
        },
        description="The other fields of a damaged run are unknown.",
    ),
    "check": _object(
        {
            "check": _STRING,
            "verdict": {"enum": ["ok", "warn", "bad"]},
            "found": _STRING,
            "advice": _TEXT,
        }
    ),
    "place": _object(
        {
            "run_id": _STRING,
            "seq": _COUNT,
            "kind": _STRING,
            "type": _TEXT,
            "where": {
                **_STRING,
                "description": "Path in the JSON of the row, or `text` for the text of the run.",
            },
            "characters": _COUNT,
        }
    ),
    "finding": _object(
        {
            "run_id": _TEXT,
            "seq": {"type": ["integer", "null"]},
            "what": {**_STRING, "description": "Finding code."},
            "detail": _STRING,
        },
        description="`run_id` and `seq` are null if no single run or row is concerned.",
    ),
    "problem": _object({"file": _STRING, "line": _COUNT, "message": _STRING, "run_id": _TEXT}),
}

# Output of `runreel COMMAND --json`, by command.
DOCUMENTS: Schema = {
    "runs": _envelope("run"),
    "show": _object(_RUN | _CONTENT, optional=tuple(_CONTENT)),
    "events": _envelope("event"),
    "usage": _object(
        {"items": _list(_ref("usage_item")), "totals": _object(_TOTALS), "tz": _STRING}
    ),
    "rebuild": _envelope("difference"),
    "verify": _object(
        {
            "findings": _list(_ref("finding")),
            "intact": _FLAG,
            "runs": _COUNT,
            "events": _COUNT,
            "checkpoints": _maybe(
                _object({"checkpoints": _COUNT, "runs": _COUNT, "pruned": _COUNT})
            ),
            "as_of": _TIME,
        }
    ),
    "recover": _envelope("open_recording"),
    "redact": _object({"places": _list(_ref("place")), "erased": _FLAG, "as_of": _TIME}),
    "prune": _object(
        {
            "items": _list(_ref("pruned_run")),
            "dry_run": _FLAG,
            "runs": _COUNT,
            "rows": _COUNT,
            "bytes": _COUNT,
            "space": {
                **_maybe(_object({"before": _COUNT, "after": _COUNT, "unused": _MAYBE_COUNT})),
                "description": "Database size in bytes; `unused`: free space in the file.",
            },
            "as_of": _TIME,
        }
    ),
    "checkpoint": _object(
        {
            "file": _STRING,
            "sha256": _STRING,
            "number": _COUNT,
            "kind": {"enum": ["full", "changes"]},
            "runs": _COUNT,
            "previous": _TEXT,
            "key_id": _STRING,
            "next_key_id": _TEXT,
        }
    ),
    "keygen": _object(
        {"key_id": _STRING, "file": _STRING, "public_file": _STRING, "passphrase": _FLAG}
    ),
    "backup": _object(
        {
            "file": _STRING,
            "bytes": _COUNT,
            "runs": _COUNT,
            "events": _COUNT,
            "wrong": {**_COUNT, "description": "Number of findings of `verify` in the copy."},
        }
    ),
    "doctor": _envelope("check"),
    "import": _object(_REPORT),
    "record": _object(_REPORT),
    "db-current": _object({"revision": _TEXT}),
    "db-status": _object(
        {
            "database": _STRING,
            "backend": {"enum": ["sqlite", "postgresql"]},
            "revision": _TEXT,
            "projection_version": _TEXT,
            "rows": {"type": "object", "additionalProperties": _COUNT},
            "bytes": {"type": "object", "additionalProperties": _COUNT},
            "settings": {"type": "object"},
        }
    ),
}
# Each line of `-o jsonl` is one of these.
ITEMS = (
    "run",
    "event",
    "usage_item",
    "difference",
    "open_recording",
    "pruned_run",
    "place",
    "check",
    "finding",
)


def schema_for(name: str) -> Schema:
    """The schema of the output of a command, or of an item."""
    own = DOCUMENTS.get(name) or _ref(name)
    return {"$schema": _DRAFT, "title": f"runreel {name}", **own, "$defs": DEFINITIONS}


def all_schemas() -> Schema:
    """All schemas as the definitions of one document, by the names of items and commands."""
    return {
        "$schema": _DRAFT,
        "title": "What runreel prints as JSON",
        "$defs": DEFINITIONS | {f"command:{name}": schema for name, schema in DOCUMENTS.items()},
    }
