"""The reasoning in the lines of a session of Claude Code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.codec.json_values import text_in
from runreel.model.events import STREAM_EVENT
from runreel.sources.archives import claude_code as lines
from runreel.sources.openai.reasoning import Thought

if TYPE_CHECKING:
    from collections.abc import Iterable


def thoughts(kind: str, value: object) -> Iterable[Thought]:
    """Return the reasoning in a line of an answer, to be added to that of its message."""
    if kind != STREAM_EVENT:
        return ()
    texts = (text_in(block, "thinking") for block in lines.blocks(value))
    return tuple(Thought((0, 0, 0), text) for text in texts if text)
