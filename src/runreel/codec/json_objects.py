"""Convert runs, events and their parts to the JSON objects that ``runreel schema`` describes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from runreel.codec import object_shapes, plain_json
from runreel.codec.visible_text import escape_json
from runreel.model.results import ToolCallList, Usage, UsageDetails
from runreel.model.runs import RunError
from runreel.model.status import RunStatus
from runreel.model.timestamps import rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from runreel.model.events import StoredEvent
    from runreel.model.runs import RunSummary

JsonObject = Mapping[str, object]

_MICROSECOND = timedelta(microseconds=1)


def text(value: object, *, indent: int | None = None, ascii_only: bool = False) -> str:
    """Encode ``value`` as JSON that is safe to print on a terminal."""
    encoded = json.dumps(value, indent=indent, ensure_ascii=ascii_only, allow_nan=False)
    return escape_json(encoded)


def fill(shape: Iterable[str], item: object, **given: object) -> JsonObject:
    """Return an object with the fields of ``shape``: those ``given``, else those of ``item``."""
    found: dict[str, object] = {}
    for name in shape:
        value = given[name] if name in given else getattr(item, name)
        convert = _CONVERTERS.get(type(value))
        found[name] = value if convert is None else convert(value)
    return found


def plain(value: object) -> object:
    """Convert a value of a field or column, or a row as a dictionary, to JSON."""
    convert = _CONVERTERS.get(type(value))
    return value if convert is None else convert(value)


# A value of any other type is JSON already.
_CONVERTERS: dict[type, Callable[[Any], object]] = {
    datetime: rfc3339,
    date: date.isoformat,
    # Never with an exponent.
    Decimal: "{:f}".format,
    bytes: bytes.hex,
    dict: lambda row: {key: plain(value) for key, value in row.items()},
    RunStatus: lambda status: status.name,
    RunError: lambda error: fill(object_shapes.ERROR, error),
    Usage: lambda usage: fill(object_shapes.TOKENS, usage),
    UsageDetails: lambda details: fill(object_shapes.DETAILS, details),
    ToolCallList: plain_json.tool_calls_value,
}


def run(summary: RunSummary) -> JsonObject:
    """Convert a run."""
    return fill(object_shapes.RUN, summary)


def event(stored: StoredEvent) -> JsonObject:
    """Convert an event."""
    finished = stored.event is not None and stored.event.is_finished
    return fill(
        object_shapes.EVENT, stored, elapsed_us=stored.elapsed // _MICROSECOND, is_finished=finished
    )
