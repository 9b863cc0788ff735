"""Calls of tools in chat completions, put together from their pieces."""

from __future__ import annotations

from typing import Any, NamedTuple

from runreel.codec import plain_json as pj
from runreel.model.results import ToolCallList
from runreel.sources.openai import values as oj


class Call(NamedTuple):
    """A call as far as it has been told; ``number`` is the wire's."""

    number: int
    id: str
    name: str
    text: str
    custom: bool


Calls = tuple[Call, ...]


def with_delta(calls: Calls, said: dict[str, Any]) -> Calls:
    """The calls after a delta, or a whole message, has told of them."""
    items = [pj.as_object(item) for item in pj.as_list(said.get("tool_calls"))]
    if isinstance(said.get("function_call"), dict):
        items.append({"index": 0, "function": said["function_call"]})
    for item in items:
        calls = _with(calls, item)
    return calls


def tool_call_list(calls: Calls) -> ToolCallList | None:
    """The calls as the model meant them."""
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


def _with(calls: Calls, item: dict[str, Any]) -> Calls:
    custom = isinstance(item.get("custom"), dict)
    what = pj.as_object(item.get("custom" if custom else "function"))
    id_, name = pj.as_text(item.get("id")) or "", pj.as_text(what.get("name")) or ""
    text = pj.as_text(what.get("input" if custom else "arguments")) or ""
    place = _place(calls, item.get("index"), id_)
    if place is None or (name and id_ not in ("", calls[place].id)):
        # Some servers number calls not at all, or all of them alike.
        index = item.get("index")
        number = index if type(index) is int else len(calls)
        return (*calls, Call(number, id_, name, text, custom))
    known = calls[place]
    grown = known._replace(
        id=known.id or id_,
        name=known.name or name,
        text=known.text + text,
        custom=known.custom or custom,
    )
    return (*calls[:place], grown, *calls[place + 1 :])


def _place(calls: Calls, index: Any, id_: str) -> int | None:
    """Where the call stands that a piece is of; None where it begins a new one."""
    if type(index) is not int:
        return len(calls) - 1 if calls and not id_ else None
    found = [place for place, call in enumerate(calls) if call.number == index]
    return found[-1] if found else None
