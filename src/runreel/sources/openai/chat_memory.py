"""What a stream of chat completion chunks holds so far."""

from __future__ import annotations

import msgspec

from runreel.codec import token_counts
from runreel.codec.json_values import text_in
from runreel.codec.token_counts import Tally  # noqa: TC001 - for typing.get_type_hints
from runreel.model.results import UsageDetails
from runreel.model.timestamps import micros
from runreel.sources.openai import chat_content
from runreel.sources.openai import values as oj
from runreel.sources.openai.chat_failures import Failure  # noqa: TC001 - as above
from runreel.sources.openai.text_parts import NO_PARTS, TextParts
from runreel.sources.openai.tool_calls import Calls  # noqa: TC001 - as above


class Memory(msgspec.Struct, frozen=True):
    """What the chunks so far hold.

    ``ended`` is True once the final chunk has arrived; only chunks with usage may follow.
    """

    id: str | None = None
    created: int | None = None
    model: str | None = None
    parts: TextParts = NO_PARTS
    calls: Calls = ()
    usage: Tally | None = None
    details: UsageDetails | None = None
    failure: Failure | None = None
    ended: bool = False
    tier: str | None = None

    def after(  # noqa: PLR0913 - what changes
        self,
        value: dict[str, object],
        usage: object,
        *,
        parts: TextParts,
        calls: Calls,
        failure: Failure | None,
        ended: bool,
    ) -> tuple[Memory, Tally | None]:
        """Return the memory after a chunk or completion, and the token counts of its ``usage``."""
        counts = None if usage is None else token_counts.read(usage, token_counts.CHAT)
        details = None if usage is None else token_counts.details(usage, token_counts.CHAT)
        after = Memory(
            self.id or text_in(value, "id"),
            self.created or micros(value.get("created")),
            self.model or text_in(value, "model"),
            parts,
            calls,
            self.usage if counts is None else counts,
            details or self.details,
            failure,
            ended,
            oj.service_tier(value) or self.tier,
        )
        return after, counts


def add_deltas(parts: TextParts, text: str, deltas: dict[str, str]) -> TextParts:
    """Return the parts with the text deltas of a chunk added; ``text`` already ends with them."""
    end = len(text) - sum(map(len, deltas.values()))
    for key, text_delta in deltas.items():
        end += len(text_delta)
        parts = parts.add(text[:end], (chat_content.KEYS.index(key), 0), text_delta)
    return parts


def usage_increase(previous: Tally | None, current: Tally | None) -> Tally | None:
    """Return the usage to add; some servers send the total so far with each chunk."""
    return None if current is None or current == previous else current.minus(previous)


def details_increase(
    previous: UsageDetails | None, current: UsageDetails | None
) -> UsageDetails | None:
    """Return the usage details to add after a chunk."""
    if current is None or previous is None:
        return current
    if current == previous:
        return None
    return UsageDetails(
        _increase(previous.cached_tokens, current.cached_tokens),
        _increase(previous.reasoning_tokens, current.reasoning_tokens),
        _increase(previous.cache_write_tokens, current.cache_write_tokens),
    )


def _increase(previous: int | None, current: int | None) -> int | None:
    return None if current is None else current - (previous or 0)
