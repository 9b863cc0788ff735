"""What a stream of chat completion chunks holds so far."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from runreel.codec import plain_json as pj
from runreel.codec import token_counts
from runreel.model.results import UsageDetails
from runreel.model.timestamps import micros
from runreel.sources.openai import chat_content, text_parts
from runreel.sources.openai import tool_calls as chat_calls
from runreel.sources.openai import values as oj

if TYPE_CHECKING:
    from runreel.codec.token_counts import Tally
    from runreel.sources.openai.chat_failures import Failure
    from runreel.sources.openai.text_parts import Spans
    from runreel.sources.openai.tool_calls import Calls


class Memory(NamedTuple):
    """What the chunks so far hold.

    ``ended`` is True once the final chunk has arrived; only chunks with usage may follow.
    """

    id: str | None = None
    created: int | None = None
    model: str | None = None
    spans: Spans = ()
    calls: Calls = ()
    usage: Tally | None = None
    details: UsageDetails | None = None
    failure: Failure | None = None
    ended: bool = False


def after_chunk(
    memory: Memory, value: dict[str, Any], delta: dict[str, Any], text: str, deltas: dict[str, str]
) -> Memory:
    """The memory after a chunk with this ``delta``; ``text`` already ends with ``deltas``."""
    spans, end = memory.spans, len(text) - sum(map(len, deltas.values()))
    for key, text_delta in deltas.items():
        end += len(text_delta)
        part = (chat_content.KEYS.index(key), 0)
        spans = text_parts.add_delta(spans, text[:end], part, text_delta)
    usage = chat_content.usage_of(value)
    counts = token_counts.read(usage, token_counts.CHAT)
    return Memory(
        id=memory.id or pj.as_text(value.get("id")) or None,
        created=memory.created or micros(value.get("created")),
        model=memory.model or pj.as_text(value.get("model")) or None,
        spans=spans,
        calls=chat_calls.with_delta(memory.calls, delta),
        usage=memory.usage if counts is None else counts,
        details=oj.details(usage, token_counts.CHAT) or memory.details,
        failure=memory.failure,
        ended=memory.ended,
    )


def usage_increase(previous: Tally | None, current: Tally | None) -> Tally | None:
    """The usage to add after a chunk; some servers send the total so far with each chunk."""
    return None if current is None or current == previous else current.minus(previous)


def details_increase(
    previous: UsageDetails | None, current: UsageDetails | None
) -> UsageDetails | None:
    """The usage details to add after a chunk."""
    if current is None or previous is None:
        return current
    if current == previous:
        return None
    return UsageDetails(
        None
        if current.cached_tokens is None
        else current.cached_tokens - (previous.cached_tokens or 0),
        None
        if current.reasoning_tokens is None
        else current.reasoning_tokens - (previous.reasoning_tokens or 0),
    )
