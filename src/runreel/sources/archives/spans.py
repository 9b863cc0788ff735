"""The spans of GenAI calls in OTLP JSON, whose attributes have several dialects.

These are the semantic conventions of OpenTelemetry, now and as they were (``gen_ai.system``,
``prompt_tokens``), those of traceloop, and those of openinference (``llm.token_count``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.codec.json_text import loads
from runreel.codec.json_values import as_object, as_text, objects_in, text_in
from runreel.codec.token_counts import count
from runreel.model.errors import BadValue

if TYPE_CHECKING:
    from collections.abc import Mapping

Attributes = dict[str, object]

# Names of the same attribute, in the order in which they are looked for.
MODEL = (
    *("gen_ai.response.model", "llm.response.model", "gen_ai.request.model"),
    *("llm.request.model", "llm.model_name"),
)
INPUT = (
    *("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"),
    *("llm.usage.prompt_tokens", "llm.token_count.prompt"),
)
OUTPUT = (
    *("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"),
    *("llm.usage.completion_tokens", "llm.token_count.completion"),
)
TOTAL = ("gen_ai.usage.total_tokens", "llm.usage.total_tokens", "llm.token_count.total")
CACHED = (
    *("gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens"),
    "llm.token_count.prompt_details.cache_read",
)
CACHE_WRITE = (
    *("gen_ai.usage.cache_write.input_tokens", "gen_ai.usage.cache_creation.input_tokens"),
    *("gen_ai.usage.cache_creation_input_tokens", "llm.token_count.prompt_details.cache_write"),
)
REASONING = (
    *("gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.reasoning_tokens"),
    "llm.token_count.completion_details.reasoning",
)
THREAD = (
    *("gen_ai.conversation.id", "session.id"),
    "traceloop.association.properties.session_id",
)
TIER = ("openai.response.service_tier", "gen_ai.openai.response.service_tier")
AGENT = ("gen_ai.agent.id", "gen_ai.agent.name")
CALL_ID = ("gen_ai.tool.call.id", "tool.id")
_INFERENCE, _TOOL, _AGENT = "inference", "tool", "agent"
_OPERATIONS = {
    **dict.fromkeys(("chat", "text_completion", "generate_content", "completion"), _INFERENCE),
    **dict.fromkeys(("execute_tool",), _TOOL),
    **dict.fromkeys(("invoke_agent", "create_agent"), _AGENT),
    "LLM": _INFERENCE,
    "TOOL": _TOOL,
    "AGENT": _AGENT,
    "tool": _TOOL,
    "agent": _AGENT,
}
_OPERATION = (
    *("gen_ai.operation.name", "llm.request.type", "openinference.span.kind"),
    "traceloop.span.kind",
)


def is_line(value: Mapping[str, object]) -> bool:
    """Return whether an object has spans."""
    return isinstance(value.get("resourceSpans"), list)


def spans_in(value: dict[str, object]) -> list[dict[str, object]]:
    """Return all spans of an export."""
    return [
        span
        for resource in objects_in(value, "resourceSpans")
        for scope in objects_in(resource, "scopeSpans")
        for span in objects_in(scope, "spans")
    ]


def attributes(span: object) -> Attributes:
    """Return the attributes of a span by name."""
    return {
        str(item.get("key")): _plain(as_object(item.get("value")))
        for item in objects_in(as_object(span), "attributes")
    }


def first(found: Attributes, names: tuple[str, ...]) -> object:
    """Return the first of these attributes that a span has, None without any."""
    return next((found[name] for name in names if found.get(name) is not None), None)


def operation(found: Attributes) -> str | None:
    """Return ``inference``, ``tool`` or ``agent``; None for any other span."""
    name = first(found, _OPERATION)
    known = _OPERATIONS.get(name) if isinstance(name, str) else None
    if known is None and name is None and first(found, INPUT + OUTPUT) is not None:
        return _INFERENCE
    return known


def identity(span: object) -> str:
    """Return by what a span is known."""
    value = as_object(span)
    return f"{text_in(value, 'traceId') or ''} {text_in(value, 'spanId') or ''}"


def time_of(span: dict[str, object], key: str) -> int | None:
    """Return a time of a span in µs; None if it has none."""
    nanoseconds = count(span.get(key), proto=True)
    return nanoseconds // 1_000 if nanoseconds else None


def messages(found: Attributes, name: str) -> list[dict[str, object]]:
    """Return the messages in an attribute, which may hold them as JSON text."""
    value = found.get(name)
    if isinstance(value, str):
        try:
            value = loads(value)
        except BadValue:
            return []
    return objects_in({"messages": value}, "messages")


def text(found: Attributes, name: str) -> str | None:
    """Return an attribute that is a text, None without it."""
    return as_text(found.get(name)) or None


def tool_result(span: object) -> tuple[str | None, str | None, object]:
    """Return the id, the name and the result of a tool call."""
    found = attributes(span)
    name = first(found, ("gen_ai.tool.name", "tool.name", "traceloop.entity.name"))
    result = first(found, ("gen_ai.tool.call.result", "output.value", "traceloop.entity.output"))
    return as_text(first(found, CALL_ID)), as_text(name), result


def _plain(value: dict[str, object]) -> object:
    if "arrayValue" in value:
        return [_plain(item) for item in objects_in(as_object(value["arrayValue"]), "values")]
    if "kvlistValue" in value:
        items = objects_in(as_object(value["kvlistValue"]), "values")
        return {str(item.get("key")): _plain(as_object(item.get("value"))) for item in items}
    if "intValue" in value:
        return count(value["intValue"], proto=True)
    return next(iter(value.values()), None)
