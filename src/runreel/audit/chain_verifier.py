"""Whether a run's rows are what was chained: looked at one by one in their order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runreel.codec import json_text
from runreel.integrity import digest_chain
from runreel.model.events import KINDS, NOTE, PRUNED, REDACTED, EventRow
from runreel.projection.tombstone import tombstone_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Row = tuple[Any, ...]
    # Hears of a row's seq (None: of the run), a word for programs and a sentence.
    Report = Callable[[int | None, str, str], None]

_KINDS = frozenset(KINDS)
_DIGEST_BYTES = 32
_SALT_BYTES = digest_chain.SALT_BYTES
_SEQ, _KIND, _TYPE, _PAYLOAD, _SALT, _REDACTED, _DIGEST = (
    EventRow._fields.index(name)
    for name in ("seq", "kind", "type", "payload", "salt", "redacted", "digest")
)


class ChainVerifier:
    """A run's chain, followed from row to row; what is wrong is said at once.

    Each row is checked against the digest that stands in the one before it, so that one change
    is one finding. A recomputed chain is whole: that takes a checkpoint from elsewhere.
    """

    __slots__ = ("_due", "_erased", "_next", "_previous", "_pruned", "_say", "_unlisted")

    def __init__(self, run_id: str, say: Report) -> None:
        self._say = say
        self._next = 0
        self._previous: bytes | None = digest_chain.genesis(run_id)
        # What the digest before should have been, where it was not.
        self._due: bytes | None = None
        # The seq of the tombstone that the run begins with.
        self._pruned: int | None = None
        self._erased = _Seqs()
        self._unlisted = _Seqs()

    def check(self, row: Row) -> None:
        """Look at the row that comes next. Columns of a wrong type may raise anything."""
        run_id, seq, kind, type_, index, at, elapsed, keep, added, payload, salt, gone, digest = row
        if seq != self._next:
            self._check_position(row)
        self._next = seq + 1
        previous, self._previous = self._previous, digest
        if payload is None or salt is None or gone is not None or len(salt) != _SALT_BYTES:
            committed = self._check_columns(row)
        else:
            committed = digest_chain.commitment(salt, payload)
        if previous is not None:
            due = digest_chain.digest(
                previous, run_id, seq, kind, type_, index, at, elapsed, keep, added, committed
            )
            if due != digest:
                self._check_digest(row, due, committed)
        if kind == NOTE:
            self._check_note(row)
        elif self._pruned is not None:
            self._say(seq, "tombstone", "an event behind the tombstone of a pruned run")
        if kind not in _KINDS:
            self._say(seq, "kind", f"no row is of kind {kind!r}")

    def end(self) -> None:
        """See that nothing is owed when there are no more rows."""
        for seq in self._unlisted:
            self._say(seq, "redaction", "the payload is gone, and no note tells of its redaction")

    def lose_row(self, row: Row) -> None:
        """Go on behind a row that ``take`` could not understand."""
        seq, digest = row[_SEQ], row[_DIGEST]
        self._previous = digest if _is_digest(digest) else None
        if type(seq) is int:
            self._next = seq + 1

    def _check_position(self, row: Row) -> None:
        seq = row[_SEQ]
        if type(seq) is not int:
            raise TypeError(f"seq is {seq!r}")
        stone = None
        if self._next == 0 and (row[_KIND], row[_TYPE]) == (NOTE, PRUNED):
            self._pruned = seq
            stone = tombstone_of(EventRow._make(row))
            if stone is None:
                self._say(seq, "tombstone", "does not follow from what it says was pruned")
        elif seq < self._next:
            self._say(seq, "order", f"stands behind row {self._next - 1}")
        else:
            gone = (
                f"row {seq - 1} is"
                if seq - self._next == 1
                else f"rows {self._next} to {seq - 1} are"
            )
            self._say(seq, "gap", f"{gone} missing before it")
        self._previous = None if stone is None else stone.digest

    def _check_columns(self, row: Row) -> bytes:
        """The commitment of a row that is erased, or wrong."""
        seq, payload, salt, redacted = row[_SEQ], row[_PAYLOAD], row[_SALT], row[_REDACTED]
        if payload is salt is None and _is_digest(redacted):
            if row[_KIND] == NOTE and row[_TYPE] in (REDACTED, PRUNED):
                self._say(seq, "redaction", f"a note of type {row[_TYPE]} is never erased")
            self._erased.add(seq)
            self._unlisted.add(seq)
            committed: bytes = redacted
            return committed
        self._say(seq, "columns", "payload, salt and redacted do not go together")
        return redacted if _is_digest(redacted) else digest_chain.commitment(salt, payload)

    def _check_digest(self, row: Row, due: bytes, committed: bytes) -> None:
        before, self._due = self._due, due
        bound = EventRow._make(row)[:9]
        if before is not None and digest_chain.digest(before, *bound, committed) == row[_DIGEST]:
            # Of the row before, the digest alone was changed, and that has been said.
            self._due = None
            return
        self._say(row[_SEQ], "digest", "this row, or what its digest binds, was changed")
        if not _is_digest(row[_DIGEST]):
            self._previous = due

    def _check_note(self, row: Row) -> None:
        seq, type_, payload = row[_SEQ], row[_TYPE], row[_PAYLOAD]
        if type_ == PRUNED and self._pruned != seq:
            self._say(seq, "tombstone", "rows that it says were pruned still stand")
        if type_ != REDACTED or payload is None:
            return
        for listed in json_text.loads(payload)["seqs"]:
            if type(listed) is not int or not 0 <= listed < seq:
                self._say(seq, "redaction", f"it says that it erased a row {listed!r}")
            elif listed not in self._erased:
                self._say(listed, "redaction", f"row {seq} says that it was erased, and it is not")
            else:
                self._unlisted.discard(listed)


class _Seqs:
    """A set of numbers, small where they stand close together."""

    __slots__ = ("_blocks",)

    def __init__(self) -> None:
        self._blocks: dict[int, int] = {}

    def add(self, number: int) -> None:
        self._blocks[number >> 10] = self._blocks.get(number >> 10, 0) | 1 << (number & 1023)

    def discard(self, number: int) -> None:
        left = self._blocks.get(number >> 10, 0) & ~(1 << (number & 1023))
        if left:
            self._blocks[number >> 10] = left
        else:
            self._blocks.pop(number >> 10, None)

    def __contains__(self, number: int) -> bool:
        return bool(self._blocks.get(number >> 10, 0) >> (number & 1023) & 1)

    def __iter__(self) -> Iterator[int]:
        for block, bits in sorted(self._blocks.items()):
            yield from ((block << 10) + place for place in range(1024) if bits >> place & 1)


def _is_digest(value: Any) -> bool:
    return isinstance(value, bytes) and len(value) == _DIGEST_BYTES
