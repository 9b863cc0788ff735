"""What a log already holds of a run: how an event that comes again is recognised."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from runreel.rules.codec import canonical
from runreel.rules.plain_json import as_object
from runreel.words.log import CONFLICT, NOTE, STREAM_EVENT

if TYPE_CHECKING:
    from runreel.words.log import EventRow


class Held(NamedTuple):
    """A numbered event's row; ``print`` is None once its content is erased."""

    seq: int
    print: bytes | None


class Seen:
    """The events of a run by the source's number, the others by content and count."""

    def __init__(self) -> None:
        self.rows: dict[int, Held] = {}
        self._places: defaultdict[bytes, list[int]] = defaultdict(list)
        self._conflicts: set[tuple[int, bytes]] = set()

    def add(self, row: EventRow, value: Any) -> None:
        """Take in a row of the log."""
        if row.kind == NOTE:
            if row.type == CONFLICT and value is not None:
                note = as_object(value)
                offered = fingerprint(STREAM_EVENT, note.get("offered"))
                self._conflicts.add((note.get("source_index", -1), offered))
            return
        content = None if value is None else fingerprint(row.kind, value)
        if row.source_index is not None:
            self.rows.setdefault(row.source_index, Held(row.seq, content))
        elif content is not None:
            self._places[content].append(row.seq)

    def nth(self, content: bytes, n: int) -> int | None:
        """The seq of the n-th row (from 1) of this content, None if there are not so many."""
        places = self._places.get(content, ())
        return places[n - 1] if n <= len(places) else None

    def equal(self, index: int, value: Any) -> bool:
        """Whether the event of this number has this content, or had one that is erased."""
        held = self.rows[index].print
        return held is None or held == fingerprint(STREAM_EVENT, value)

    def noted(self, index: int, value: Any) -> bool:
        """Whether this other telling of the event is noted already."""
        return (index, fingerprint(STREAM_EVENT, value)) in self._conflicts


def fingerprint(kind: str, value: Any) -> bytes:
    """Equal for equal JSON values of a kind. For memory only: it never enters the log."""
    return hashlib.blake2b(canonical(value), digest_size=16, person=kind.encode()[:16]).digest()
