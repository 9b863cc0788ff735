"""The text of a message or delta of a chat completion, by part, and its text slots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.codec.json_values import as_object, object_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from runreel.codec.source_protocol import TextSlot

# Keys of a message that hold text; each is a part of its own.
KEYS = ("content", "refusal")

# Keys of the delta, and of its choice, in a chunk that adds text and no more.
_ALONE = frozenset(("content", "role"))
_PLAIN = frozenset(("index", "delta", "logprobs", "finish_reason"))
_PART_KEYS = ("text", "refusal")
_LENGTH_OR_TEXT = (str, int)


def choice_of(value: dict[str, object]) -> dict[str, object]:
    """The first choice of a chunk or completion, empty without one."""
    choices = value.get("choices")
    if type(choices) is list:
        for choice in choices:
            if type(choice) is dict and choice.get("index", 0) in (0, None):
                return choice
    return {}


def message_of(choice: dict[str, object]) -> dict[str, object]:
    """The delta of a choice, or else its message."""
    return as_object(choice.get("delta", choice.get("message")))


def text_alone(value: object) -> str | None:
    """The text of a chunk that holds one text delta and no more; None for any other value.

    This is the shape of most chunks, whose other parts then need no look.
    """
    if type(value) is not dict or value.get("error"):
        return None
    if value.get("usage") is not None or "x_groq" in value:
        return None
    choices = value.get("choices")
    if type(choices) is not list or len(choices) != 1:
        return None
    choice = choices[0]
    if type(choice) is not dict or not choice.keys() <= _PLAIN:
        return None
    if choice.get("index", 0) != 0 or choice.get("finish_reason"):
        return None
    return _content_alone(choice.get("delta"))


def _content_alone(delta: object) -> str | None:
    if type(delta) is not dict or not delta.keys() <= _ALONE:
        return None
    text = delta.get("content")
    return text if type(text) is str else None


def usage_of(value: dict[str, object], choice: dict[str, object]) -> object:
    """The usage object of a chunk or completion, at any of the places servers use; None without."""
    usage = value.get("usage")
    if usage is None and "x_groq" in value:
        usage = object_in(value, "x_groq").get("usage")
    return choice.get("usage") if usage is None else usage


def slots(message: dict[str, object]) -> list[TextSlot]:
    """The text slots of a message, in order."""
    found: list[TextSlot] = []
    for key in KEYS:
        content = message.get(key)
        if type(content) in _LENGTH_OR_TEXT:
            found.append((message, key))
        elif type(content) is list:
            found += _part_slots(content)
    return found


def text_deltas(delta: dict[str, object]) -> dict[str, str]:
    """The text deltas of a chunk's delta, by key."""
    return {key: text for key in KEYS if (text := "".join(_texts(delta.get(key))))}


def parts(message: dict[str, object]) -> tuple[str, ...]:
    """The texts of a complete message, one per part."""
    return tuple(text for key in KEYS for text in _texts(message.get(key)))


def _texts(content: object) -> Iterable[str]:
    """The texts in a string, or in a list of content parts."""
    if type(content) is str:
        return (content,)
    if type(content) is not list:
        return ()
    texts = (part[key] for part, key in _part_slots(content))
    return (text for text in texts if type(text) is str)


def _part_slots(content: list[object]) -> Iterator[tuple[dict[str, object], str]]:
    for part in content:
        if type(part) is dict:
            key = next((key for key in _PART_KEYS if type(part.get(key)) in _LENGTH_OR_TEXT), None)
            if key is not None:
                yield part, key
