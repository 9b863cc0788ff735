"""The requests of a run: what was new in each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.codec.json_text import sorted_bytes
from runreel.model.story import RequestStep
from runreel.projection.story_draft import Draft
from runreel.sources import conversation, requests

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.model.events import EventRow

# Stands for an item that another run holds.
_ELSEWHERE = object()


class Requests:
    """Collects the requests of a run from its rows, in order."""

    def __init__(self) -> None:
        self.drafts: list[Draft] = []
        # The items that the last row of the context holds itself.
        self.last_items: list[object] = []
        self._session: int | None = None
        self._is_waiting = False
        self._collects = False
        # The row and all items of the last request.
        self._known: tuple[int, list[object]] = (-1, [])

    def session(self, seq: int, *, asks: bool) -> None:
        """A recording begins with the note ``seq``; ``asks``: it has the time of a request."""
        self._session = seq if asks else None
        self._is_waiting = asks

    def asked(self, source: str, row: EventRow, value: object) -> None:
        """A row of the context was stored; ``value`` is None if it was erased."""
        found = None if value is None else conversation.new_items(source, value)
        self.last_items = []
        if found is None:
            self._add_context(source, row.seq, value)
            return
        items, repeated = self._new(row, value, *found)
        self.last_items = items
        self._add(row.seq, source, items, repeated)

    def answered(self, source: str, row: EventRow, value: object) -> None:
        """A row was stored that is no part of a request, but its answer may come with one."""
        first = not self.drafts
        found = conversation.asked_with_answer(source, row.kind, value, first=first)
        if found is not None:
            self._add(row.seq, source, *found)
        elif self._is_waiting:
            self._add(row.seq if self._session is None else self._session, "", None, 0)
        self._collects = False

    def began(self) -> None:
        """The run has the time of a request: it is the first step, if nothing is known of it."""
        if not self.drafts:
            self._add(0, "", None, 0)

    def _new(
        self, row: EventRow, body: object, items: list[object], repeated: int
    ) -> tuple[list[object], int]:
        """Return the items that no earlier request of the run has, and how many come before."""
        seq, known = self._known
        reference = requests.reference_of(body)
        if reference is not None:
            is_last = (reference.run_id, reference.seq) == (row.run_id, seq)
            before = known[:repeated] if is_last else [_ELSEWHERE] * repeated
            self._known = (row.seq, before + items)
            return items, repeated
        self._known = (row.seq, items)
        repeated = sum(1 for _ in _common(known, items))
        return items[repeated:], repeated

    def _add_context(self, source: str, seq: int, value: object) -> None:
        """Add a part of a request whose source has no items; parts in a row are one request."""
        if value is not None and self._collects:
            draft = self.drafts[-1]
            draft.values["items"] += (value,)
            draft.values["messages"] += tuple(conversation.asked(source, value))
            return
        self._add(seq, source, None if value is None else [value], 0)
        self._collects = value is not None

    def _add(self, seq: int, source: str, items: list[object] | None, repeated: int) -> None:
        values = {
            "items": None if items is None else tuple(items),
            "repeated": repeated,
            "messages": tuple(
                message for item in items or () for message in conversation.asked(source, item)
            ),
        }
        # The first request may have a time that events have.
        session = 0 if self._session is None and not self.drafts else self._session
        self.drafts.append(Draft(RequestStep, seq, values, session))
        self._session, self._is_waiting = None, False


def _common(known: list[object], items: list[object]) -> Iterator[object]:
    for old, new in zip(known, items, strict=False):
        if old is _ELSEWHERE or sorted_bytes(old) != sorted_bytes(new):
            return
        yield new
