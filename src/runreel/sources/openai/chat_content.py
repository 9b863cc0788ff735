"""What a message or delta of a chat completion says: its text by parts, where its text is found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runreel.codec import plain_json as pj
from runreel.codec.source_protocol import TextSlot

if TYPE_CHECKING:
    from collections.abc import Iterator

# A message says its text under these keys, each a part of its own.
KEYS = ("content", "refusal")

_PART_KEYS = ("text", "refusal")
_LENGTH_OR_TEXT = (str, int)


def choice_of(value: dict[str, Any]) -> dict[str, Any]:
    """The first choice of a chunk or completion, empty where there is none."""
    choices = value.get("choices")
    if type(choices) is list:
        for choice in choices:
            if type(choice) is dict and choice.get("index", 0) in (0, None):
                return choice
    return {}


def message_of(choice: dict[str, Any]) -> dict[str, Any]:
    """What a choice says: its delta, or else its message."""
    return pj.as_object(choice.get("delta", choice.get("message")))


def usage_of(value: dict[str, Any]) -> Any:
    """The usage object of a chunk or completion, where some servers put it; None if it has none."""
    usage = value.get("usage")
    for holder in (value.get("x_groq"), choice_of(value)) if usage is None else ():
        usage = pj.as_object(holder).get("usage")
        if usage is not None:
            break
    return usage


def slots(message: dict[str, Any]) -> list[TextSlot]:
    """The places of a message's text, in order."""
    found = []
    for key in KEYS:
        said = message.get(key)
        if type(said) in _LENGTH_OR_TEXT:
            found.append(TextSlot(message, key))
        elif type(said) is list:
            found += _part_slots(said)
    return found


def pieces(delta: dict[str, Any]) -> dict[str, str]:
    """What a delta adds to the text, by key."""
    return {key: text for key in KEYS if (text := _text(delta.get(key)))}


def parts(message: dict[str, Any]) -> tuple[str, ...]:
    """The texts of a whole message, part by part."""
    found: list[str] = []
    for key in KEYS:
        said = message.get(key)
        if isinstance(said, str):
            found.append(said)
        elif isinstance(said, list):
            found += [slot.container[slot.key] for slot in _part_slots(said)]
    return tuple(text for text in found if isinstance(text, str))


def _text(said: Any) -> str:
    if type(said) is str:
        return said
    if type(said) is not list:
        return ""
    texts = (slot.container[slot.key] for slot in _part_slots(said))
    return "".join(text for text in texts if type(text) is str)


def _part_slots(content: list[Any]) -> Iterator[TextSlot]:
    for part in content:
        if type(part) is dict:
            key = next((key for key in _PART_KEYS if type(part.get(key)) in _LENGTH_OR_TEXT), None)
            if key is not None:
                yield TextSlot(part, key)
