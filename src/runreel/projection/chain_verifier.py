"""Verification of one run's hash chain, row by row."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from runreel.codec import json_text
from runreel.integrity import digest_chain
from runreel.model.events import KINDS, NOTE, PRUNED, REDACTED, EventRow
from runreel.projection.tombstone import tombstone_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Row = tuple[Any, ...]
    # Receives the position (None: the whole run), the code of the finding and a sentence.
    Report = Callable[[int | None, str, str], None]

AnyRow = TypeVar("AnyRow", bound="tuple[Any, ...]")
_KINDS = frozenset(KINDS)
_DIGEST_BYTES = 32
_SALT_BYTES = digest_chain.SALT_BYTES
_SEQ, _KIND, _TYPE, _PAYLOAD, _SALT, _REDACTED, _DIGEST = (
    EventRow._fields.index(name)
    for name in ("seq", "kind", "type", "payload", "salt", "redacted", "digest")
)


class ChainVerifier:
    """Verifies a run's hash chain row by row and reports each problem as it is found.

    A row is checked against the digest stored in the row before it, so one change is one finding.
    A chain that was recomputed as a whole looks intact: only a checkpoint reveals that.
    """

    __slots__ = ("_erased", "_expected", "_next", "_previous", "_pruned", "_report", "_run_id")

    def __init__(self, run_id: str, report: Report) -> None:
        self._report = report
        self._run_id = run_id
        self._next = 0
        self._previous: bytes | None = digest_chain.genesis(run_id)
        # The correct digest of the row before, if its stored digest is wrong.
        self._expected: bytes | None = None
        # The position of the tombstone at the start of the run.
        self._pruned: int | None = None
        # Positions of erased rows, and whether a note of a redaction has listed them.
        self._erased: dict[int, bool] = {}

    def suspects(self, rows: Sequence[AnyRow]) -> Iterator[tuple[int, AnyRow]]:
        """Yield those of the next rows that the caller must ``check`` or skip, with their places.

        The others are checked here, in less time.
        """
        place = self.pass_intact(rows, 0)
        while place < len(rows):
            yield place, rows[place]
            place = self.pass_intact(rows, place + 1)

    def pass_intact(self, rows: Sequence[Row], start: int) -> int:
        """Return the index of the first row from ``start`` on that must be checked by itself.

        The rows before it are checked. It takes less time than ``check`` of each, and no column of
        a wrong type raises an exception.
        """
        if self._previous is None or self._pruned is not None:
            return start
        number, self._previous = digest_chain.intact_rows(
            self._previous, self._run_id, self._next, islice(rows, start, None), _is_plain
        )
        self._next += number
        return start + number

    def check(self, row: Row) -> None:
        """Check the next row. Columns of a wrong type may raise any exception."""
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
            expected = digest_chain.digest(
                previous, run_id, seq, kind, type_, index, at, elapsed, keep, added, committed
            )
            if expected != digest:
                self._check_digest(row, expected, committed)
        if kind == NOTE:
            self._check_note(row)
        elif self._pruned is not None:
            self._report(seq, "tombstone", "an event after the tombstone of a pruned run")
        if kind not in _KINDS:
            self._report(seq, "kind", f"invalid kind {kind!r}")

    def end(self) -> None:
        """Report what only the end of the run shows: payloads erased without a note."""
        for seq, is_listed in sorted(self._erased.items()):
            if not is_listed:
                detail = "the payload is gone, and no note records its redaction"
                self._report(seq, "redaction", detail)

    def skip_row(self, row: Row) -> None:
        """Continue after a row that ``check`` could not read."""
        seq, digest = row[_SEQ], row[_DIGEST]
        self._previous = digest if _is_digest(digest) else None
        if type(seq) is int:
            self._next = seq + 1

    def _check_position(self, row: Row) -> None:
        seq = row[_SEQ]
        if type(seq) is not int:
            raise TypeError(f"seq is {seq!r}")
        tombstone = None
        if self._next == 0 and (row[_KIND], row[_TYPE]) == (NOTE, PRUNED):
            self._pruned = seq
            tombstone = tombstone_of(EventRow._make(row))
            if tombstone is None:
                self._report(
                    seq,
                    "tombstone",
                    "its digest does not follow from the row that it names as the last one pruned",
                )
        elif seq < self._next:
            self._report(seq, "order", f"comes after row {self._next - 1}")
        else:
            missing = (
                f"row {seq - 1} is"
                if seq - self._next == 1
                else f"rows {self._next} to {seq - 1} are"
            )
            self._report(seq, "gap", f"{missing} missing before it")
        self._previous = None if tombstone is None else tombstone.digest

    def _check_columns(self, row: Row) -> bytes:
        """Return the commitment of a row that was erased or whose columns contradict each other."""
        seq, payload, salt, redacted = row[_SEQ], row[_PAYLOAD], row[_SALT], row[_REDACTED]
        if payload is salt is None and _is_digest(redacted):
            if row[_KIND] == NOTE and row[_TYPE] in (REDACTED, PRUNED):
                self._report(seq, "redaction", f"a note of type {row[_TYPE]} must not be erased")
            self._erased[seq] = False
            committed: bytes = redacted
            return committed
        self._report(seq, "columns", "payload, salt and redacted contradict each other")
        return redacted if _is_digest(redacted) else digest_chain.commitment(salt, payload)

    def _check_digest(self, row: Row, expected: bytes, committed: bytes) -> None:
        before, self._expected = self._expected, expected
        bound = EventRow._make(row)[:9]
        if before is not None and digest_chain.digest(before, *bound, committed) == row[_DIGEST]:
            # Only the digest of the row before was changed, and that has been reported.
            self._expected = None
            return
        self._report(row[_SEQ], "digest", "this row, or data that its digest covers, was changed")
        if not _is_digest(row[_DIGEST]):
            self._previous = expected

    def _check_note(self, row: Row) -> None:
        seq, type_, payload = row[_SEQ], row[_TYPE], row[_PAYLOAD]
        if type_ == PRUNED and self._pruned != seq:
            self._report(seq, "tombstone", "rows that it lists as pruned still exist")
        if type_ != REDACTED or payload is None:
            return
        for listed in json_text.loads(payload)["seqs"]:
            if type(listed) is not int or not 0 <= listed < seq:
                self._report(seq, "redaction", f"it lists an invalid row {listed!r} as erased")
            elif listed not in self._erased:
                self._report(listed, "redaction", f"row {seq} lists it as erased, but it is not")
            else:
                self._erased[listed] = True


def _is_plain(kind: str, type_: str | None) -> bool:
    """Return whether a row of this kind and type says nothing about other rows."""
    return kind in _KINDS and (kind != NOTE or type_ not in (REDACTED, PRUNED))


def _is_digest(value: object) -> bool:
    return isinstance(value, bytes) and len(value) == _DIGEST_BYTES
