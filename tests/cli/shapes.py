"""The keys of the contract, and the calls that print each kind of answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator

import runreel
from runreel.cli.render import json_schemas

if TYPE_CHECKING:
    from tests.cli.calls import Caller

RUN_KEYS = (
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
    "error",
    "tool_calls",
    "usage",
    "usage_details",
    *("calls", "calls_with_usage", "service_tier", "billed_model"),
    "events",
    "last_seq",
    "cost",
    "currency",
)
EVENT_KEYS = (
    "run_id",
    "seq",
    "kind",
    "type",
    "source_index",
    "at",
    "elapsed_us",
    "text",
    "added",
    "kept",
    "error",
    "tool_calls",
    "is_finished",
)
TOKEN_KEYS = ("input_text_tokens", "completion_tokens", "total_tokens")
COUNT_KEYS = ("runs", "known", "unknown", *TOKEN_KEYS, "cached", "cache_write", "reasoning")

LISTS = {
    "runs": ("runs",),
    "search": ("search", "e"),
    "events": ("events", "run-done"),
    "events --raw": ("events", "run-done", "--raw"),
    "usage": ("usage", "--by", "model", "--by", "label:team", "--by", "day"),
    "usage --cost": ("usage", "--by", "model", "--by", "label:team", "--cost"),
    "rebuild": ("rebuild", "--check"),
    "recover": ("recover", "--list"),
    "recover, doing it": ("recover",),
}
OBJECTS = {
    "show": ("show", "run-done"),
    "show --content": ("show", "run-done", "--content"),
    "show --content, failed": ("show", "run-failed", "--content"),
    "show --content, open": ("show", "open-run", "--content"),
    "show --content, plain": ("show", "run-plain", "--content"),
    "diff": ("diff", "run-done", "run-failed"),
    "diff, part": ("diff", "run-done", "run-failed", "--only", "text"),
    "db current": ("db", "current"),
    "db status": ("db", "status"),
}
ITEMS = {
    "runs": "run",
    "search": "match",
    "events": "event",
    "usage": "usage_item",
    "rebuild": "difference",
    "recover": "open_recording",
}


def validate(value: Any, name: str) -> None:
    Draft202012Validator(json_schemas.schema_for(name)).validate(value)


def name_of(arguments: tuple[str, ...]) -> str:
    return "-".join(arguments[:2]) if arguments[0] == "db" else arguments[0]


def spoil(call: Caller) -> None:
    """Falsify a projection behind the log's back."""
    with runreel.open(call.url) as reel, reel.db.writing() as connection:
        connection.execute("UPDATE runs SET model = 'falsified' WHERE run_id = 'run-done'")
        connection.execute("DELETE FROM runs WHERE run_id = 'run-plain'")
