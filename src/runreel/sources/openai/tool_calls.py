"""Tool calls of chat completions, assembled from deltas."""

from __future__ import annotations

from typing import Any, NamedTuple

from runreel.codec import plain_json as pj
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


def with_delta(calls: Calls, message: dict[str, Any]) -> Calls:
    """The calls after the delta, or complete message, ``message``."""
    items = [pj.as_object(item) for item in pj.as_list(message.get("tool_calls"))]
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


def _merge(calls: Calls, item: dict[str, Any]) -> Calls:
    custom = isinstance(item.get("custom"), dict)
    details = pj.as_object(item.get("custom" if custom else "function"))
    id_, name = pj.as_text(item.get("id")) or "", pj.as_text(details.get("name")) or ""
    text = pj.as_text(details.get("input" if custom else "arguments")) or ""
    position = _index_of(calls, item.get("index"), id_)
    if position is None or (name and id_ not in ("", calls[position].id)):
        # Some servers send no index, or the same index for all calls.
        index = item.get("index")
        number = index if type(index) is int else len(calls)
        return (*calls, Call(number, id_, name, text, custom))
    known = calls[position]
    merged = known._replace(
        id=known.id or id_,
        name=known.name or name,
        text=known.text + text,
        custom=known.custom or custom,
    )
    return (*calls[:position], merged, *calls[position + 1 :])


def _index_of(calls: Calls, index: Any, id_: str) -> int | None:
    """Position of the call that a delta continues, None if it starts a new call."""
    if type(index) is not int:
        return len(calls) - 1 if calls and not id_ else None
    found = [position for position, call in enumerate(calls) if call.number == index]
    return found[-1] if found else None
