"""What a span of a model call says that the model answered, in each dialect."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runreel.codec.json_values import as_list, as_text, objects_in, text_in
from runreel.sources.archives import spans
from runreel.sources.openai import values as oj

if TYPE_CHECKING:
    from runreel.model.results import ToolCall
    from runreel.sources.archives.spans import Attributes

_TRACELOOP = "gen_ai.completion.0."
_OPENINFERENCE = "llm.output_messages.0.message."


class Answer(NamedTuple):
    """The texts and tool calls of an answer, and why it ended."""

    texts: tuple[str, ...]
    calls: tuple[ToolCall, ...]
    reason: str | None


def answer_of(found: Attributes) -> Answer:
    """Return the answer in the attributes of a span; it is empty if content was not exported."""
    texts: list[str] = []
    calls: list[ToolCall] = []
    for message in spans.messages(found, "gen_ai.output.messages"):
        for part in objects_in(message, "parts"):
            if part.get("type") == "text" and (text := text_in(part, "content")):
                texts.append(text)
            elif part.get("type") == "tool_call":
                calls.append(oj.call(part.get("id"), part.get("name"), part.get("arguments")))
    if not texts and not calls:
        texts, calls = _of_names(found)
    return Answer(tuple(texts), tuple(calls), _reason(found))


def _of_names(found: Attributes) -> tuple[list[str], list[ToolCall]]:
    """Return the answer of dialects that number their attributes."""
    contents = (spans.text(found, start + "content") for start in (_TRACELOOP, _OPENINFERENCE))
    texts = [text for text in contents if text is not None]
    calls: list[ToolCall] = []
    for number in range(len(found)):
        one = f"{_TRACELOOP}tool_calls.{number}."
        other = f"{_OPENINFERENCE}tool_calls.{number}.tool_call."
        name = found.get(one + "name") or found.get(other + "function.name")
        if name is None:
            break
        arguments = found.get(one + "arguments") or found.get(other + "function.arguments")
        calls.append(oj.call(found.get(one + "id") or found.get(other + "id"), name, arguments))
    return texts, calls


def _reason(found: Attributes) -> str | None:
    reasons = as_list(found.get("gen_ai.response.finish_reasons"))
    if reasons:
        return as_text(reasons[0])
    return as_text(found.get(_TRACELOOP + "finish_reason"))
