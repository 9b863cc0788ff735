"""Reads the rows of a run as the events that they store."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from runreel.codec import text_delta
from runreel.model.errors import BadValue
from runreel.model.events import StoredEvent
from runreel.model.results import partial_event
from runreel.model.timestamps import from_micros
from runreel.projection.projector import DamagedRow
from runreel.projection.stored_events import stored_event

if TYPE_CHECKING:
    from runreel.model.events import EventRow
    from runreel.projection.projector import RunProjector

# ``StoredEvent(…)`` is a function of Python around this one, and takes twice as long.
_new_tuple = tuple.__new__


def next_event(projector: RunProjector, row: EventRow) -> StoredEvent:
    """Apply the next row, and return it as readers of the log see it.

    Raises:
        DamagedRow: if the row is damaged.
    """
    if text_delta.is_text_row(row) and projector.accepts_text_fast_path:
        return _text_event(projector, row)
    projected = projector.apply(row)
    text = projector.transcript.text
    return stored_event(row, projected.value, projected.interpretation, text)


def _text_event(projector: RunProjector, row: EventRow) -> StoredEvent:
    """Do the same for a text-only row: most rows of a stream, whose event is made in less time."""
    run_id, seq, kind, type_, index, at, elapsed, keep, _, payload, _, _, _ = row
    try:
        text = projector.transcript.text[:keep] + text_delta.text_only_text(str(payload))
        value = projector.reader.envelope(type_, index, text)
        if value is None:
            raise BadValue("the payload is damaged: it has no envelope")
    except (BadValue, AttributeError, KeyError, TypeError) as error:
        raise DamagedRow(row, error) from error
    projector.apply_text(text)
    if projector.frames is not None:
        projector.passed(row, None)
    event = partial_event(projector.state.message)
    columns = run_id, seq, kind, type_, index, from_micros(at), timedelta(0, 0, elapsed)
    return _new_tuple(StoredEvent, (*columns, event, value, text, text[keep:], None, None, keep))
