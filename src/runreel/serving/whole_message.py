"""The message of the Messages API that the events of a stream add up to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.codec import json_text
from runreel.codec.json_values import as_list, as_object, as_text, number_in, object_in
from runreel.model.errors import BadValue

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runreel.sources.requests import Body

# What a delta continues, by its type: the key of its text is that of the block's.
_CONTINUED = {"text_delta": "text", "thinking_delta": "thinking"}


def whole_message(values: Iterable[object]) -> Body | None:
    """Return the message of a stream; None if its end is missing or it has failed."""
    message = _Message()
    for event in map(as_object, values):
        if event.get("type") == "error":
            return None
        if event.get("type") == "message_stop":
            return message.whole()
        message.add(event)
    return None


class _Message:
    """A message, its content blocks by their numbers, and the inputs of tools as their text."""

    def __init__(self) -> None:
        self._message: Body = {}
        self._blocks: dict[int, Body] = {}
        self._inputs: dict[int, str] = {}

    def add(self, event: Body) -> None:
        """Add the next event."""
        type_, index = event.get("type"), number_in(event, "index")
        if type_ == "message_start":
            self._message = {**object_in(event, "message")}
        elif type_ == "content_block_start":
            self._blocks[index] = {**object_in(event, "content_block")}
        elif type_ == "content_block_delta":
            self._add_delta(index, object_in(event, "delta"))
        elif type_ == "message_delta":
            used = {key: n for key, n in object_in(event, "usage").items() if n is not None}
            used = {**object_in(self._message, "usage"), **used}
            self._message = {**self._message, **object_in(event, "delta"), "usage": used}

    def whole(self) -> Body:
        """Return the message."""
        blocks = sorted(self._blocks.items())
        content = [_with_input(block, self._inputs.get(index)) for index, block in blocks]
        return {**self._message, "content": content}

    def _add_delta(self, index: int, delta: Body) -> None:
        """Add to a content block; the client ignores types of deltas that it does not know."""
        block = self._blocks.setdefault(index, {})
        type_ = as_text(delta.get("type")) or ""
        if type_ == "input_json_delta":
            text = as_text(delta.get("partial_json")) or ""
            self._inputs[index] = self._inputs.get(index, "") + text
        elif type_ in _CONTINUED:
            key = _CONTINUED[type_]
            block[key] = (as_text(block.get(key)) or "") + (as_text(delta.get(key)) or "")
        elif type_ == "citations_delta":
            block["citations"] = [*as_list(block.get("citations")), delta.get("citation")]
        elif type_ == "signature_delta":
            block["signature"] = delta.get("signature")


def _with_input(block: Body, text: str | None) -> Body:
    if not text:
        return block
    try:
        return {**block, "input": json_text.loads(text)}
    except BadValue:
        return block
