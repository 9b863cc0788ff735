"""Rows made ready for the log: encoded, salted, chained."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from runreel.codec.json_text import dumps
from runreel.codec.source_protocol import Interpretation
from runreel.codec.source_protocol import text_only_interpretation as only_text
from runreel.codec.text_delta import encode_text, is_text_only
from runreel.integrity import digest_chain
from runreel.model.events import (
    CONFLICT,
    GAP,
    NOT_UNDERSTOOD,
    NOTE,
    OPENED,
    RESUMED,
    STREAM_EVENT,
    EventRow,
)
from runreel.model.status import PARTIAL
from runreel.system import process_identity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runreel.projection.projector import RunProjector


# The columns of a row that its digest binds, in order.
DigestedColumns = tuple[
    str, int, str, "str | None", "int | None", int, int, "int | None", "int | None"
]


class EventInput(NamedTuple):
    """Something to append: a value of the source, or a note of ours."""

    kind: str
    type: str | None
    number: int | None
    value: Any


class NewEvent(NamedTuple):
    """A row ready to be appended, with what it was made of and the run's text after it.

    ``reading`` is None where the row holds nothing but text: see ``parse_text_only``.
    """

    row: EventRow
    value: Any
    reading: Interpretation | None
    text: str


def build_events(
    fold: RunProjector, digest: bytes, entries: Iterable[EventInput], at: int, elapsed: int
) -> list[NewEvent]:
    """Rows for ``entries`` right behind ``fold``, whose last row has this digest.

    Where a value holds what its reader does not understand, a note right before it says so, once
    a run.

    Raises:
        BadValue: if a value is no JSON value.
    """
    made: list[NewEvent] = []
    bound: DigestedColumns
    write, noted = fold.transcript.encode, fold.state.noted
    seq, before = fold.state.last_seq, fold.transcript.text
    for kind, type_, number, value in entries:
        payload, keep, added, text = write(kind, type_, number, value, before)
        reading = None if is_text_only(keep, payload) else fold.interpret(kind, value, text)
        if reading is not None and reading.unread and not noted.issuperset(reading.unread):
            seq += 1
            note = {"seq": seq + 1, "what": sorted(set(reading.unread) - noted)}
            noted = noted.union(reading.unread)
            bound = (fold.run_id, seq, NOTE, NOT_UNDERSTOOD, None, at, elapsed, None, None)
            row = chain_row(digest, bound, dumps(note))
            made.append(NewEvent(row, note, Interpretation(memory=reading.memory), before))
            digest = row.digest
        seq += 1
        name = type_ if type_ == PARTIAL else _name(kind, type_, reading)
        bound = (fold.run_id, seq, kind, name, number, at, elapsed, keep, added)
        row = chain_row(digest, bound, payload)
        digest, before = row.digest, text
        made.append(NewEvent(row, value, reading, text))
    return made


def _name(kind: str, type_: str | None, reading: Interpretation | None) -> str | None:
    """The type of a row, by what its event means behind those before it."""
    if kind != STREAM_EVENT or reading is None or reading.event is None:
        return type_
    return reading.event.status.name


def build_text_event(  # noqa: PLR0913, PLR0917 - as above, for one event that its reader calls spoken
    fold: RunProjector,
    digest: bytes,
    value: Any,
    number: int | None,
    text: str,
    at: int,
    elapsed: int,
) -> NewEvent | None:
    """The row of an event that is nothing but ``text``; the same as ``draft`` makes, if it can."""
    spelled = encode_text(text, fold.transcript.text)
    if spelled is None:
        return None
    payload, keep, added, _ = spelled
    seq = fold.state.last_seq + 1
    bound = (fold.run_id, seq, STREAM_EVENT, PARTIAL, number, at, elapsed, keep, added)
    return NewEvent(chain_row(digest, bound, payload), value, None, text)


def apply_events(fold: RunProjector, made: Iterable[NewEvent]) -> bool:
    """Move a fold over rows right behind it; whether a list of runs shows anything of them."""
    changed = False
    for row, value, reading, text in made:
        told = reading or only_text(text)
        changed |= fold.apply_interpretation(row.kind, row.type, row.at, value, told)
        fold.transcript.set_text(row.keep, text)
    return changed


def chain_row(digest: bytes, bound: DigestedColumns, payload: str) -> EventRow:
    """The row of these columns, behind one with this ``digest``; its salt is new."""
    salt = os.urandom(digest_chain.SALT_BYTES)
    own = digest_chain.digest(digest, *bound, digest_chain.commitment(salt, payload))
    return EventRow._make((*bound, payload, salt, None, own))


def opened_note(source: str, via: str, identity: dict[str, Any], *, new: bool) -> EventInput:
    """The note that a session begins with, of a run that is new or goes on."""
    value = {"via": via, **process_identity.this()._asdict(), **identity}
    if new:
        return EventInput(NOTE, OPENED, None, {"source": source, **value})
    return EventInput(NOTE, RESUMED, None, value)


def gap_note(expected: int, got: int) -> EventInput:
    """The note that the source's events from ``expected`` to before ``got`` did not come."""
    return EventInput(NOTE, GAP, None, {"expected": expected, "got": got})


def conflict_note(entry: EventInput, seq: int) -> EventInput:
    """The note that the event of row ``seq`` was told again as ``entry``."""
    value = {"source_index": entry.number, "seq": seq, "offered": entry.value}
    return EventInput(NOTE, CONFLICT, None, value)
