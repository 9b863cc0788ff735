"""Convert results to the JSON objects that ``runreel schema`` describes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from runreel.cli.render import shapes
from runreel.cli.render.escaping import escape_json
from runreel.codec import plain_json
from runreel.model.messages import UnknownSource
from runreel.model.results import ToolCallList, Usage, UsageDetails
from runreel.model.runs import RunError
from runreel.model.status import RunStatus
from runreel.model.timestamps import rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from runreel.model.events import StoredEvent
    from runreel.model.messages import Citation, FileChunk
    from runreel.model.runs import RunSummary
    from runreel.model.usage import UsageItem
    from runreel.query.run_history import ShownRun

JsonObject = Mapping[str, object]

_MICROSECOND = timedelta(microseconds=1)


def text(value: object, *, indent: int | None = None, ascii_only: bool = False) -> str:
    """Encode ``value`` as JSON that is safe to print on a terminal."""
    encoded = json.dumps(value, indent=indent, ensure_ascii=ascii_only, allow_nan=False)
    return escape_json(encoded)


def fill(shape: Iterable[str], item: object, **given: object) -> JsonObject:
    """The object with the fields of ``shape``: those ``given``, else the attributes of ``item``."""
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
    bytes: bytes.hex,
    dict: lambda row: {key: plain(value) for key, value in row.items()},
    RunStatus: lambda status: status.name,
    RunError: lambda error: fill(shapes.ERROR, error),
    Usage: lambda usage: fill(shapes.TOKENS, usage),
    UsageDetails: lambda details: fill(shapes.DETAILS, details),
    ToolCallList: plain_json.tool_calls_value,
}


def run(summary: RunSummary) -> JsonObject:
    """Convert a run."""
    return fill(shapes.RUN, summary)


def content(shown: ShownRun) -> JsonObject:
    """The fields that ``show --content`` adds; of a failed run, its text before the failure."""
    result = shown.result
    failed, parts = result.is_failed, list(result.parts_so_far)
    message = None if failed else result.message
    return {
        "text": result.text_so_far,
        "parts": None if failed and not parts else parts,
        "message": None if message is None else plain_json.message_value(message),
        "citations": None if failed else list(map(_citation, result.citations)),
        "reasoning": shown.reasoning,
        "request": shown.request,
    }


def event(stored: StoredEvent) -> JsonObject:
    """Convert an event."""
    finished = stored.event is not None and stored.event.is_finished
    return fill(
        shapes.EVENT, stored, elapsed_us=stored.elapsed // _MICROSECOND, is_finished=finished
    )


def usage_item(by: tuple[str, ...], item: UsageItem) -> JsonObject:
    """Convert the counts of one group; its keys are named as in ``--by``."""
    return {**dict(zip(by, item.key, strict=True)), **fill(shapes.TOTALS, item.totals)}


def _citation(citation: Citation) -> JsonObject:
    return {"sources": [_source(source) for source in citation.sources]}


def _source(source: FileChunk | UnknownSource) -> JsonObject:
    common: JsonObject = {
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
