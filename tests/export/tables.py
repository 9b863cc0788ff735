"""Parquet tables as they must be: each value that of the JSON which a command prints."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from runreel.codec import json_objects

if TYPE_CHECKING:
    from pathlib import Path

    from runreel.api.reel import Reel

Row = dict[str, Any]
TIMES = {"created_at", "requested_at", "started_at", "finished_at", "received_at"}
JSON_TEXTS = {"labels", "tool_calls"}
# Objects of known fields; they are null as a whole.
NESTED = {
    "error": ("message", "code"),
    "usage": ("input_text_tokens", "completion_tokens", "total_tokens"),
    "usage_details": ("cached_tokens", "cache_write_tokens", "reasoning_tokens"),
}


def read(path: Path) -> list[Row]:
    """The rows of a file, JSON text decoded."""
    rows = pq.read_table(path, partitioning=None).to_pylist()
    for row in rows:
        for name in JSON_TEXTS & row.keys():
            row[name] = row[name] and json.loads(row[name])
    return rows


def of_json(value: dict[str, Any]) -> Row:
    """The row that a JSON object of a run or an event must be."""
    row: Row = {}
    for key, item in value.items():
        # An event's error is a text.
        if key in NESTED and not isinstance(item, str) and "at" not in value:
            for field in NESTED[key]:
                inner = item and item[field]
                row[f"{key}_{field}"] = str(inner) if isinstance(inner, int) else inner
                if key != "error":
                    row[f"{key}_{field}"] = inner
            continue
        name = "received_at" if key == "at" else key
        if name in TIMES:
            row[name] = item and datetime.fromisoformat(item)
        else:
            row[name] = item
    return {name: _escaped(item) if name not in JSON_TEXTS else item for name, item in row.items()}


def _escaped(item: Any) -> Any:
    if not isinstance(item, str):
        return item
    return "".join(f"\\u{ord(char):04x}" if "\ud800" <= char <= "\udfff" else char for char in item)


def runs_of(reel: Reel) -> list[Row]:
    return [of_json(dict(json_objects.run(run))) for run in reel.runs()]


def events_of(reel: Reel, run_id: str) -> list[Row]:
    return [of_json(dict(json_objects.event(event))) for event in reel.events(run_id)]
