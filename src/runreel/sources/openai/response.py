"""Interpretation of a response of the Responses API: outcome, message, calls and metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runreel.codec.json_values import as_labels, as_text, object_in, objects_in, text_in
from runreel.codec.source_protocol import RunMetadata
from runreel.model.messages import (
    Citation,
    File,
    FileChunk,
    Message,
    PartialMessage,
    SearchIndex,
    UnknownSource,
)
from runreel.model.status import MessageStatus, RunStatus
from runreel.model.timestamps import micros
from runreel.sources.openai import items
from runreel.sources.openai import values as oj
from runreel.sources.requests import conversation_of

if TYPE_CHECKING:
    from runreel.model.results import ToolCallList

# Keys of a content part that hold its text.
TEXT_KEYS = ("text", "refusal")

_STATUSES = {
    "queued": RunStatus.PENDING,
    "in_progress": RunStatus.IN_PROGRESS,
    "completed": RunStatus.COMPLETED,
    "incomplete": RunStatus.COMPLETED,
    "failed": RunStatus.FAILED,
    "cancelled": RunStatus.FAILED,
}
_RUNNING = (RunStatus.PENDING, RunStatus.IN_PROGRESS)
_ENDED = (RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.TOOL_CALLS)


class Outcome(NamedTuple):
    """Status, error, calls and message of a response."""

    status: RunStatus
    error: str | None = None
    error_code: int | str | None = None
    tool_calls: ToolCallList | None = None
    message: Message | PartialMessage | None = None


def outcome(response: dict[str, object], status: str | None = None) -> Outcome:
    """The outcome of a response; ``status`` overrides the status in it."""
    run_status = status_of(response, status)
    if run_status not in _ENDED:
        return Outcome(run_status)
    message = _message(response)
    if run_status is RunStatus.COMPLETED:
        return Outcome(run_status, message=message)
    if run_status is RunStatus.FAILED:
        partial = PartialMessage(message.parts, _separator="") if message.parts else None
        return Outcome(run_status, *_error(response), message=partial)
    calls = items.calls(objects_in(response, "output"))
    return Outcome(run_status, tool_calls=calls, message=message if message.parts else None)


def status_of(response: dict[str, object], status: str | None = None) -> RunStatus:
    """The status of the run after a response; ``status`` overrides the status in it."""
    name = status or text_in(response, "status") or ""
    found = _STATUSES.get(name, RunStatus.UNKNOWN)
    if response.get("error") and found not in _RUNNING:
        return RunStatus.FAILED
    waits = name == "completed" and items.calls(objects_in(response, "output")) is not None
    return RunStatus.TOOL_CALLS if waits else found


def metadata(response: dict[str, object], *, first: bool) -> RunMetadata:
    """Metadata of the run; its creation time is that of its ``first`` response."""
    return RunMetadata(
        assistant_id=_assistant(response),
        thread_id=_conversation(response),
        created_by=text_in(response, "user"),
        model=text_in(response, "model"),
        created_at=created(response) if first else None,
        labels=as_labels(response.get("metadata")) or None,
        response_id=id_of(response),
        service_tier=oj.service_tier(response),
        billed_model=text_in(response, "model"),
    )


def request_metadata(request: dict[str, object]) -> RunMetadata:
    """Metadata of the run in the request for a response."""
    return RunMetadata(
        assistant_id=_assistant(request),
        thread_id=conversation_of(request),
        model=text_in(request, "model"),
        labels=as_labels(request.get("metadata")) or None,
    )


def id_of(response: dict[str, object]) -> str | None:
    """The id of the response, None without one."""
    return text_in(response, "id")


def created(response: dict[str, object]) -> int | None:
    """Creation time in µs since the epoch, None without one."""
    return micros(response.get("created_at"))


def _error(response: dict[str, object]) -> tuple[str | None, int | str | None]:
    if response.get("status") == "cancelled" and not response.get("error"):
        return "the response was cancelled", "cancelled"
    return oj.error(response.get("error"))


def _message(response: dict[str, object]) -> Message:
    output = objects_in(response, "output")
    messages = [item for item in output if item.get("type") == items.MESSAGE]
    parts = [part for item in messages for part in objects_in(item, "content")]
    first = messages[0] if messages else {}
    return oj.message(
        first.get("id"),
        tuple(text for part in parts if (text := _text(part)) is not None),
        role=first.get("role"),
        status=_message_status(response),
        created_at=created(response),
        thread_id=_conversation(response),
        finish_reason=_incomplete(response),
        citations=tuple(
            Citation((_source(note),)) for part in parts for note in objects_in(part, "annotations")
        ),
    )


def _message_status(response: dict[str, object]) -> MessageStatus:
    if response.get("status") != "incomplete":
        return MessageStatus.COMPLETED
    filtered = _incomplete(response) == "content_filter"
    return MessageStatus.FILTERED_CONTENT if filtered else MessageStatus.TRUNCATED


def _incomplete(response: dict[str, object]) -> str | None:
    """The server's reason for an incomplete response."""
    return text_in(object_in(response, "incomplete_details"), "reason")


def _source(note: dict[str, object]) -> FileChunk | UnknownSource:
    file_id = note.get("file_id")
    if isinstance(file_id, str):
        file = File(id=file_id, name=as_text(note.get("filename")))
        return FileChunk(parts=(), search_index=SearchIndex(id=None), file=file)
    texts = (text_in(note, key) for key in ("title", "url"))
    return UnknownSource(" ".join(text for text in texts if text))


def _text(part: dict[str, object]) -> str | None:
    texts = (part.get(key) for key in TEXT_KEYS)
    return next((text for text in texts if isinstance(text, str)), None)


def _assistant(value: dict[str, object]) -> str | None:
    return text_in(object_in(value, "prompt"), "id")


def _conversation(response: dict[str, object]) -> str | None:
    return text_in(object_in(response, "conversation"), "id")
