"""Builds event rows: encoded, salted and chained by digest."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from runreel.codec import text_delta
from runreel.codec.json_text import dumps
from runreel.codec.source_protocol import Interpretation, SourceEvent, text_only_interpretation
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
    from collections.abc import Iterable, Mapping

    from runreel.projection.projector import RunProjector


# The columns covered by a row's digest, in order.
DigestedColumns = tuple[
    str, int, str, "str | None", "int | None", int, int, "int | None", "int | None"
]


class NewEvent(NamedTuple):
    """A row ready to append, with its event, its interpretation and the run's text after it.

    ``interpretation`` is None for a text-only row.
    """

    row: EventRow
    event: SourceEvent
    interpretation: Interpretation | None
    text: str

    def changes_only_text(self) -> bool:
        """True for a partial message that changes nothing but the text."""
        return self.interpretation is None or self.interpretation.changes_only_text()


def build_events(
    projector: RunProjector, digest: bytes, events: Iterable[SourceEvent], at: int, elapsed: int
) -> list[NewEvent]:
    """Build the rows for ``events``, to append at the head of ``projector``.

    ``digest`` is that of the head; ``at`` (µs since 1970) and ``elapsed`` (µs since the session
    began) are the times of all rows. If a value has a part that its source adapter does not
    understand, a note ``not_understood`` precedes it, once per run and part.

    Raises:
        BadValue: if a value is not a JSON value.
    """
    new_events: list[NewEvent] = []
    columns: DigestedColumns
    noted_unread, memory = projector.state.noted, projector.state.adapter_memory
    seq, text_before = projector.state.last_seq, projector.transcript.text
    for event in events:
        payload, keep, added, text = text_delta.encode(event, text_before)
        is_text = text_delta.is_text_only(keep, payload)
        interpretation = None if is_text else event.read(text, memory)
        unread = () if interpretation is None else interpretation.unread
        if interpretation is not None and not noted_unread.issuperset(unread):
            seq += 1
            value = {"seq": seq + 1, "what": sorted(set(unread) - noted_unread)}
            noted_unread = noted_unread.union(unread)
            notice = note(NOT_UNDERSTOOD, value)
            columns = (projector.run_id, seq, NOTE, NOT_UNDERSTOOD, None, at, elapsed, None, None)
            row = chain_row(digest, columns, dumps(value))
            unchanged = Interpretation(memory=interpretation.memory)
            new_events.append(NewEvent(row, notice, unchanged, text_before))
            digest = row.digest
        seq += 1
        name = event.type if event.type == PARTIAL else _name(event, interpretation)
        columns = (projector.run_id, seq, event.kind, name, event.index, at, elapsed, keep, added)
        row = chain_row(digest, columns, payload)
        digest, text_before = row.digest, text
        new_events.append(NewEvent(row, event, interpretation, text))
    return new_events


def _name(event: SourceEvent, interpretation: Interpretation | None) -> str | None:
    """Return the type of a row; that of a stream event is the status after it."""
    if event.kind != STREAM_EVENT or interpretation is None or interpretation.event is None:
        return event.type
    return interpretation.event.status.name


def apply_events(projector: RunProjector, new_events: Iterable[NewEvent]) -> bool:
    """Apply new rows to the projector. True if the projection changed."""
    changed = False
    for row, event, reading, text in new_events:
        interpretation = reading or text_only_interpretation(text)
        changed |= projector.apply_event(event, row.at, interpretation)
        projector.transcript.set_text(row.keep, text)
    return changed


def chain_row(digest: bytes, columns: DigestedColumns, payload: str) -> EventRow:
    """Build the row of these columns, with a new salt, after a row with this ``digest``."""
    salt = os.urandom(digest_chain.SALT_BYTES)
    row_digest = digest_chain.digest(digest, *columns, digest_chain.commitment(salt, payload))
    return EventRow._make((*columns, payload, salt, None, row_digest))


def note(type_: str, value: Mapping[str, object]) -> SourceEvent:
    """Return a note of the recorder as an event to append."""
    return SourceEvent(NOTE, value, type_)


def opened_note(source: str, via: str, identity: dict[str, Any], *, new: bool) -> SourceEvent:
    """Return the first note of a session: ``opened`` for a new run, ``resumed`` for another."""
    value = {"via": via, **process_identity.this()._asdict(), **identity}
    return note(OPENED, {"source": source, **value}) if new else note(RESUMED, value)


def gap_note(expected: int, got: int) -> SourceEvent:
    """Return the note ``gap``: events from ``expected`` up to but not ``got`` are missing."""
    return note(GAP, {"expected": expected, "got": got})


def conflict_note(event: SourceEvent, seq: int) -> SourceEvent:
    """Return the note ``conflict``: the event of row ``seq`` arrived again as ``event``."""
    return note(CONFLICT, {"source_index": event.index, "seq": seq, "offered": event.value})
