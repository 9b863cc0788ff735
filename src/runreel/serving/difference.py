"""Where a request differs first from a recorded one, and how to say it."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from runreel.codec import json_text
from runreel.model.run_diff import ADDED, REMOVED
from runreel.projection.json_diff import value_changes
from runreel.projection.word_diff import text_changes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.model.run_diff import ValueChange
    from runreel.serving.canonical import Canonical
    from runreel.sources.requests import Body

# Characters of a value in a message, and of the text before and after changed words.
_LONGEST, _AROUND = 120, 24
# Number of differences up to which the closest request is searched for.
_MAX_CHANGES = 50


class Difference(NamedTuple):
    """The first place where two requests differ, as a JSON pointer into the request that was sent.

    ``recorded`` and ``sent`` are the words there, in quotation marks, or values as JSON; None if
    there is nothing.
    """

    pointer: str
    recorded: str | None
    sent: str | None

    def __str__(self) -> str:
        """The difference in words."""
        if self.recorded is None:
            return f"at {self.pointer} it has nothing, and this request has {self.sent}"
        if self.sent is None:
            return f"at {self.pointer} it has {self.recorded}, and this request has nothing"
        return f"at {self.pointer} it has {self.recorded}, and this request has {self.sent}"


def first_difference(recorded: Canonical, sent: Canonical, body: Body) -> Difference | None:
    """Return the first difference of two requests; None if they are equal.

    ``body`` is the request as it was sent, which the pointer leads into.
    """
    for change in _changes(recorded, sent):
        return Difference(_pointer(change.pointer, body), *words_of(change))
    return None


def number_of_differences(recorded: Canonical, sent: Canonical) -> int:
    """Return how many places differ; those beyond a maximum are not counted."""
    return sum(1 for _ in islice(_changes(recorded, sent), _MAX_CHANGES))


def _changes(recorded: Canonical, sent: Canonical) -> Iterator[ValueChange]:
    # The items come first: what was asked says more than how.
    yield from value_changes(_items(recorded), _items(sent))
    yield from value_changes(recorded.parameters, sent.parameters)


def _items(request: Canonical) -> Body:
    return {} if request.items is None else {**request._replace(parameters={}).body}


def _pointer(pointer: str, body: Body) -> str:
    """Return a pointer into the request as it was sent: its only item may be a plain string."""
    name = pointer.split("/")[1]
    return f"/{name}" if isinstance(body.get(name), str) else pointer


def words_of(change: ValueChange) -> tuple[str | None, str | None]:
    """Return what differs on both sides, as in a ``Difference``."""
    if isinstance(change.a, str) and isinstance(change.b, str):
        for one in text_changes(change.a, change.b):
            return _around(change.a, *one.a), _around(change.b, *one.b)
    recorded = None if change.change == ADDED else _shown(change.a)
    return recorded, None if change.change == REMOVED else _shown(change.b)


def _around(text: str, start: int, end: int) -> str:
    """Return the words from ``start`` to ``end`` with those next to them, in quotation marks."""
    low, high = max(0, start - _AROUND), min(len(text), end + _AROUND)
    high = min(high, low + _LONGEST)
    before, after = "…" if low else "", "…" if high < len(text) else ""
    return f"“{before}{text[low:high]}{after}”"


def _shown(value: object) -> str:
    text = json_text.dumps(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
