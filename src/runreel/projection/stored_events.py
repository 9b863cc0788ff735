"""Rows of the event log as readers of the log see them."""

from __future__ import annotations

from datetime import timedelta

from runreel.codec.source_protocol import Interpretation, text_only_interpretation
from runreel.model.events import EventRow, StoredEvent
from runreel.model.timestamps import from_micros


def stored_event(
    row: EventRow, value: object, interpretation: Interpretation | None, text: str
) -> StoredEvent:
    """Return a row as readers of the log see it; ``text`` is the run's text after it.

    ``interpretation`` is None for a text-only row.
    """
    run_id, seq, kind, type_, index, at, elapsed, keep, *_ = row
    columns = (run_id, seq, kind, type_, index, from_micros(at), timedelta(0, 0, elapsed))
    added = None if keep is None else text[keep:]
    if interpretation is None:
        event = text_only_interpretation(text).event
        return StoredEvent(*columns, event, value, text, added, kept=keep)
    content = interpretation.event or interpretation.result
    if content is None:
        return StoredEvent(*columns, None, value, added=added, kept=keep)
    message = content._message  # noqa: SLF001 - failed ones refuse to show it
    message_text = None if message is None else message.text
    return StoredEvent(
        *columns,
        interpretation.event,
        value,
        message_text,
        added,
        content.error,
        content.tool_calls,
        keep,
    )
