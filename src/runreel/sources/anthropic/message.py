"""Interpretation of a message: its status and outcome, and its metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runreel.codec.json_values import object_in, text_in
from runreel.codec.source_protocol import RunMetadata
from runreel.model.status import MessageStatus, RunStatus, StreamEvent
from runreel.sources.anthropic import blocks
from runreel.sources.openai import values as oj

if TYPE_CHECKING:
    from runreel.model.messages import Message
    from runreel.model.results import ToolCallList
    from runreel.sources.anthropic.blocks import Calls, Sources

TYPE = "message"
ERROR = "error"
# The server has paused, and goes on if it gets the message back.
PAUSED = "pause_turn"
_CALLING = "tool_use"
_STATUSES = {
    **dict.fromkeys(("end_turn", "stop_sequence", _CALLING, PAUSED), MessageStatus.COMPLETED),
    **dict.fromkeys(("max_tokens", "model_context_window_exceeded"), MessageStatus.TRUNCATED),
    "refusal": MessageStatus.FILTERED_CONTENT,
}
_STREAMED = {RunStatus.COMPLETED: StreamEvent.DONE, RunStatus.TOOL_CALLS: StreamEvent.TOOL_CALLS}


class Outcome(NamedTuple):
    """Calls that wait for the program, and the message; None without these."""

    tool_calls: ToolCallList | None
    message: Message | None


def status_of(reason: str | None) -> RunStatus:
    """The status of the run after a message with this stop reason."""
    if reason is None or reason == PAUSED:
        return RunStatus.IN_PROGRESS
    return RunStatus.TOOL_CALLS if reason == _CALLING else RunStatus.COMPLETED


def end_of(reason: str | None) -> StreamEvent | None:
    """The event that ends a stream with this stop reason, None if the run goes on."""
    return _STREAMED.get(status_of(reason))


def outcome(
    id_: str | None, parts: tuple[str, ...], calls: Calls, sources: Sources, reason: str | None
) -> Outcome:
    """The outcome of a message with these parts, calls and cited sources."""
    waiting = blocks.pending(calls)
    if waiting is not None and not parts:
        return Outcome(waiting, None)
    message = oj.message(
        id_,
        parts,
        role="assistant",
        status=_STATUSES.get(reason or "end_turn", MessageStatus.UNKNOWN),
        created_at=None,
        finish_reason=reason,
        citations=tuple(source.citation for source in sources),
    )
    return Outcome(waiting, message)


def is_error(value: dict[str, object]) -> bool:
    """Whether an event or body is an error."""
    type_ = text_in(value, "type")
    return type_ == ERROR or (type_ is None and oj.body_error(value) is not None)


def metadata(message: dict[str, object]) -> RunMetadata:
    """Metadata of the run in one of its messages."""
    return RunMetadata(
        model=text_in(message, "model"),
        response_id=text_in(message, "id"),
        service_tier=oj.service_tier(object_in(message, "usage")),
        billed_model=text_in(message, "model"),
    )


def request_metadata(request: dict[str, object]) -> RunMetadata:
    """Metadata of the run in the request for a message."""
    return RunMetadata(
        created_by=text_in(object_in(request, "metadata"), "user_id"),
        model=text_in(request, "model"),
    )
