"""The reasoning in the lines of a session of the Codex CLI; encrypted reasoning has no text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.codec.json_values import objects_in, text_in
from runreel.model.events import STREAM_EVENT
from runreel.sources.archives import codex as lines
from runreel.sources.openai.reasoning import Thought

if TYPE_CHECKING:
    from collections.abc import Iterable


def thoughts(kind: str, value: object) -> Iterable[Thought]:
    """Return the reasoning in a line, to be added to that before it."""
    item = lines.payload_of(value)
    if kind != STREAM_EVENT or item.get("type") != "reasoning":
        return ()
    parts = [*objects_in(item, "content"), *objects_in(item, "summary")]
    texts = (text_in(part, "text") for part in parts)
    return tuple(Thought((0, 0, 0), text) for text in texts if text)
