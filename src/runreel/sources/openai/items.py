"""Output items of a response: those that its stream showed, and the calls that wait in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runreel.codec import plain_json as pj
from runreel.model.results import FunctionCall, ToolCall, ToolCallList
from runreel.sources.openai import text_parts as texts
from runreel.sources.openai import values as oj

if TYPE_CHECKING:
    from runreel.sources.openai.text_parts import Spans

# By output index; never changed in place.
Items = dict[int, dict[str, Any]]

MESSAGE = "message"
_SHOWN = frozenset(("response.output_item.added", "response.output_item.done"))
# What a call is given, as it grows and as a whole: event, the item's type, its key, the event's.
_GIVEN = {
    "response.function_call_arguments.delta": ("function_call", "arguments", "delta"),
    "response.custom_tool_call_input.delta": ("custom_tool_call", "input", "delta"),
    "response.function_call_arguments.done": ("function_call", "arguments", "arguments"),
    "response.custom_tool_call_input.done": ("custom_tool_call", "input", "input"),
}
# Calls that the program carries out, by the tool's name, and the key of what they are given.
_CLIENT_CALLS = {
    "apply_patch_call": ("apply_patch", "operation"),
    "computer_call": ("computer", "action"),
    "local_shell_call": ("local_shell", "action"),
    "shell_call": ("shell", "action"),
    "tool_search_call": ("tool_search", "arguments"),
}
_KEPT = frozenset(
    (MESSAGE, "function_call", "custom_tool_call", "mcp_approval_request", *_CLIENT_CALLS)
)


def shows_items(type_: str) -> bool:
    """Whether events of this type show an output item, or what a call is given."""
    return type_ in _SHOWN or type_ in _GIVEN


def after(items: Items, event: dict[str, Any]) -> Items:
    """The items after such an event."""
    type_, index = event.get("type"), event.get("output_index")
    index = index if type(index) is int else len(items)
    if type_ in _SHOWN:
        item = pj.as_object(event.get("item"))
        kept = pj.as_text(item.get("type")) in _KEPT
        return {**items, index: item} if kept else items
    given = _GIVEN.get(str(type_))
    more = given and pj.as_text(event.get(given[2]))
    if not given or more is None:
        return items
    kind, key, told = given
    item = items.get(index) or {"type": kind, "name": event.get("name")}
    so_far = pj.as_text(item.get(key)) or "" if told == "delta" else ""
    return {**items, index: {**item, key: so_far + more}}


def output(items: Items, spans: Spans, text: str) -> list[dict[str, Any]]:
    """The output that a response's last event left out, from what its stream showed."""
    streamed = texts.texts_by_part(spans, text)
    found = dict(items)
    for index in {output_index for output_index, _ in streamed}:
        item = found.setdefault(index, {"type": MESSAGE})
        if item.get("type") == MESSAGE and not pj.as_list(item.get("content")):
            parts = [streamed[part] for part in sorted(streamed) if part[0] == index]
            content = [{"type": "output_text", "text": part} for part in parts]
            found[index] = {**item, "content": content}
    return [found[index] for index in sorted(found)]


def calls(items: list[dict[str, Any]]) -> ToolCallList | None:
    """The calls and questions that wait for the program, in order; None where there are none."""
    answered = {
        item.get("call_id")
        for item in items
        if (pj.as_text(item.get("type")) or "").endswith("_output")
    }
    found = [
        call
        for item in items
        if item.get("call_id") is None or item["call_id"] not in answered
        if (call := _call(item)) is not None
    ]
    return ToolCallList(tuple(found)) if found else None


def _call(item: dict[str, Any]) -> ToolCall | None:
    type_, id_ = pj.as_text(item.get("type")), item.get("call_id")
    if type_ == "function_call":
        return oj.call(id_, item.get("name"), item.get("arguments"))
    if type_ == "custom_tool_call":
        return oj.custom_call(id_, item.get("name"), item.get("input"))
    if type_ == "mcp_approval_request":
        return oj.call(item.get("id"), item.get("name"), item.get("arguments"))
    if type_ not in _CLIENT_CALLS or _is_hosted(item):
        return None
    name, key = _CLIENT_CALLS[type_]
    given = item.get(key)
    if given is None and "actions" in item:
        given = {"actions": item["actions"]}
    arguments = given if isinstance(given, dict) else {} if given is None else {key: given}
    return ToolCall(
        pj.as_text(id_) or pj.as_text(item.get("id")) or None, FunctionCall(name, arguments)
    )


def _is_hosted(item: dict[str, Any]) -> bool:
    """Whether the server carries out the call itself."""
    if item.get("type") == "tool_search_call":
        return item.get("execution") != "client"
    place = pj.as_text(pj.as_object(item.get("environment")).get("type")) or ""
    return place.startswith("container")
