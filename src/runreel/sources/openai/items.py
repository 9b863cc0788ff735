"""Output items of a response: collected from its stream, and the pending calls in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.codec.json_values import as_list, as_text, object_in, text_in
from runreel.model.results import FunctionCall, ToolCall, ToolCallList
from runreel.sources.openai import values as oj

if TYPE_CHECKING:
    from runreel.sources.openai.text_parts import TextParts

# Items by output index. Treated as immutable: never change one in place.
Items = dict[int, dict[str, object]]

MESSAGE = "message"
_SHOWN = frozenset(("response.output_item.added", "response.output_item.done"))
# Event type -> item type, the item's key for arguments, the event's key for a delta or all of them.
_ARGUMENTS = {
    "response.function_call_arguments.delta": ("function_call", "arguments", "delta"),
    "response.custom_tool_call_input.delta": ("custom_tool_call", "input", "delta"),
    "response.function_call_arguments.done": ("function_call", "arguments", "arguments"),
    "response.custom_tool_call_input.done": ("custom_tool_call", "input", "input"),
}
# Item types of calls that the program executes -> tool name, key of the arguments.
_CLIENT_CALLS = {
    "apply_patch_call": ("apply_patch", "operation"),
    "computer_call": ("computer", "action"),
    "local_shell_call": ("local_shell", "action"),
    "shell_call": ("shell", "action"),
    "tool_search_call": ("tool_search", "arguments"),
}
_RELEVANT = frozenset(
    (MESSAGE, "function_call", "custom_tool_call", "mcp_approval_request", *_CLIENT_CALLS)
)


def shows_items(type_: str) -> bool:
    """Whether events of this type carry an output item or arguments of a call."""
    return type_ in _SHOWN or type_ in _ARGUMENTS


def apply_event(items: Items, event: dict[str, object]) -> Items:
    """Apply such an event to the items."""
    type_, given = event.get("type"), event.get("output_index")
    index = given if type(given) is int else len(items)
    if type_ in _SHOWN:
        item = object_in(event, "item")
        is_relevant = text_in(item, "type") in _RELEVANT
        return {**items, index: item} if is_relevant else items
    details = _ARGUMENTS.get(str(type_))
    text = details and as_text(event.get(details[2]))
    if not details or text is None:
        return items
    kind, key, source_key = details
    item = items.get(index) or {"type": kind, "name": event.get("name")}
    so_far = text_in(item, key) or "" if source_key == "delta" else ""
    return {**items, index: {**item, key: so_far + text}}


def output(items: Items, parts: TextParts, text: str) -> list[dict[str, object]]:
    """Rebuild the output of a response whose last event omits it, from the stream."""
    streamed = parts.by_part(text)
    found = dict(items)
    for index in {output_index for output_index, _ in streamed}:
        item = found.setdefault(index, {"type": MESSAGE})
        if item.get("type") == MESSAGE and not as_list(item.get("content")):
            texts = [streamed[part] for part in sorted(streamed) if part[0] == index]
            content = [{"type": "output_text", "text": text} for text in texts]
            found[index] = {**item, "content": content}
    return [found[index] for index in sorted(found)]


def calls(items: list[dict[str, object]]) -> ToolCallList | None:
    """The calls and approval requests that wait for the program, in order; None without any."""
    answered = {
        as_text(item.get("call_id"))
        for item in items
        if (text_in(item, "type") or "").endswith("_output")
    }
    found = [
        call
        for item in items
        if (id_ := as_text(item.get("call_id"))) is None or id_ not in answered
        if (call := _call(item)) is not None
    ]
    return ToolCallList(tuple(found)) if found else None


def _call(item: dict[str, object]) -> ToolCall | None:
    type_, id_ = text_in(item, "type"), item.get("call_id")
    if type_ == "function_call":
        return oj.call(id_, item.get("name"), item.get("arguments"))
    if type_ == "custom_tool_call":
        return oj.custom_call(id_, item.get("name"), item.get("input"))
    if type_ == "mcp_approval_request":
        return oj.call(item.get("id"), item.get("name"), item.get("arguments"))
    if type_ not in _CLIENT_CALLS or _is_hosted(item):
        return None
    name, key = _CLIENT_CALLS[type_]
    details = item.get(key)
    if details is None and "actions" in item:
        details = {"actions": item["actions"]}
    arguments = details if isinstance(details, dict) else {} if details is None else {key: details}
    return ToolCall(text_in(item, "call_id") or text_in(item, "id"), FunctionCall(name, arguments))


def _is_hosted(item: dict[str, object]) -> bool:
    """Whether the server executes the call itself."""
    if item.get("type") == "tool_search_call":
        return item.get("execution") != "client"
    environment = text_in(object_in(item, "environment"), "type") or ""
    return environment.startswith("container")
