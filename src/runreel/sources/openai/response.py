"""Interpretation of a response of the Responses API: outcome, message, calls and metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from runreel.codec import plain_json as pj
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


class Outcome(NamedTuple):
    """Status, error, calls and message of a response."""

    status: RunStatus
    error: str | None = None
    error_code: int | str | None = None
    tool_calls: ToolCallList | None = None
    message: Message | PartialMessage | None = None


def outcome(response: dict[str, Any], status: str | None = None) -> Outcome:
    """The outcome of a response; ``status`` overrides the status in it."""
    run_status = _status(response, status)
    message = _message(response)
    if run_status is RunStatus.FAILED:
        partial = PartialMessage(message.parts, _separator="") if message.parts else None
        return Outcome(run_status, *_error(response), message=partial)
    if run_status is RunStatus.TOOL_CALLS:
        waiting = items.calls(_items(response))
        return Outcome(run_status, tool_calls=waiting, message=message if message.parts else None)
    return Outcome(run_status, message=message if run_status is RunStatus.COMPLETED else None)


def metadata(response: dict[str, Any], *, first: bool) -> RunMetadata:
    """Metadata of the run; its creation time is that of its ``first`` response."""
    return RunMetadata(
        assistant_id=_assistant(response),
        thread_id=_conversation(response),
        created_by=pj.as_text(response.get("user")) or None,
        model=pj.as_text(response.get("model")) or None,
        created_at=created(response) if first else None,
        labels=pj.as_labels(response.get("metadata")) or None,
        response_id=id_of(response),
    )


def request_metadata(request: dict[str, Any]) -> RunMetadata:
    """Metadata of the run in the request for a response."""
    return RunMetadata(
        assistant_id=_assistant(request),
        model=pj.as_text(request.get("model")) or None,
        labels=pj.as_labels(request.get("metadata")) or None,
    )


def id_of(response: dict[str, Any]) -> str | None:
    """The id of the response, None without one."""
    return pj.as_text(response.get("id")) or None


def created(response: dict[str, Any]) -> int | None:
    """Creation time in µs since the epoch, None without one."""
    return micros(response.get("created_at"))


def _status(response: dict[str, Any], given: str | None) -> RunStatus:
    name = given or pj.as_text(response.get("status")) or ""
    status = _STATUSES.get(name, RunStatus.UNKNOWN)
    if response.get("error") and status not in _RUNNING:
        return RunStatus.FAILED
    waits = name == "completed" and items.calls(_items(response)) is not None
    return RunStatus.TOOL_CALLS if waits else status


def _error(response: dict[str, Any]) -> tuple[str | None, int | str | None]:
    if response.get("status") == "cancelled" and not response.get("error"):
        return "the response was cancelled", "cancelled"
    return oj.error(response.get("error"))


def _message(response: dict[str, Any]) -> Message:
    messages = [item for item in _items(response) if item.get("type") == items.MESSAGE]
    parts = [pj.as_object(part) for item in messages for part in pj.as_list(item.get("content"))]
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
            Citation((_source(pj.as_object(note)),))
            for part in parts
            for note in pj.as_list(part.get("annotations"))
        ),
    )


def _message_status(response: dict[str, Any]) -> MessageStatus:
    if response.get("status") != "incomplete":
        return MessageStatus.COMPLETED
    filtered = _incomplete(response) == "content_filter"
    return MessageStatus.FILTERED_CONTENT if filtered else MessageStatus.TRUNCATED


def _incomplete(response: dict[str, Any]) -> str | None:
    """The server's reason for an incomplete response."""
    return pj.as_text(pj.as_object(response.get("incomplete_details")).get("reason")) or None


def _source(note: dict[str, Any]) -> FileChunk | UnknownSource:
    if isinstance(note.get("file_id"), str):
        file = File(id=note["file_id"], name=pj.as_text(note.get("filename")))
        return FileChunk(parts=(), search_index=SearchIndex(id=None), file=file)
    texts = (pj.as_text(note.get(key)) for key in ("title", "url"))
    return UnknownSource(" ".join(text for text in texts if text))


def _items(response: dict[str, Any]) -> list[dict[str, Any]]:
    return [pj.as_object(item) for item in pj.as_list(response.get("output"))]


def _text(part: dict[str, Any]) -> str | None:
    return next((part[key] for key in TEXT_KEYS if isinstance(part.get(key), str)), None)


def _assistant(value: dict[str, Any]) -> str | None:
    return pj.as_text(pj.as_object(value.get("prompt")).get("id")) or None


def _conversation(response: dict[str, Any]) -> str | None:
    return pj.as_text(pj.as_object(response.get("conversation")).get("id")) or None
