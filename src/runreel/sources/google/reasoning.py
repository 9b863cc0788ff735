"""The reasoning in responses of the Gemini API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.codec.json_values import as_object, text_in
from runreel.model.events import RUN, STREAM_EVENT
from runreel.sources.google import content
from runreel.sources.openai.reasoning import Thought

if TYPE_CHECKING:
    from collections.abc import Iterable


def thoughts(kind: str, value: object) -> Iterable[Thought]:
    """The summaries of reasoning in a response, complete, or in a chunk, as a delta."""
    if kind not in (RUN, STREAM_EVENT):
        return ()
    parts = content.parts_of(content.candidate_of(as_object(value)))
    texts = (text_in(part, "text") for part in parts if part.get("thought") is True)
    text = "".join(text for text in texts if text)
    return (Thought((0, 0, 0), text, whole=kind == RUN),) if text else ()
