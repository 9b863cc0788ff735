"""The reasoning in messages; encrypted reasoning has no text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.codec.json_values import as_object, number_in, object_in, objects_in, text_in
from runreel.model.events import RUN, STREAM_EVENT
from runreel.sources.anthropic.messages_reader import BLOCK_DELTA, BLOCK_START
from runreel.sources.openai.reasoning import Thought

if TYPE_CHECKING:
    from collections.abc import Iterable

_THINKING = "thinking"


def thoughts(kind: str, value: object) -> Iterable[Thought]:
    """The reasoning in a message, complete, or in one of its events, as a delta."""
    content = as_object(value)
    if kind == RUN:
        blocks = enumerate(objects_in(content, "content"))
        return [
            Thought((number, 0, 0), text, whole=True)
            for number, block in blocks
            if block.get("type") == _THINKING and (text := text_in(block, _THINKING))
        ]
    if kind != STREAM_EVENT:
        return ()
    holder: dict[str, object] = {}
    if content.get("type") == BLOCK_DELTA:
        holder = object_in(content, "delta")
    elif content.get("type") == BLOCK_START:
        holder = object_in(content, "content_block")
    if holder.get("type") in (_THINKING, "thinking_delta") and (text := text_in(holder, _THINKING)):
        return (Thought((number_in(content, "index"), 0, 0), text),)
    return ()
