"""Calls of tools that the server of the Responses API executes itself, with their results."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runreel.codec.json_values import as_object, object_in, objects_in, text_in
from runreel.model.events import RUN, STREAM_EVENT
from runreel.sources.openai import values as oj

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.model.results import ToolCall

_ADDED, _DONE = "response.output_item.added", "response.output_item.done"
# Item type -> keys of the arguments, and the key of the result.
_HOSTED: dict[str, tuple[tuple[str, ...], str]] = {
    "code_interpreter_call": (("code",), "outputs"),
    "file_search_call": (("queries",), "results"),
    "image_generation_call": ((), ""),
    "mcp_call": ((), "output"),
    "web_search_call": (("action",), ""),
}


class HostedCall(NamedTuple):
    """A call as far as it is known; ``result`` counts if it is ``finished``."""

    call: ToolCall
    finished: bool
    result: object


def hosted_calls(kind: str, value: object) -> Iterator[HostedCall]:
    """Yield the calls in an event, or in a complete response."""
    content = as_object(value)
    if kind == RUN:
        items = objects_in(content, "output")
    elif kind == STREAM_EVENT and content.get("type") in (_ADDED, _DONE):
        items = [object_in(content, "item")]
    else:
        return
    for item in items:
        type_ = text_in(item, "type") or ""
        if type_ in _HOSTED:
            yield _call(item, type_, finished=content.get("type") != _ADDED)


def _call(item: dict[str, object], type_: str, *, finished: bool) -> HostedCall:
    keys, result_key = _HOSTED[type_]
    arguments: object = {key: item[key] for key in keys if key in item}
    name = type_.removesuffix("_call")
    if type_ == "mcp_call":
        name, arguments = text_in(item, "name") or name, item.get("arguments")
    elif type_ == "web_search_call":
        arguments = object_in(item, "action")
    result = item.get(result_key) or item.get("error") or item.get("status")
    return HostedCall(oj.call(item.get("id"), name, arguments), finished, result)
