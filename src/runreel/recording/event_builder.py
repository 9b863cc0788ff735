"""Builds event rows: encoded, salted and chained by digest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from runreel.codec import text_delta
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
from runreel.store.events import salts
from runreel.system import process_identity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from runreel.projection.projector import RunProjector


# The columns covered by a row's digest, in order.
DigestedColumns = tuple[
    str, int, str, "str | None", "int | None", int, int, "int | None", "int | None"
]


# ``_make`` is a function of Python around this one.
_new_tuple = tuple.__new__


class NewEvent(msgspec.Struct):
    """A row ready to append, with its event, its interpretation and the run's text after it.

    ``interpretation`` is None for a text-only row.
    """

    row: EventRow
    event: SourceEvent
    interpretation: Interpretation | None
    text: str


def build_event(  # noqa: PLR0913, PLR0917 - the row before it, and its times
    projector: RunProjector,
    seq: int,
    text: str,
    digest: bytes,
    event: SourceEvent,
    at: int,
    elapsed: int,
) -> NewEvent:
    """Build the row of ``event``, to append after a row with this ``seq``, ``text`` and ``digest``.

    ``at`` is in µs since 1970, ``elapsed`` in µs since the session began.

    Raises:
        BadValue: if its value is not a JSON value.
    """
    encoded = text_delta.encode(event, text)
    payload, keep, name = encoded.payload, encoded.keep, event.type
    interpretation: Interpretation | None = None
    if keep is None or not payload.startswith('"'):
        interpretation = event.read(encoded.text, projector.state.adapter_memory)
        if name != PARTIAL and event.kind == STREAM_EVENT and interpretation.event is not None:
            # The type of a stream event is the status after it.
            name = interpretation.event.status.name
    run_id, index, added = projector.run_id, event.index, encoded.added
    columns = (run_id, seq + 1, event.kind, name, index, at, elapsed, keep, added)
    return NewEvent(chain_row(digest, columns, payload), event, interpretation, encoded.text)


def build_events(
    projector: RunProjector, digest: bytes, events: Iterable[SourceEvent], at: int, elapsed: int
) -> list[NewEvent]:
    """Build the rows for ``events``, to append at the head of ``projector``, whose digest is given.

    If a value has a part that its source adapter does not understand, a note ``not_understood``
    precedes it, once per run and part.

    Raises:
        BadValue: if a value is not a JSON value.
    """
    new_events: list[NewEvent] = []
    seq, text, noted = projector.state.last_seq, projector.transcript.text, projector.state.noted
    for event in events:
        new = build_event(projector, seq, text, digest, event, at, elapsed)
        unread = () if new.interpretation is None else new.interpretation.unread
        if not noted.issuperset(unread):
            missing = set(unread) - noted
            notice = note(NOT_UNDERSTOOD, {"seq": seq + 2, "what": sorted(missing)})
            noted |= missing
            new_events.append(build_event(projector, seq, text, digest, notice, at, elapsed))
            seq, digest = seq + 1, new_events[-1].row.digest
            new = build_event(projector, seq, text, digest, event, at, elapsed)
        new_events.append(new)
        seq, text, digest = new.row.seq, new.text, new.row.digest
    return new_events


def apply_events(projector: RunProjector, new_events: Iterable[NewEvent]) -> bool:
    """Apply new rows to the projector. True if the projection changed."""
    changed = False
    for new in new_events:
        interpretation = new.interpretation or text_only_interpretation(new.text)
        changed |= projector.apply_event(new.event, new.row.at, interpretation)
        projector.transcript.set_text(new.row.keep, new.text)
        projector.passed(new.row, new.interpretation)
    return changed


def chain_row(digest: bytes, columns: DigestedColumns, payload: str) -> EventRow:
    """Build the row of these columns, with a new salt, after a row with this ``digest``."""
    salt = salts.salt()
    row_digest = digest_chain.digest(digest, *columns, digest_chain.commitment(salt, payload))
    return _new_tuple(EventRow, (*columns, payload, salt, None, row_digest))


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
