"""What commands print as JSON, as JSON Schemas."""

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
        "description": "One word for people; stale: open, and its process is gone from this host.",
    },
    "assistant_id": _TEXT,
    "thread_id": _TEXT,
    "model": _TEXT,
    "labels": _LABELS,
    "created_by": _TEXT,
    "created_at": _MAYBE_TIME,
    "requested_at": {**_MAYBE_TIME, "description": "When the model was asked."},
    "started_at": {**_TIME, "description": "When the first event came."},
    "finished_at": _MAYBE_TIME,
    "first_text_ms": {
        **_MILLISECONDS,
        "description": "From `requested_at`; null where that is unknown.",
    },
    "duration_ms": {
        **_MILLISECONDS,
        "description": "From `requested_at`, or from `started_at` where that is unknown.",
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
    "reasoning": {**_TEXT, "description": "Of the last answer, where its server returned any."},
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
    "raw": {"description": "The source's own JSON value; with --raw only."},
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
    "text": {"type": "string", "description": "Of an unknown source alone."},
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
    "finish_reason": {**_STRING, "description": "The server's own word, where it gave one."},
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
        description="A message still being written has its parts alone.",
    ),
    "citation": _object({"sources": _list(_object(_SOURCE, optional=("text",)))}),
    "usage_item": {
        "type": "object",
        "properties": _TOTALS,
        "required": list(_TOTALS),
        "additionalProperties": {**_TEXT, "description": "A group's key, named as in --by."},
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
        description="What became of it is told where it was not merely listed.",
    ),
    "pruned_run": _object(
        {
            "run_id": _STRING,
            "action": {"enum": ["prunable", "pruned", "left", "damaged"]},
            "source": _TEXT,
            "status": {"enum": [*RunStatus.__members__, None]},
            "ended_at": {**_MAYBE_TIME, "description": "When it finished, or its last row came."},
            "rows": _COUNT,
            "bytes": {**_COUNT, "description": "Of payload, as stored."},
            "why": _TEXT,
        },
        description="Of a damaged run nothing else is known.",
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
            "where": {**_STRING, "description": "A path into the row's JSON; text: the run's."},
            "characters": _COUNT,
        }
    ),
    "finding": _object(
        {
            "run_id": _TEXT,
            "seq": {"type": ["integer", "null"]},
            "what": {**_STRING, "description": "A word for programs."},
            "detail": _STRING,
        },
        description="Null is: of no run, of no single row.",
    ),
    "problem": _object({"file": _STRING, "line": _COUNT, "message": _STRING, "run_id": _TEXT}),
}

# What `runreel COMMAND --json` prints, command by command.
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
                "description": "Bytes that the log takes; unused: in a file, for what comes next.",
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
            "wrong": {**_COUNT, "description": "What `verify` finds in it, and so in the log."},
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
    """The schema of one command's output, or of one item."""
    own = DOCUMENTS.get(name) or _ref(name)
    return {"$schema": _DRAFT, "title": f"runreel {name}", **own, "$defs": DEFINITIONS}


def all_schemas() -> Schema:
    """All schemas as the definitions of one document, items and commands each by their names."""
    return {
        "$schema": _DRAFT,
        "title": "What runreel prints as JSON",
        "$defs": DEFINITIONS | {f"command:{name}": schema for name, schema in DOCUMENTS.items()},
    }
