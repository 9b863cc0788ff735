"""The reasoning in the responses of the log of ``llm``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.codec.json_values import as_object, text_in
from runreel.model.events import RUN
from runreel.sources.openai.reasoning import Thought

if TYPE_CHECKING:
    from collections.abc import Iterable


def thoughts(kind: str, value: object) -> Iterable[Thought]:
    """Return the reasoning of a response, complete."""
    text = text_in(as_object(value), "reasoning")
    return () if kind != RUN or text is None else (Thought((0, 0, 0), text, whole=True),)
