"""Source adapters: for each vendor's wire format, pure code that interprets its JSON."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from runreel.model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from runreel.codec.source_protocol import SourceAdapter
    from runreel.sources.openai.reasoning import Thought

    ThoughtReader = Callable[[str, object], Iterable[Thought]]

# Every event log stores these names: never change one.
_ADAPTERS = {
    "anthropic-messages": "runreel.sources.anthropic.messages_reader",
    "claude-code": "runreel.sources.claude_code.reader",
    "codex": "runreel.sources.codex.reader",
    "google-gemini": "runreel.sources.google.gemini_reader",
    "llm-log": "runreel.sources.llm_log.reader",
    "openai-chat": "runreel.sources.openai.chat_reader",
    "openai-responses": "runreel.sources.openai.responses_reader",
    "otlp-genai": "runreel.sources.otlp_genai.reader",
    "plain": "runreel.sources.plain",
    "yandex-assistants": "runreel.sources.yandex.reader",
    "yandex-completions": "runreel.sources.yandex.completions_reader",
}

# Modules with a function `thoughts`.
_THINKING = {
    "anthropic-messages": "runreel.sources.anthropic.reasoning",
    "claude-code": "runreel.sources.claude_code.thinking",
    "codex": "runreel.sources.codex.thinking",
    "google-gemini": "runreel.sources.google.reasoning",
    "llm-log": "runreel.sources.llm_log.thinking",
}

SOURCES = tuple(sorted(_ADAPTERS))


@cache
def reader_of(source: str) -> SourceAdapter:
    """The source adapter of this name.

    Raises:
        UsageError: if the name is unknown.
    """
    try:
        module = _ADAPTERS[source]
    except KeyError:
        raise UsageError(
            f"unknown source {source!r}", hint=f"Sources: {', '.join(SOURCES)}."
        ) from None
    return cast("SourceAdapter", import_module(module).reader)


def thoughts(source: str, kind: str, value: Any) -> Iterable[Thought]:
    """The reasoning in a source's value, as deltas or complete; empty if it has none."""
    read = thought_reader(source)
    return () if read is None else read(kind, value)


@cache
def thought_reader(source: str) -> ThoughtReader | None:
    """What returns the reasoning in a value of a kind; None for a source that has none."""
    if source in _THINKING:
        return cast("ThoughtReader", import_module(_THINKING[source]).thoughts)
    if source not in ("openai-chat", "openai-responses"):
        return None
    from runreel.sources.openai import reasoning as openai_reasoning

    return openai_reasoning.chat if source == "openai-chat" else openai_reasoning.responses
