"""Convert results to the JSON objects that ``runreel schema`` describes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.cli.render import shapes_cost
from runreel.codec import plain_json
from runreel.codec.json_objects import JsonObject, event, fill, plain, run, text
from runreel.model.messages import UnknownSource

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runreel.model.messages import Citation, FileChunk
    from runreel.model.usage import PricesUsed, UsageItem
    from runreel.query.run_history import ShownRun

__all__ = ["JsonObject", "content", "event", "fill", "plain", "prices", "run", "text", "usage_item"]


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


def usage_item(by: tuple[str, ...], item: UsageItem, fields: Iterable[str]) -> JsonObject:
    """Convert these counts of one group; its keys are named as in ``--by``."""
    return {**dict(zip(by, item.key, strict=True)), **fill(fields, item.totals)}


def prices(used: PricesUsed) -> JsonObject:
    """Convert what costs come from."""
    return fill(shapes_cost.PRICES, used)


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
