"""Builds event rows: encoded, salted and chained by digest."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from runreel.codec.json_text import dumps
from runreel.codec.source_protocol import Interpretation, text_only_interpretation
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


# The columns covered by a row's digest, in order.
DigestedColumns = tuple[
    str, int, str, "str | None", "int | None", int, int, "int | None", "int | None"
]


class EventInput(NamedTuple):
    """An event to append: a value of the source, or a note of the recorder."""

    kind: str
    type: str | None
    number: int | None
    value: Any


class NewEvent(NamedTuple):
    """A row ready to append, with its value, its interpretation and the run's text after it.

    ``interpretation`` is None for a text-only row.
    """

    row: EventRow
    value: Any
    interpretation: Interpretation | None
    text: str


def build_events(
    projector: RunProjector, digest: bytes, entries: Iterable[EventInput], at: int, elapsed: int
) -> list[NewEvent]:
    """Build the rows for ``entries``, to append at the head of ``projector``.

    ``digest`` is that of the head; ``at`` (µs since 1970) and ``elapsed`` (µs since the session
    began) are the times of all rows. If a value has a part that its source adapter does not
    understand, a note ``not_understood`` precedes it, once per run and part.

    Raises:
        BadValue: if a value is not a JSON value.
    """
    new_events: list[NewEvent] = []
    columns: DigestedColumns
    encode, noted_unread = projector.transcript.encode, projector.state.noted
    seq, text_before = projector.state.last_seq, projector.transcript.text
    for kind, type_, number, value in entries:
        payload, keep, added, text = encode(kind, type_, number, value, text_before)
        is_text = is_text_only(keep, payload)
        interpretation = None if is_text else projector.interpret(kind, value, text)
        unread = () if interpretation is None else interpretation.unread
        if interpretation is not None and not noted_unread.issuperset(unread):
            seq += 1
            note = {"seq": seq + 1, "what": sorted(set(unread) - noted_unread)}
            noted_unread = noted_unread.union(unread)
            columns = (projector.run_id, seq, NOTE, NOT_UNDERSTOOD, None, at, elapsed, None, None)
            row = chain_row(digest, columns, dumps(note))
            unchanged = Interpretation(memory=interpretation.memory)
            new_events.append(NewEvent(row, note, unchanged, text_before))
            digest = row.digest
        seq += 1
        name = type_ if type_ == PARTIAL else _name(kind, type_, interpretation)
        columns = (projector.run_id, seq, kind, name, number, at, elapsed, keep, added)
        row = chain_row(digest, columns, payload)
        digest, text_before = row.digest, text
        new_events.append(NewEvent(row, value, interpretation, text))
    return new_events


def _name(kind: str, type_: str | None, interpretation: Interpretation | None) -> str | None:
    """Return the type of a row; that of a stream event is the status after it."""
    if kind != STREAM_EVENT or interpretation is None or interpretation.event is None:
        return type_
    return interpretation.event.status.name


def build_text_event(  # noqa: PLR0913, PLR0917 - the columns of a row
    projector: RunProjector,
    digest: bytes,
    value: Any,
    number: int | None,
    text: str,
    at: int,
    elapsed: int,
) -> NewEvent | None:
    """Build the row of a text-only event, equal to that of ``build_events``.

    Returns None if the text has a lone surrogate; ``build_events`` takes such an event.
    """
    encoded = encode_text(text, projector.transcript.text)
    if encoded is None:
        return None
    payload, keep, added, _ = encoded
    seq = projector.state.last_seq + 1
    columns = (projector.run_id, seq, STREAM_EVENT, PARTIAL, number, at, elapsed, keep, added)
    return NewEvent(chain_row(digest, columns, payload), value, None, text)


def apply_events(projector: RunProjector, new_events: Iterable[NewEvent]) -> bool:
    """Apply new rows to the projector. True if the projection changed."""
    changed = False
    for row, value, reading, text in new_events:
        interpretation = reading or text_only_interpretation(text)
        changed |= projector.apply_interpretation(row.kind, row.type, row.at, value, interpretation)
        projector.transcript.set_text(row.keep, text)
    return changed


def chain_row(digest: bytes, columns: DigestedColumns, payload: str) -> EventRow:
    """Build the row of these columns, with a new salt, after a row with this ``digest``."""
    salt = os.urandom(digest_chain.SALT_BYTES)
    row_digest = digest_chain.digest(digest, *columns, digest_chain.commitment(salt, payload))
    return EventRow._make((*columns, payload, salt, None, row_digest))


def opened_note(source: str, via: str, identity: dict[str, Any], *, new: bool) -> EventInput:
    """Build the first note of a session: ``opened`` for a new run, ``resumed`` for another."""
    value = {"via": via, **process_identity.this()._asdict(), **identity}
    if new:
        return EventInput(NOTE, OPENED, None, {"source": source, **value})
    return EventInput(NOTE, RESUMED, None, value)


def gap_note(expected: int, got: int) -> EventInput:
    """Build the note ``gap``: events from ``expected`` up to but not ``got`` are missing."""
    return EventInput(NOTE, GAP, None, {"expected": expected, "got": got})


def conflict_note(entry: EventInput, seq: int) -> EventInput:
    """Build the note ``conflict``: the event of row ``seq`` arrived again as ``entry``."""
    value = {"source_index": entry.number, "seq": seq, "offered": entry.value}
    return EventInput(NOTE, CONFLICT, None, value)
