"""Tool calls of chat completions, assembled from deltas."""

from __future__ import annotations

from typing import NamedTuple

from runreel.codec.json_values import object_in, objects_in, text_in
from runreel.model.results import ToolCallList
from runreel.sources.openai import values as oj


class Call(NamedTuple):
    """A tool call as received so far; ``number`` is its index in the stream."""

    number: int
    id: str
    name: str
    text: str
    custom: bool


Calls = tuple[Call, ...]


def with_delta(calls: Calls, message: dict[str, object]) -> Calls:
    """The calls after the delta, or complete message, ``message``."""
    items = objects_in(message, "tool_calls")
    if isinstance(message.get("function_call"), dict):
        items.append({"index": 0, "function": message["function_call"]})
    for item in items:
        calls = _merge(calls, item)
    return calls


def tool_call_list(calls: Calls) -> ToolCallList | None:
    """The complete calls, None without any."""
    if not calls:
        return None
    return ToolCallList(
        tuple(
            oj.custom_call(call.id, call.name, call.text)
            if call.custom
            else oj.call(call.id, call.name, call.text)
            for call in calls
        )
    )


def _merge(calls: Calls, item: dict[str, object]) -> Calls:
    delta = _call(item)
    position = _index_of(calls, item.get("index"), delta.id)
    if position is None or (delta.name and delta.id not in ("", calls[position].id)):
        # Some servers send no index, or the same index for all calls.
        index = item.get("index")
        return (*calls, delta._replace(number=index if type(index) is int else len(calls)))
    known = calls[position]
    merged = known._replace(
        id=known.id or delta.id,
        name=known.name or delta.name,
        text=known.text + delta.text,
        custom=known.custom or delta.custom,
    )
    return (*calls[:position], merged, *calls[position + 1 :])


def _call(item: dict[str, object]) -> Call:
    """The part of a call in a delta; its number is not set."""
    custom = isinstance(item.get("custom"), dict)
    details = object_in(item, "custom" if custom else "function")
    text = text_in(details, "input" if custom else "arguments")
    return Call(0, text_in(item, "id") or "", text_in(details, "name") or "", text or "", custom)


def _index_of(calls: Calls, index: object, id_: str) -> int | None:
    """Position of the call that a delta continues, None if it starts a new call."""
    if type(index) is not int:
        return len(calls) - 1 if calls and not id_ else None
    found = [position for position, call in enumerate(calls) if call.number == index]
    return found[-1] if found else None
