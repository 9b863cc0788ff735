"""What a stream of a message holds so far."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from runreel.codec import token_counts
from runreel.codec.json_values import as_object, object_in, text_in
from runreel.codec.token_counts import count
from runreel.model.results import UsageDetails
from runreel.sources.anthropic.blocks import Calls, Sources  # noqa: TC001 - for get_type_hints
from runreel.sources.openai.chat_memory import details_increase, usage_increase
from runreel.sources.openai.text_parts import NO_PARTS, TextParts

if TYPE_CHECKING:
    from runreel.codec.token_counts import Tally

# Keys of a usage object that are interpreted. They are cumulative; a later event has not all.
_KEPT = (
    *("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"),
    "output_tokens_details",
)


class Memory(msgspec.Struct, frozen=True):
    """State between the events of a run.

    ``id`` is that of the current message, ``parts``, ``calls`` and ``sources`` are what its blocks
    hold, ``usage`` is its usage as reported so far. ``ended`` is True once the message has a stop
    reason.
    """

    id: str | None = None
    parts: TextParts = NO_PARTS
    calls: Calls = ()
    sources: Sources = ()
    usage: Any = None
    ended: bool = False

    def started(self, message: dict[str, object]) -> Memory:
        """The memory at the start of a message; usage that was counted for it stays counted."""
        id_ = text_in(message, "id")
        return Memory(id_, usage=self.usage if id_ is not None and id_ == self.id else None)


class UsageReport(msgspec.Struct, frozen=True):
    """The usage of a message after an event, and what the event adds to that of the run."""

    usage: Any
    added: Tally | None
    details: UsageDetails | None

    @property
    def unread(self) -> tuple[str, ...]:
        """The keys of the event that are not understood."""
        return ("usage",) if self.added is not None and self.added.unread > 0 else ()


NO_MEMORY = Memory()


def usage_after(known: object, reported: object) -> UsageReport:
    """The usage after a report; keys that it does not have keep their values."""
    if reported is None:
        return UsageReport(known, None, None)
    usage = reported
    if isinstance(reported, dict):
        later = {key: reported[key] for key in _KEPT if reported.get(key) is not None}
        usage = {**as_object(known), **later}
    return UsageReport(
        usage,
        usage_increase(_tally(known), _tally(usage)),
        details_increase(_details(known), _details(usage)),
    )


def _tally(usage: object) -> Tally | None:
    return token_counts.read(usage, token_counts.MESSAGES)


def _details(usage: object) -> UsageDetails | None:
    value = as_object(usage)
    cached = count(value.get("cache_read_input_tokens"))
    written = count(value.get("cache_creation_input_tokens"))
    thought = count(object_in(value, "output_tokens_details").get("thinking_tokens"))
    return None if cached is thought is written is None else UsageDetails(cached, thought, written)
