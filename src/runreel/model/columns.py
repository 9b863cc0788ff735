"""The tables and their columns, made from ``store/schema/tables.py`` and the migrations.

Do not edit: ``python -m tests.docs.generate`` writes this file.
"""

# fmt: off

# Of the schema, oldest first.
REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009")
PROJECTION_VERSION = "5"

TABLES = (
    "events", "runs", "run_labels", "run_keys", "key_frames", "run_text", "usage_by_time",
    "usage_by_value", "cost_books", "run_costs", "cost_hours", "cost_sums", "runreel_meta",
)
# Computed from the log.
PROJECTIONS = (
    "runs", "run_labels", "run_keys", "key_frames", "run_text", "usage_by_time", "usage_by_value",
    "cost_books", "run_costs", "cost_hours", "cost_sums",
)

EVENTS = (
    "run_id", "seq", "kind", "type", "source_index", "at", "elapsed", "keep", "added", "payload",
    "salt", "redacted", "digest",
)

RUNS = (
    "run_id", "source", "status", "recording", "assistant_id", "thread_id", "created_by", "model",
    "labels", "error", "error_code", "tool_calls", "created_at", "started_at", "first_text_at",
    "finished_at", "input_text_tokens", "completion_tokens", "total_tokens", "cached_tokens",
    "reasoning_tokens", "response_id", "events", "result", "projected_seq", "requested_at",
    "cache_write_tokens", "call_usage", "service_tier", "billed_model",
)

RUN_LABELS = ("key", "value", "started_at", "run_id")

RUN_KEYS = ("kind", "key", "at", "run_id", "seq")

KEY_FRAMES = ("run_id", "seq", "base", "keep", "until", "text", "state", "digest")

RUN_TEXT = ("run_id", "part", "text")

USAGE_BY_TIME = (
    "span", "start", "slot", "runs", "known", "input_high", "input_low", "completion_high",
    "completion_low", "total_high", "total_low", "cached_known", "cached_high", "cached_low",
    "cache_write_known", "cache_write_high", "cache_write_low", "reasoning_known", "reasoning_high",
    "reasoning_low",
)

RUN_COSTS = ("run_id", "book", "currency", "cost", "reason")

COST_SUMS = ("book", "dimension", "span", "start", "sums")
# In an index of `runs` or its condition.
INDEXED = (
    "source", "status", "recording", "assistant_id", "thread_id", "model", "error", "error_code",
    "started_at", "total_tokens",
)
