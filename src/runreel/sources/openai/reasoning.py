"""The reasoning that servers of OpenAI's interfaces may return with an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runreel.codec.json_values import (
    as_list,
    as_object,
    number_in,
    object_in,
    objects_in,
    text_in,
)
from runreel.model.events import RUN, STREAM_EVENT
from runreel.sources.openai import chat_content

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Keys of reasoning in a message or delta. If several are present, they repeat each other.
_KEYS = ("reasoning_content", "reasoning", "thinking")
_DELTAS = {
    "response.reasoning_text.delta": ("content_index", 0),
    "response.reasoning_summary_text.delta": ("summary_index", 1),
}
_DONE = {
    "response.reasoning_text.done": ("content_index", 0),
    "response.reasoning_summary_text.done": ("summary_index", 1),
}
_LISTS = ("content", "summary")


class Thought(NamedTuple):
    """Reasoning text of one event.

    ``part`` orders the parts of one answer's reasoning. ``text`` is appended to its part, or
    replaces it if ``whole``.
    """

    part: tuple[int, int, int]
    text: str
    whole: bool = False


def of_message(message: dict[str, object]) -> str:
    """The reasoning in a message or delta of a chat completion; empty without any."""
    for key in _KEYS:
        if text := text_in(message, key):
            return text
    return _details(message) or "".join(_thinking(message.get("content")))


def chat(kind: str, value: object) -> Iterable[Thought]:
    """The reasoning in a chunk, as a delta, or in a completion, complete."""
    choice = chat_content.choice_of(as_object(value))
    if text := of_message(chat_content.message_of(choice)):
        return (Thought((0, 0, 0), text, whole=kind == RUN or "delta" not in choice),)
    return ()


def responses(kind: str, value: object) -> Iterable[Thought]:
    """The reasoning in a response or one of its events."""
    value = as_object(value)
    if kind == RUN:
        return _output(value)
    type_ = value.get("type")
    if kind != STREAM_EVENT or not isinstance(type_, str) or _is_delta_of_text(type_):
        return ()
    if type_ in _DELTAS:
        return _part_of(value, *_DELTAS[type_], "delta", whole=False)
    if type_ in _DONE:
        return _part_of(value, *_DONE[type_], "text", whole=True)
    if type_ == "response.output_item.done":
        return _item(number_in(value, "output_index"), object_in(value, "item"))
    return _output(object_in(value, "response"))


def _is_delta_of_text(type_: str) -> bool:
    return type_.endswith(".delta") and type_ not in _DELTAS


def _part_of(
    value: dict[str, object], index: str, list_number: int, key: str, *, whole: bool
) -> Iterable[Thought]:
    text = text_in(value, key)
    if text is None:
        return ()
    part = (number_in(value, "output_index"), list_number, number_in(value, index))
    return (Thought(part, text, whole),)


def _output(response: dict[str, object]) -> Iterator[Thought]:
    for number, item in enumerate(objects_in(response, "output")):
        yield from _item(number, item)


def _item(number: int, item: dict[str, object]) -> Iterator[Thought]:
    if item.get("type") != "reasoning":
        return
    for list_number, key in enumerate(_LISTS):
        for number_in_list, part in enumerate(objects_in(item, key)):
            if text := text_in(part, "text"):
                yield Thought((number, list_number, number_in_list), text, whole=True)


def _details(message: dict[str, object]) -> str:
    """The texts of ``reasoning_details``; encrypted details have no text."""
    details = objects_in(message, "reasoning_details")
    texts = (detail.get("text") or detail.get("summary") for detail in details)
    return "".join(text for text in texts if isinstance(text, str))


def _thinking(content: object) -> Iterator[str]:
    """The texts of the ``thinking`` parts of a list of content parts."""
    for part in map(as_object, as_list(content)):
        if text := text_in(part, "thinking"):
            yield text
        for item in objects_in(part, "thinking"):
            yield text_in(item, "text") or ""
