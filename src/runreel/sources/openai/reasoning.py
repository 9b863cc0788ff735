"""The reasoning that OpenAI's interfaces return beside an answer, where a server returns any."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from runreel.codec import plain_json as pj
from runreel.model.events import RUN, STREAM_EVENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# The keys of a message or delta, by the servers that use them: one of them repeats another.
_KEYS = ("reasoning_content", "reasoning", "thinking")
_DELTAS = {
    "response.reasoning_text.delta": ("content_index", 0),
    "response.reasoning_summary_text.delta": ("summary_index", 1),
}
_WHOLE = {
    "response.reasoning_text.done": ("content_index", 0),
    "response.reasoning_summary_text.done": ("summary_index", 1),
}
_LISTS = ("content", "summary")


class Thought(NamedTuple):
    """A piece of reasoning.

    ``part`` orders the parts of one answer's reasoning. ``text`` is appended to its part, or, if
    ``whole``, replaces it.
    """

    part: tuple[int, int, int]
    text: str
    whole: bool = False


def of_message(message: dict[str, Any]) -> str:
    """The reasoning in a message or delta of a chat completion; empty where it has none."""
    for key in _KEYS:
        if (text := message.get(key)) and isinstance(text, str):
            return text
    return _details(message) or "".join(_thinking(message.get("content")))


def chat(kind: str, value: Any) -> Iterable[Thought]:
    """The reasoning in a chunk, which adds to what came before, or in a completion."""
    for choice in map(pj.as_object, pj.as_list(pj.as_object(value).get("choices"))):
        if choice.get("index") in (0, None):
            message = pj.as_object(choice.get("delta", choice.get("message")))
            if text := of_message(message):
                return (Thought((0, 0, 0), text, whole=kind == RUN or "delta" not in choice),)
            return ()
    return ()


def responses(kind: str, value: Any) -> Iterable[Thought]:
    """The reasoning in an event of a response, or in a response."""
    value = pj.as_object(value)
    if kind == RUN:
        return _output(value)
    type_ = value.get("type")
    if kind != STREAM_EVENT or not isinstance(type_, str):
        return ()
    if type_ in _DELTAS:
        return _piece(value, *_DELTAS[type_], "delta", whole=False)
    if type_ in _WHOLE:
        return _piece(value, *_WHOLE[type_], "text", whole=True)
    if type_ == "response.output_item.done":
        return _item(_number(value.get("output_index")), value.get("item"))
    return _output(pj.as_object(value.get("response")))


def _piece(
    value: dict[str, Any], index: str, list_: int, key: str, *, whole: bool
) -> Iterable[Thought]:
    text = value.get(key)
    if not text or not isinstance(text, str):
        return ()
    part = (_number(value.get("output_index")), list_, _number(value.get(index)))
    return (Thought(part, text, whole),)


def _output(response: dict[str, Any]) -> Iterator[Thought]:
    for number, item in enumerate(pj.as_list(response.get("output"))):
        yield from _item(number, item)


def _item(number: int, item: Any) -> Iterator[Thought]:
    item = pj.as_object(item)
    if item.get("type") != "reasoning":
        return
    for list_, key in enumerate(_LISTS):
        for place, part in enumerate(map(pj.as_object, pj.as_list(item.get(key)))):
            if (text := part.get("text")) and isinstance(text, str):
                yield Thought((number, list_, place), text, whole=True)


def _details(message: dict[str, Any]) -> str:
    """The texts of ``reasoning_details``; what is encrypted has none."""
    details = map(pj.as_object, pj.as_list(message.get("reasoning_details")))
    told = (detail.get("text") or detail.get("summary") for detail in details)
    return "".join(text for text in told if isinstance(text, str))


def _thinking(content: Any) -> Iterator[str]:
    """The texts of the ``thinking`` parts of a content that is a list."""
    for part in map(pj.as_object, pj.as_list(content)):
        thinking = part.get("thinking")
        if isinstance(thinking, str):
            yield thinking
        for piece in map(pj.as_object, pj.as_list(thinking)):
            if isinstance(text := piece.get("text"), str):
                yield text


def _number(value: Any) -> int:
    return value if type(value) is int else 0
