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
    message: Body = {}
    blocks: dict[int, Body] = {}
    inputs: dict[int, str] = {}
    for event in map(as_object, values):
        type_ = event.get("type")
        if type_ == "message_start":
            message = {**object_in(event, "message")}
        elif type_ == "content_block_start":
            blocks[number_in(event, "index")] = {**object_in(event, "content_block")}
        elif type_ == "content_block_delta":
            index = number_in(event, "index")
            delta = object_in(event, "delta")
            if delta.get("type") == "input_json_delta":
                inputs[index] = inputs.get(index, "") + (as_text(delta.get("partial_json")) or "")
            else:
                _add(blocks.setdefault(index, {}), delta)
        elif type_ == "message_delta":
            message |= object_in(event, "delta")
            used = {key: n for key, n in object_in(event, "usage").items() if n is not None}
            message["usage"] = {**object_in(message, "usage"), **used}
        elif type_ == "error":
            return None
        elif type_ == "message_stop":
            content = [_with_input(blocks[n], inputs.get(n)) for n in sorted(blocks)]
            return {**message, "content": content}
    return None


def _add(block: Body, delta: Body) -> None:
    """Add a delta to a content block; the client ignores types that it does not know."""
    type_ = as_text(delta.get("type")) or ""
    if type_ in _CONTINUED:
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
