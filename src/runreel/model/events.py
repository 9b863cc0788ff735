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

# Kinds of events.
RUN = "run"
STREAM_EVENT = "stream_event"
CONTEXT = "context"
TOOL_RESULTS = "tool_results"
NOTE = "note"
KINDS = (RUN, STREAM_EVENT, CONTEXT, TOOL_RESULTS, NOTE)

# Types of notes, in the column ``type``.
OPENED = "opened"
RESUMED = "resumed"
CLOSED = "closed"
INTERRUPTED = "interrupted"
CONFLICT = "conflict"
GAP = "gap"
NOT_UNDERSTOOD = "not_understood"
LOST = "lost"
SENT = "sent"
ATTEMPT = "attempt"
LABELED = "labeled"
MADE_FROM = "made_from"
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
    ATTEMPT,
    LABELED,
    MADE_FROM,
    MASKED,
    REDACTED,
    PRUNED,
)
# Names that select events: the types of stream events, runs and notes, and the kinds.
EVENT_TYPES = tuple(
    dict.fromkeys((*StreamEvent.__members__, *RunStatus.__members__, *NOTES, *KINDS))
)

# States of a recording; the status of the run is independent: see RunStatus.is_finished.
OPEN = "open"
RECORDINGS = (OPEN, CLOSED, INTERRUPTED, PRUNED)


class EventRow(NamedTuple):
    """One row of the table ``events``, columns in order; times are microseconds."""

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
    """One decoded event of the log.

    ``event`` is None if the row is not a stream event or has no equivalent in the SDK. ``raw`` is
    the JSON value of the source, None once redacted. ``text`` is the whole text of the message in
    this event; ``added`` is the text that it appended to the first ``kept`` characters of the text
    of the run.
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
    kept: int | None = None
