"""Events of the log: their rows, kinds and note types."""

from __future__ import annotations

from datetime import datetime, timedelta  # noqa: TC003 - for typing.get_type_hints
from typing import Any, NamedTuple

from runreel.model.results import (  # noqa: TC001 - for typing.get_type_hints
    RunStreamEvent,
    ToolCallList,
)
from runreel.model.status import RunStatus, StreamEvent

MAX_RUN_ID = 200

# Kinds of rows.
RUN = "run"
STREAM_EVENT = "stream_event"
CONTEXT = "context"
TOOL_RESULTS = "tool_results"
NOTE = "note"
KINDS = (RUN, STREAM_EVENT, CONTEXT, TOOL_RESULTS, NOTE)

# Types of notes.
OPENED = "opened"
RESUMED = "resumed"
CLOSED = "closed"
INTERRUPTED = "interrupted"
CONFLICT = "conflict"
GAP = "gap"
NOT_UNDERSTOOD = "not_understood"
LOST = "lost"
SENT = "sent"
MASKED = "masked"
REDACTED = "redacted"
PRUNED = "pruned"
NOTES = (
    OPENED,
    RESUMED,
    CLOSED,
    INTERRUPTED,
    CONFLICT,
    GAP,
    NOT_UNDERSTOOD,
    LOST,
    SENT,
    MASKED,
    REDACTED,
    PRUNED,
)
# What rows are selected by: the types of stream events, runs and notes, and the kinds.
EVENT_TYPES = tuple(
    dict.fromkeys((*StreamEvent.__members__, *RunStatus.__members__, *NOTES, *KINDS))
)

# States of a recording, which is not the status of a run: see RunStatus.is_finished.
OPEN = "open"
RECORDINGS = (OPEN, CLOSED, INTERRUPTED, PRUNED)


class EventRow(NamedTuple):
    """One row of ``events``, its columns in order; times are microseconds."""

    run_id: str
    seq: int
    kind: str
    type: str | None
    source_index: int | None
    at: int
    elapsed: int
    keep: int | None
    added: int | None
    payload: str | None
    salt: bytes | None
    redacted: bytes | None
    digest: bytes


class StoredEvent(NamedTuple):
    """One event of the log, as a reader of it sees it.

    ``event`` is None where the row is no stream event or maps to none; ``raw`` is the source's
    JSON value, None once redacted; ``text`` is the whole text of the message this event carries,
    ``added`` what it appended to the run's text.
    """

    run_id: str
    seq: int
    kind: str
    type: str | None
    source_index: int | None
    at: datetime
    elapsed: timedelta
    event: RunStreamEvent | None
    raw: Any
    text: str | None = None
    added: str | None = None
    error: str | None = None
    tool_calls: ToolCallList | None = None
