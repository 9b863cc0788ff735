"""Rows made ready for the log: encoded, salted, chained."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from runreel.rules import chain
from runreel.rules.codec import is_spoken
from runreel.rules.transcript import Transcript
from runreel.words.log import CONFLICT, GAP, NOTE, EventRow

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runreel.projector import Fold
    from runreel.rules.reading import Reading


class Entry(NamedTuple):
    """Something to append: a value of the source, or a note of ours."""

    kind: str
    type: str | None
    number: int | None
    value: Any


class Draft(NamedTuple):
    """A row ready to be appended, with what it was made of and the run's text after it.

    ``reading`` is None where the row holds nothing but text: see ``reading.spoken``.
    """

    row: EventRow
    value: Any
    reading: Reading | None
    text: str


def draft(
    fold: Fold, digest: bytes, entries: Iterable[Entry], at: int, elapsed: int
) -> list[Draft]:
    """Rows for ``entries`` right behind ``fold``, whose last row has this digest.

    Raises:
        BadValue: if a value is no JSON value.
    """
    transcript = Transcript(fold.reader, fold.transcript.text)
    made = []
    for seq, (kind, type_, number, value) in enumerate(entries, fold.state.last_seq + 1):
        payload, keep, added, text = transcript.write(kind, type_, number, value)
        transcript.text = text
        salt = os.urandom(chain.SALT_BYTES)
        bound = (fold.run_id, seq, kind, type_, number, at, elapsed, keep, added)
        digest = chain.digest(digest, *bound, chain.commitment(salt, payload))
        row = EventRow._make((*bound, payload, salt, None, digest))
        reading = None if is_spoken(keep, payload) else fold.read(kind, value, text)
        made.append(Draft(row, value, reading, text))
    return made


def gap(expected: int, got: int) -> Entry:
    """The note that the source's events from ``expected`` to before ``got`` did not come."""
    return Entry(NOTE, GAP, None, {"expected": expected, "got": got})


def conflict(entry: Entry, seq: int) -> Entry:
    """The note that the event of row ``seq`` was told again as ``entry``."""
    value = {"source_index": entry.number, "seq": seq, "offered": entry.value}
    return Entry(NOTE, CONFLICT, None, value)
