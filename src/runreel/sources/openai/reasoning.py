"""The reasoning that servers of OpenAI's interfaces may return with an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from runreel.codec import plain_json as pj
from runreel.model.events import RUN, STREAM_EVENT

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


def of_message(message: dict[str, Any]) -> str:
    """The reasoning in a message or delta of a chat completion; empty without any."""
    for key in _KEYS:
        if (text := message.get(key)) and isinstance(text, str):
            return text
    return _details(message) or "".join(_thinking(message.get("content")))


def chat(kind: str, value: Any) -> Iterable[Thought]:
    """The reasoning in a chunk, as a delta, or in a completion, complete."""
    for choice in map(pj.as_object, pj.as_list(pj.as_object(value).get("choices"))):
        if choice.get("index") in (0, None):
            message = pj.as_object(choice.get("delta", choice.get("message")))
            if text := of_message(message):
                return (Thought((0, 0, 0), text, whole=kind == RUN or "delta" not in choice),)
            return ()
    return ()


def responses(kind: str, value: Any) -> Iterable[Thought]:
    """The reasoning in a response or one of its events."""
    value = pj.as_object(value)
    if kind == RUN:
        return _output(value)
    type_ = value.get("type")
    if kind != STREAM_EVENT or not isinstance(type_, str):
        return ()
    if type_ in _DELTAS:
        return _part_of(value, *_DELTAS[type_], "delta", whole=False)
    if type_ in _DONE:
        return _part_of(value, *_DONE[type_], "text", whole=True)
    if type_ == "response.output_item.done":
        return _item(_number(value.get("output_index")), value.get("item"))
    return _output(pj.as_object(value.get("response")))


def _part_of(
    value: dict[str, Any], index: str, list_number: int, key: str, *, whole: bool
) -> Iterable[Thought]:
    text = value.get(key)
    if not text or not isinstance(text, str):
        return ()
    part = (_number(value.get("output_index")), list_number, _number(value.get(index)))
    return (Thought(part, text, whole),)


def _output(response: dict[str, Any]) -> Iterator[Thought]:
    for number, item in enumerate(pj.as_list(response.get("output"))):
        yield from _item(number, item)


def _item(number: int, item: Any) -> Iterator[Thought]:
    item = pj.as_object(item)
    if item.get("type") != "reasoning":
        return
    for list_number, key in enumerate(_LISTS):
        for number_in_list, part in enumerate(map(pj.as_object, pj.as_list(item.get(key)))):
            if (text := part.get("text")) and isinstance(text, str):
                yield Thought((number, list_number, number_in_list), text, whole=True)


def _details(message: dict[str, Any]) -> str:
    """The texts of ``reasoning_details``; encrypted details have no text."""
    details = map(pj.as_object, pj.as_list(message.get("reasoning_details")))
    texts = (detail.get("text") or detail.get("summary") for detail in details)
    return "".join(text for text in texts if isinstance(text, str))


def _thinking(content: Any) -> Iterator[str]:
    """The texts of the ``thinking`` parts of a list of content parts."""
    for part in map(pj.as_object, pj.as_list(content)):
        thinking = part.get("thinking")
        if isinstance(thinking, str):
            yield thinking
        for item in map(pj.as_object, pj.as_list(thinking)):
            if isinstance(text := item.get("text"), str):
                yield text


def _number(value: Any) -> int:
    return value if type(value) is int else 0
