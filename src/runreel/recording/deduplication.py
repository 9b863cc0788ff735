"""Deduplication: recognises events that the log of a run already contains."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from runreel.codec.json_text import dumps, sorted_bytes
from runreel.codec.json_values import as_object
from runreel.codec.masks import matches_mask
from runreel.codec.source_protocol import SourceEvent
from runreel.model.events import CONFLICT, NOTE, STREAM_EVENT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from runreel.model.events import EventRow

    ReadRows = Callable[[], Iterable[tuple[EventRow, object]]]


class AppendOutcome(NamedTuple):
    """The row that holds an offered value, and whether the row is new.

    ``conflict``: that row holds the same event with other content. ``missing``: number of the
    source's events that are missing before this one. ``unread``: fields or types of a new event
    that its source adapter does not understand.
    """

    seq: int
    new: bool
    conflict: bool = False
    missing: int = 0
    unread: tuple[str, ...] = ()


class KnownEvent(NamedTuple):
    """Row and fingerprint of a numbered event; ``print`` is None if the content is erased."""

    seq: int
    print: bytes | None


class KnownEvents:
    """Index of a run's events: numbered ones by number, the others by fingerprint and count."""

    def __init__(self) -> None:
        self.rows: dict[int, KnownEvent] = {}
        # Rows without a number whose content is erased; their value is the masked one, if any.
        self.erased: dict[int, SourceEvent] = {}
        self._positions: defaultdict[bytes, list[int]] = defaultdict(list)
        self._conflicts: set[tuple[object, bytes]] = set()

    def add(self, row: EventRow, value: object) -> None:
        """Add a row of the log to the index."""
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
            self.erased[row.seq] = SourceEvent(row.kind, value, row.type)
        else:
            self._positions[content].append(row.seq)

    def nth(self, content: bytes, n: int) -> int | None:
        """Return the seq of the n-th row (from 1) with this content, None if there are fewer."""
        positions = self._positions.get(content, ())
        return positions[n - 1] if n <= len(positions) else None

    def equal(self, index: int, value: object) -> bool:
        """True if the event of this number has this content, or its content is erased."""
        existing = self.rows[index].print
        return existing is None or existing == fingerprint(STREAM_EVENT, value)

    def conflict_at(self, index: int, value: object) -> bool:
        """True if a conflict note already records this content for the event."""
        return (index, fingerprint(STREAM_EVENT, value)) in self._conflicts


class Deduplicator:
    """Finds the row of an offered event, if the log already contains it.

    Numbered events are matched by number. Others are matched by content and count: the n-th equal
    event offered is the n-th equal row. ``read_rows`` reads the log; it is called only when the
    event may be a duplicate. ``offered`` counts the offers of each content.
    """

    def __init__(self, read_rows: ReadRows, offered: Counter[bytes]) -> None:
        self.index = -1
        self._read_rows = read_rows
        self._offered = offered
        self._assume_new = False
        self._known_events: KnownEvents | None = None
        # Seq of the last row matched by content, and the erased rows that were matched.
        self._last_match = -1
        self._matched_erased: set[int] = set()

    def start_after(self, index: int) -> None:
        """Go on after rows whose highest number by the source is ``index``."""
        self.index = index

    def assume_empty(self) -> None:
        """Treat unnumbered events as new; call while the log has no rows of the run."""
        self._assume_new = True

    def assume_duplicates(self) -> None:
        """Call before an unconditional append: later equal events may be duplicates."""
        self._assume_new = False

    def invalidate(self) -> None:
        """Call after others have appended: the log is read again before the next match."""
        self._assume_new = False
        self._known_events = None

    def add(self, row: EventRow, value: object) -> None:
        """Add an appended row."""
        if row.kind == STREAM_EVENT and row.source_index is not None:
            self.index = max(self.index, row.source_index)
        if self._known_events is not None:
            self._known_events.add(row, value)

    def missing(self, number: int | None) -> int:
        """Return how many numbers are skipped between the highest known number and this one."""
        return 0 if number is None else max(0, number - self.index - 1)

    def is_next(self, number: int | None) -> bool:
        """True if an event of this number is certainly new and no event is missing before it."""
        return self._assume_new if number is None else number == self.index + 1

    def reads(self, number: int | None) -> bool:
        """True if ``find`` would read the log for an event of this number."""
        return self._known_events is None and self._may_be_old(number)

    def read(self) -> None:
        """Read the log now, so that ``find`` does not have to."""
        self._known()

    def _may_be_old(self, number: int | None) -> bool:
        return not self._assume_new if number is None else number <= self.index

    def find(self, event: SourceEvent) -> AppendOutcome | None:
        """Return the outcome for an event that the log already contains; None if it is new.

        Raises:
            BadValue: if it may be a duplicate and is not a JSON value.
        """
        number, value = event.index, event.value
        if not self._may_be_old(number):
            return None
        # Fingerprints accept values that are not JSON.
        dumps(value)
        if number is None:
            return self._by_content(event)
        known = self._known()
        existing = known.rows.get(number)
        if existing is None:
            return None
        if known.equal(number, value):
            return AppendOutcome(existing.seq, new=False)
        return AppendOutcome(existing.seq, new=not known.conflict_at(number, value), conflict=True)

    def _by_content(self, offered: SourceEvent) -> AppendOutcome | None:
        known, content = self._known(), fingerprint(offered.kind, offered.value)
        seq = known.nth(content, self._offered[content] + 1)
        if seq is None and known.erased:
            seq = self._among_erased(known.erased, offered)
        if seq is None:
            return None
        self._last_match = seq
        return AppendOutcome(seq, new=False)

    def _among_erased(self, erased: dict[int, SourceEvent], offered: SourceEvent) -> int | None:
        """Return the first unmatched erased row that the event may be.

        A fully erased row can only be matched by position: directly after the last match.
        """
        for seq, row in erased.items():
            if seq in self._matched_erased or (row.kind, row.type) != (offered.kind, offered.type):
                continue
            follows = row.value is None and seq == self._last_match + 1
            if follows or (row.value is not None and matches_mask(row.value, offered.value)):
                self._matched_erased.add(seq)
                return seq
        return None

    def _known(self) -> KnownEvents:
        if self._known_events is None:
            self._assume_new = False
            self._known_events = KnownEvents()
            for row, value in self._read_rows():
                self._known_events.add(row, value)
        return self._known_events


def fingerprint(kind: str, value: object) -> bytes:
    """Hash a JSON value of a kind; equal values have equal hashes. Never stored in the log."""
    content = _hash_of(kind).copy()
    content.update(sorted_bytes(value))
    return content.digest()


@lru_cache(maxsize=16)
def _hash_of(kind: str) -> hashlib.blake2b:
    # A copy takes half the time of a new one with these arguments.
    return hashlib.blake2b(digest_size=16, person=kind.encode()[:16])
