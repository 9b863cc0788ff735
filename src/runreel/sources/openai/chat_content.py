"""The text of a message or delta of a chat completion, by part, and its text slots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runreel.codec import plain_json as pj
from runreel.codec.source_protocol import TextSlot

if TYPE_CHECKING:
    from collections.abc import Iterator

# Keys of a message that hold text; each is a part of its own.
KEYS = ("content", "refusal")

_PART_KEYS = ("text", "refusal")
_LENGTH_OR_TEXT = (str, int)


def choice_of(value: dict[str, Any]) -> dict[str, Any]:
    """The first choice of a chunk or completion, empty without one."""
    choices = value.get("choices")
    if type(choices) is list:
        for choice in choices:
            if type(choice) is dict and choice.get("index", 0) in (0, None):
                return choice
    return {}


def message_of(choice: dict[str, Any]) -> dict[str, Any]:
    """The delta of a choice, or else its message."""
    return pj.as_object(choice.get("delta", choice.get("message")))


def usage_of(value: dict[str, Any]) -> Any:
    """The usage object of a chunk or completion, at any of the places servers use; None without."""
    usage = value.get("usage")
    for holder in (value.get("x_groq"), choice_of(value)) if usage is None else ():
        usage = pj.as_object(holder).get("usage")
        if usage is not None:
            break
    return usage


def slots(message: dict[str, Any]) -> list[TextSlot]:
    """The text slots of a message, in order."""
    found = []
    for key in KEYS:
        content = message.get(key)
        if type(content) in _LENGTH_OR_TEXT:
            found.append(TextSlot(message, key))
        elif type(content) is list:
            found += _part_slots(content)
    return found


def text_deltas(delta: dict[str, Any]) -> dict[str, str]:
    """The text deltas of a chunk's delta, by key."""
    return {key: text for key in KEYS if (text := _text(delta.get(key)))}


def parts(message: dict[str, Any]) -> tuple[str, ...]:
    """The texts of a complete message, one per part."""
    found: list[str] = []
    for key in KEYS:
        content = message.get(key)
        if isinstance(content, str):
            found.append(content)
        elif isinstance(content, list):
            found += [slot.container[slot.key] for slot in _part_slots(content)]
    return tuple(text for text in found if isinstance(text, str))


def _text(content: Any) -> str:
    if type(content) is str:
        return content
    if type(content) is not list:
        return ""
    texts = (slot.container[slot.key] for slot in _part_slots(content))
    return "".join(text for text in texts if type(text) is str)


def _part_slots(content: list[Any]) -> Iterator[TextSlot]:
    for part in content:
        if type(part) is dict:
            key = next((key for key in _PART_KEYS if type(part.get(key)) in _LENGTH_OR_TEXT), None)
            if key is not None:
                yield TextSlot(part, key)
