"""What the lines of a turn so far say about the message of the model, and its token counts."""

from __future__ import annotations

import msgspec

from runreel.codec import token_counts
from runreel.codec.token_counts import Tally  # noqa: TC001 - for msgspec
from runreel.model.results import UsageDetails  # noqa: TC001 - for msgspec
from runreel.sources.anthropic import blocks
from runreel.sources.anthropic.blocks import Calls  # noqa: TC001 - for msgspec
from runreel.sources.openai.chat_memory import details_increase

# Messages whose counts are kept: lines of one message may be apart, but not far.
_RECENT = 16


class Counted(msgspec.Struct, frozen=True):
    """The counts of one message, so far."""

    key: str
    tally: Tally
    details: UsageDetails | None


class Memory(msgspec.Struct, frozen=True):
    """The message that the last line is of: its texts, and its calls that have no result yet."""

    key: str | None = None
    texts: tuple[str, ...] = ()
    calls: Calls = ()
    counted: tuple[Counted, ...] = ()

    def for_message(self, key: str) -> Memory:
        """Return the memory at a line of a message; it is fresh for another message."""
        return self if key == self.key else Memory(key=key, counted=self.counted)

    def with_blocks(self, content: list[dict[str, object]]) -> Memory:
        """Return the memory after a line with these blocks."""
        known = {call.id for call in self.calls}
        start = 1 + max((call.number for call in self.calls), default=-1)
        new = (blocks.call_in(start + number, block) for number, block in enumerate(content))
        calls = (call for call in new if call is not None and call.id not in known)
        return Memory(
            self.key,
            (*self.texts, *blocks.texts_of(content)),
            (*self.calls, *calls),
            self.counted,
        )

    def answered(self, ids: set[str]) -> Memory:
        """Return the memory without the calls that have results."""
        calls = tuple(call for call in self.calls if call.id not in ids)
        return msgspec.structs.replace(self, calls=calls)

    def count(self, usage: object) -> tuple[Memory, Tally | None, UsageDetails | None]:
        """Return the memory with the counts of the message, and what they add to those of the run.

        Each line of a message repeats its counts; those that are larger than before replace them.
        """
        tally = token_counts.read(usage, token_counts.MESSAGES)
        if tally is None or self.key is None:
            return self, None, None
        known = next((one for one in self.counted if one.key == self.key), None)
        if known is not None and not _replaces(tally, known.tally):
            return self, None, None
        details = token_counts.details(usage, token_counts.MESSAGES)
        counted = [one for one in self.counted if one is not known]
        counted.append(Counted(self.key, tally, details))
        after = msgspec.structs.replace(self, counted=tuple(counted[-_RECENT:]))
        if known is None:
            return after, tally, details
        return after, tally.minus(known.tally), details_increase(known.details, details)


def _replaces(new: Tally, old: Tally) -> bool:
    """Return whether counts replace earlier ones of the message."""
    if new.unread:
        return False
    return bool(old.unread) or (new.total_tokens >= old.total_tokens and new != old)
