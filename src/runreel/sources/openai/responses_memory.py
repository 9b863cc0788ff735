"""What a stream of responses holds so far."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from runreel.codec import token_counts
from runreel.sources.openai import response as responses
from runreel.sources.openai.items import Items  # noqa: TC001 - for typing.get_type_hints
from runreel.sources.openai.text_parts import NO_PARTS, TextParts

if TYPE_CHECKING:
    from runreel.codec.token_counts import Tally

_NO_ITEMS: Items = {}


class Memory(msgspec.Struct, frozen=True):
    """State between the events of a run.

    ``response`` is the id of the current response, ``parts`` and ``items`` are its text parts and
    output items. ``counted`` holds the ids of responses whose usage is counted, ``misread`` of
    those whose usage is not understood.
    """

    response: str | None = None
    counted: frozenset[str] = frozenset()
    parts: TextParts = NO_PARTS
    misread: frozenset[str] = frozenset()
    items: Items = _NO_ITEMS

    def for_response(self, response: dict[str, object]) -> Memory:
        """The memory with ``response`` as the current one."""
        if not self.is_new(response):
            return self
        return Memory(responses.id_of(response), self.counted, NO_PARTS, self.misread, _NO_ITEMS)

    def count_usage(self, response: dict[str, object]) -> tuple[Memory, Tally | None]:
        """Count the usage of ``response``: the new memory, and the usage to add (None: none)."""
        id_ = responses.id_of(response)
        counts = token_counts.read(response.get("usage"), token_counts.RESPONSES)
        if counts is None or id_ in self.counted or (counts.unread and id_ in self.misread):
            return self, None
        if id_ is None:
            return self, counts
        if counts.unread:
            misread, counted, added = self.misread | {id_}, self.counted, counts
        else:
            misread, counted = self.misread - {id_}, self.counted | {id_}
            known = token_counts.NOT_UNDERSTOOD if id_ in self.misread else None
            added = counts.minus(known)
        return Memory(self.response, counted, self.parts, misread, self.items), added

    def is_new(self, response: dict[str, object]) -> bool:
        """Whether ``response`` is another one than the current response."""
        id_ = responses.id_of(response)
        return id_ is not None and id_ != self.response


NO_MEMORY = Memory()
