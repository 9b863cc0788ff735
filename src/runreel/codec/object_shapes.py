"""The JSON objects of runs and events: for each field, in order, its JSON Schema.

``json_objects`` makes these objects, and tables of runs and events take their columns from them.
"""

from __future__ import annotations

from runreel.codec.schema_parts import (
    ANY,
    COUNT,
    FLAG,
    INTEGER,
    LABELS,
    MAYBE_COUNT,
    MAYBE_TIME,
    MILLISECONDS,
    STRING,
    TEXT,
    TIME,
    TOOL_CALLS,
    Shape,
    closed,
    described,
    enum,
    maybe,
    ref,
)
from runreel.model.events import KINDS, RECORDINGS
from runreel.model.selection import STATES
from runreel.model.status import RunStatus

ERROR: Shape = {"message": TEXT, "code": {"type": ["string", "integer", "null"]}}
TOKENS: Shape = {
    "input_text_tokens": INTEGER,
    "completion_tokens": INTEGER,
    "total_tokens": INTEGER,
}
DETAILS: Shape = {
    "cached_tokens": MAYBE_COUNT,
    "cache_write_tokens": MAYBE_COUNT,
    "reasoning_tokens": MAYBE_COUNT,
}
RUN: Shape = {
    "run_id": STRING,
    "source": STRING,
    "status": enum(*RunStatus.__members__),
    "status_name": enum("success", "failed", "running", "unknown"),
    "recording": enum(*RECORDINGS),
    "state": described(
        enum(*STATES), "One-word state; stale: the recording is open, but its process is gone."
    ),
    "assistant_id": TEXT,
    "thread_id": TEXT,
    "model": TEXT,
    "labels": LABELS,
    "created_by": TEXT,
    "created_at": MAYBE_TIME,
    "requested_at": described(MAYBE_TIME, "Time of the request."),
    "started_at": described(TIME, "Time of the first event."),
    "finished_at": MAYBE_TIME,
    "first_text_ms": described(MILLISECONDS, "Since `requested_at`; null if that is unknown."),
    "duration_ms": described(
        MILLISECONDS, "Since `requested_at`, or since `started_at` if that is unknown."
    ),
    "error": maybe(closed(ERROR)),
    "tool_calls": TOOL_CALLS,
    "usage": maybe(ref("tokens")),
    "usage_details": maybe(closed(DETAILS)),
    "calls": described(MAYBE_COUNT, "Model calls of the run, if there are several."),
    "calls_with_usage": described(MAYBE_COUNT, "Those of `calls` that reported usage."),
    "service_tier": described(TEXT, "Of the last answer."),
    "billed_model": described(TEXT, "Model that the last answer names, if it is not `model`."),
    "events": COUNT,
    "last_seq": COUNT,
}
EVENT: Shape = {
    "run_id": STRING,
    "seq": COUNT,
    "kind": enum(*KINDS),
    "type": TEXT,
    "source_index": MAYBE_COUNT,
    "at": TIME,
    "elapsed_us": COUNT,
    "text": TEXT,
    "added": TEXT,
    "kept": described(MAYBE_COUNT, "Characters of the text of the run that `added` continues."),
    "error": TEXT,
    "tool_calls": TOOL_CALLS,
    "is_finished": FLAG,
}
RAW_EVENT = {**EVENT, "raw": described(ANY, "The original JSON; only with --raw.")}
TOOL_CALL: Shape = {"id": TEXT, "name": TEXT, "arguments": {"type": ["object", "null"]}}
