"""What a log already holds of a run: how an event that comes again is recognised."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from runreel.codec.json_text import dumps, sorted_bytes
from runreel.codec.masks import matches_mask
from runreel.codec.plain_json import as_object
from runreel.model.events import CONFLICT, NOTE, STREAM_EVENT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from runreel.model.events import EventRow

    ReadRows = Callable[[], Iterable[tuple[EventRow, Any]]]


class AppendOutcome(NamedTuple):
    """What became of a source's value: the row that holds it, and whether it is a new one.

    ``conflict`` is whether that row holds another telling of the same event; ``missing`` counts
    the source's events that should have come before this one; ``unread`` names what a new one
    holds and its reader does not understand.
    """

    seq: int
    new: bool
    conflict: bool = False
    missing: int = 0
    unread: tuple[str, ...] = ()


class KnownEvent(NamedTuple):
    """A numbered event's row; ``print`` is None once its content is erased."""

    seq: int
    print: bytes | None


class ErasedEvent(NamedTuple):
    """A row without a number whose content is erased, and what is left of it."""

    kind: str
    type: str | None
    mask: Any


class KnownEvents:
    """The events of a run by the source's number, the others by content and count."""

    def __init__(self) -> None:
        self.rows: dict[int, KnownEvent] = {}
        self.erased: dict[int, ErasedEvent] = {}
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
        content = None if row.redacted is not None else fingerprint(row.kind, value)
        if row.source_index is not None:
            self.rows.setdefault(row.source_index, KnownEvent(row.seq, content))
        elif content is None:
            self.erased[row.seq] = ErasedEvent(row.kind, row.type, value)
        else:
            self._places[content].append(row.seq)

    def nth(self, content: bytes, n: int) -> int | None:
        """The seq of the n-th row (from 1) of this content, None if there are not so many."""
        places = self._places.get(content, ())
        return places[n - 1] if n <= len(places) else None

    def equal(self, index: int, value: Any) -> bool:
        """Whether the event of this number has this content, or had one that is erased."""
        held = self.rows[index].print
        return held is None or held == fingerprint(STREAM_EVENT, value)

    def conflict_at(self, index: int, value: Any) -> bool:
        """Whether this other telling of the event is noted already."""
        return (index, fingerprint(STREAM_EVENT, value)) in self._conflicts


class Deduplicator:
    """Finds the row that an offered event already is.

    Events that the source numbers are known by their number, others by content and count: the n-th
    equal one that is offered is the n-th equal row. ``look`` reads the log, and is asked only when
    an event may be an old one; ``offered`` counts the offers of each content.
    """

    def __init__(self, look: ReadRows, offered: Counter[bytes]) -> None:
        self.index = -1
        self._look = look
        self._offered = offered
        self._fresh = False
        self._seen: KnownEvents | None = None
        # Where the last offered event was found, and the erased rows that were found already.
        self._last = -1
        self._met: set[int] = set()

    def assume_empty(self) -> None:
        """The log holds nothing of the run yet: what comes is new, until a number comes again."""
        self._fresh = True

    def assume_duplicates(self) -> None:
        """A row is about to be appended without being offered: its equal is not new then."""
        self._fresh = False

    def invalidate(self) -> None:
        """Others have appended: look again before the next answer."""
        self._fresh = False
        self._seen = None

    def add(self, row: EventRow, value: Any) -> None:
        """Take in a row that was appended."""
        if row.kind == STREAM_EVENT and row.source_index is not None:
            self.index = max(self.index, row.source_index)
        if self._seen is not None:
            self._seen.add(row, value)

    def missing(self, number: int | None) -> int:
        """How many of the source's events should have come before the one of this number."""
        return 0 if number is None else max(0, number - self.index - 1)

    def is_next(self, number: int | None) -> bool:
        """Whether an event of this number is surely new, and none is missing before it."""
        return self._fresh if number is None else number == self.index + 1

    def reads(self, number: int | None) -> bool:
        """Whether ``find`` would read the log for an event of this number."""
        return self._seen is None and self._may_be_old(number)

    def read(self) -> None:
        """Read the log now, so that ``find`` need not."""
        self._known()

    def _may_be_old(self, number: int | None) -> bool:
        return not self._fresh if number is None else number <= self.index

    def find(
        self, kind: str, type_: str | None, number: int | None, value: Any
    ) -> AppendOutcome | None:
        """The row that the event is, None if it is new to the log.

        Raises:
            BadValue: if it might be an old one, and is no JSON value.
        """
        if not self._may_be_old(number):
            return None
        # A fingerprint does not tell what is no JSON value.
        dumps(value)
        if number is None:
            return self._by_content(ErasedEvent(kind, type_, value))
        seen = self._known()
        held = seen.rows.get(number)
        if held is None:
            return None
        if seen.equal(number, value):
            return AppendOutcome(held.seq, new=False)
        return AppendOutcome(held.seq, new=not seen.conflict_at(number, value), conflict=True)

    def _by_content(self, offered: ErasedEvent) -> AppendOutcome | None:
        seen, content = self._known(), fingerprint(offered.kind, offered.mask)
        seq = seen.nth(content, self._offered[content] + 1)
        if seq is None and seen.erased:
            seq = self._among_erased(seen.erased, offered)
        if seq is None:
            return None
        self._last = seq
        return AppendOutcome(seq, new=False)

    def _among_erased(self, erased: dict[int, ErasedEvent], offered: ErasedEvent) -> int | None:
        """The first erased row, not found before, that the event can be.

        Of a row that is gone altogether its place alone tells: right behind the last one found.
        """
        for seq, row in erased.items():
            if seq in self._met or (row.kind, row.type) != (offered.kind, offered.type):
                continue
            follows = row.mask is None and seq == self._last + 1
            if follows or (row.mask is not None and matches_mask(row.mask, offered.mask)):
                self._met.add(seq)
                return seq
        return None

    def _known(self) -> KnownEvents:
        if self._seen is None:
            self._fresh = False
            self._seen = KnownEvents()
            for row, value in self._look():
                self._seen.add(row, value)
        return self._seen


def fingerprint(kind: str, value: Any) -> bytes:
    """Equal for equal JSON values of a kind. For memory only: it never enters the log."""
    return hashlib.blake2b(sorted_bytes(value), digest_size=16, person=kind.encode()[:16]).digest()
