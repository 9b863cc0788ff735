"""The items (messages) of requests: tool calls of the model, their results, and answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runreel.codec import json_text
from runreel.codec.json_values import as_list, as_object, as_text
from runreel.model.errors import BadValue

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from runreel.sources.requests import Request

_OUTPUT = "_output"
_APPROVAL = "mcp_approval_response"
_ASKING_ROLES = ("user", "system", "developer", "tool", "function")
# Proto JSON takes both spellings.
_RESPONSES = ("functionResponse", "function_response", "functionResult", "function_result")
_CALLS = ("function_call", "custom_tool_call")
# Keys that hold the content of a message, by interface.
_CONTENTS = ("content", "parts", "text")


class ToolOutput(NamedTuple):
    """The result of a tool call in a request, with the item that holds it.

    ``call_id`` is empty if the source gives calls no ids.
    """

    call_id: str
    item: object


def tool_outputs(request: Request) -> list[ToolOutput]:
    """Return the tool results after the last message of the user, in order."""
    found: list[ToolOutput] = []
    for item in request.items:
        in_item = list(outputs(as_object(item)))
        if in_item:
            found += in_item
        elif as_object(item).get("role") in ("user", "model"):
            # The results before an answer of the Gemini API are of earlier calls, and have no ids.
            found.clear()
    return found


def is_turn_of_user(request: Request) -> bool:
    """Return whether a request has a message of the user, and no tool results."""
    items = [as_object(item) for item in request.items]
    return any(item.get("role") == "user" for item in items) and not any(
        True for item in items for _ in outputs(item)
    )


def outputs(item: Mapping[str, object]) -> Iterator[ToolOutput]:
    """Yield the tool results in an item."""
    type_, role = as_text(item.get("type")) or "", item.get("role")
    id_: object = None
    if type_.endswith(_OUTPUT):
        id_ = item.get("call_id")
    elif type_ == _APPROVAL:
        id_ = item.get("approval_request_id")
    elif role == "tool":
        id_ = item.get("tool_call_id")
    else:
        yield from _in_parts(item)
    if isinstance(id_, str) and id_:
        yield ToolOutput(id_, item)


def _in_parts(item: Mapping[str, object]) -> Iterator[ToolOutput]:
    """Yield the tool results in the parts of a message, which are those of the user."""
    blocks = as_list(item.get("content")) if item.get("role") == "user" else []
    for block in map(as_object, blocks):
        id_ = block.get("tool_use_id")
        if block.get("type") == "tool_result" and isinstance(id_, str):
            yield ToolOutput(id_, block)
    listed = as_object(item.get("toolResultList")).get("toolResults")
    for part in map(as_object, as_list(item.get("parts", listed))):
        if response := function_response(part):
            yield ToolOutput(as_text(response.get("id")) or "", part)


def function_response(part: Mapping[str, object]) -> dict[str, object]:
    """Return the result of a function in a part that names no call; empty without one."""
    return next((found for key in _RESPONSES if (found := as_object(part.get(key)))), {})


def repeated_calls(request: Request) -> dict[str, tuple[str, object]]:
    """Return the tool calls of the model that a request repeats: name and arguments by id."""
    found: dict[str, tuple[str, object]] = {}
    for item in map(as_object, request.items):
        for call in _calls(item):
            id_ = call.get("call_id", call.get("id"))
            function = as_object(call.get("function") or call.get("custom")) or call
            arguments = next(
                (function[key] for key in ("arguments", "input") if key in function), None
            )
            if isinstance(id_, str):
                found[id_] = (as_text(function.get("name")) or "", _parsed(arguments))
    return found


def _calls(item: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    if item.get("type") in _CALLS:
        yield item
    elif item.get("role") == "assistant":
        yield from map(as_object, as_list(item.get("tool_calls")))
        blocks = map(as_object, as_list(item.get("content")))
        yield from (block for block in blocks if block.get("type") == "tool_use")


def _parsed(arguments: object) -> object:
    if not isinstance(arguments, str):
        return arguments
    try:
        return json_text.loads(arguments)
    except BadValue:
        return arguments


def answer_after(request: Request, number: int) -> str | None:
    """Return the text of the model's answer that follows the first ``number`` items.

    It is empty for an answer without text, None if no answer follows.
    """
    items = [as_object(item) for item in request.items[number:]]
    answers = [item for item in items if item and not _is_asked(item)]
    if not answers:
        return None
    contents = (next((item[key] for key in _CONTENTS if key in item), None) for item in answers)
    return "".join(text for content in contents for text in _texts(content))


def _is_asked(item: Mapping[str, object]) -> bool:
    type_ = as_text(item.get("type")) or ""
    return item.get("role") in _ASKING_ROLES or type_.endswith(_OUTPUT) or type_ == _APPROVAL


def _texts(content: object) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    for part in as_list(content):
        text = as_object(part).get("text")
        if isinstance(text, str):
            yield text
