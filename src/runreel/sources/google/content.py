"""Parts of a candidate's content: texts, reasoning, calls of functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from runreel.codec.json_values import object_in, objects_in, text_in
from runreel.model.results import FunctionCall, ToolCall, ToolCallList

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runreel.codec.source_protocol import TextSlot


class Call(NamedTuple):
    """A function call; most servers give it no id."""

    id: str | None
    name: str
    arguments: dict[str, Any]


Calls = tuple[Call, ...]


def candidate_of(value: dict[str, object]) -> dict[str, object]:
    """The first candidate of a response, empty without one."""
    candidates = objects_in(value, "candidates")
    return next((one for one in candidates if one.get("index", 0) in (0, None)), {})


def parts_of(candidate: dict[str, object]) -> list[dict[str, object]]:
    """The parts of a candidate's content."""
    return objects_in(object_in(candidate, "content"), "parts")


def slots(parts: Iterable[dict[str, object]]) -> list[TextSlot]:
    """The text slots of the answer, without its reasoning."""
    return [
        (part, "text")
        for part in parts
        if part.get("thought") is not True and type(part.get("text")) in (str, int)
    ]


def text_of(parts: Iterable[dict[str, object]]) -> str:
    """The text of the answer in parts."""
    return "".join(text for holder, key in slots(parts) if isinstance(text := holder[key], str))


def calls_in(parts: Iterable[dict[str, object]]) -> Calls:
    """The function calls in parts."""
    found = (object_in(part, "functionCall") for part in parts if "functionCall" in part)
    return tuple(
        Call(text_in(call, "id"), text_in(call, "name") or "", object_in(call, "args"))
        for call in found
    )


def call_list(calls: Calls) -> ToolCallList | None:
    """The calls that wait for the program, None without any."""
    if not calls:
        return None
    return ToolCallList(
        tuple(ToolCall(call.id, FunctionCall(call.name, call.arguments)) for call in calls)
    )
