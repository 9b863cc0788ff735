"""What a response of the Responses API says: how it ended, its message and calls, its facts."""

from __future__ import annotations

from typing import Any, NamedTuple

from runreel.rules import plain_json as pj
from runreel.rules.reading import Facts
from runreel.sources import openai_json as oj
from runreel.words.messages import (
    Citation,
    File,
    FileChunk,
    Message,
    SearchIndex,
    UnknownSource,
)
from runreel.words.results import ToolCallList
from runreel.words.status import MessageStatus, RunStatus
from runreel.words.times import micros

# The keys of a content part under which its text stands.
TEXT_KEYS = ("text", "refusal")

_STATUSES = {
    "queued": RunStatus.PENDING,
    "in_progress": RunStatus.IN_PROGRESS,
    "completed": RunStatus.COMPLETED,
    "incomplete": RunStatus.COMPLETED,
    "failed": RunStatus.FAILED,
    "cancelled": RunStatus.FAILED,
}


class Outcome(NamedTuple):
    """What a response came to."""

    status: RunStatus
    error: str | None = None
    error_code: int | str | None = None
    tool_calls: ToolCallList | None = None
    message: Message | None = None


def outcome(response: dict[str, Any], status: str | None = None) -> Outcome:
    """What the response came to, by its own ``status`` or the one given."""
    told = _status(response, status)
    if told is RunStatus.FAILED:
        return Outcome(told, *_error(response))
    if told is RunStatus.TOOL_CALLS:
        message = _message(response)
        return Outcome(told, tool_calls=calls(response), message=message if message.parts else None)
    over = told is RunStatus.COMPLETED
    return Outcome(told, message=_message(response) if over else None)


def facts(response: dict[str, Any], *, first: bool) -> Facts:
    """What it says of its run, which was created when its ``first`` response was."""
    return Facts(
        assistant_id=_assistant(response),
        thread_id=_conversation(response),
        created_by=pj.as_text(response.get("user")) or None,
        model=pj.as_text(response.get("model")) or None,
        created_at=created(response) if first else None,
        labels=pj.as_labels(response.get("metadata")) or None,
        response_id=id_of(response),
    )


def request_facts(request: dict[str, Any]) -> Facts:
    """What the request for a response says of its run."""
    return Facts(
        assistant_id=_assistant(request),
        model=pj.as_text(request.get("model")) or None,
        labels=pj.as_labels(request.get("metadata")) or None,
    )


def id_of(response: dict[str, Any]) -> str | None:
    """The response's id."""
    return pj.as_text(response.get("id")) or None


def created(response: dict[str, Any]) -> int | None:
    """When it was created, µs since the epoch."""
    return micros(response.get("created_at"))


def calls(response: dict[str, Any]) -> ToolCallList | None:
    """The calls of functions and custom tools that it waits for."""
    found = []
    for item in _items(response):
        if item.get("type") == "function_call":
            found.append(oj.call(item.get("call_id"), item.get("name"), item.get("arguments")))
        elif item.get("type") == "custom_tool_call":
            found.append(oj.custom_call(item.get("call_id"), item.get("name"), item.get("input")))
    return ToolCallList(tuple(found)) if found else None


def _status(response: dict[str, Any], given: str | None) -> RunStatus:
    name = given or pj.as_text(response.get("status")) or ""
    status = _STATUSES.get(name, RunStatus.UNKNOWN)
    waits = name == "completed" and calls(response) is not None
    return RunStatus.TOOL_CALLS if waits else status


def _error(response: dict[str, Any]) -> tuple[str | None, int | str | None]:
    if response.get("status") == "cancelled" and not response.get("error"):
        return "the response was cancelled", "cancelled"
    return oj.error(response.get("error"))


def _message(response: dict[str, Any]) -> Message:
    items = [item for item in _items(response) if item.get("type") == "message"]
    parts = [pj.as_object(part) for item in items for part in pj.as_list(item.get("content"))]
    first = items[0] if items else {}
    return oj.message(
        first.get("id"),
        tuple(text for part in parts if (text := _text(part)) is not None),
        role=first.get("role"),
        status=_message_status(response),
        created_at=created(response),
        thread_id=_conversation(response),
        citations=tuple(
            Citation((_source(pj.as_object(note)),))
            for part in parts
            for note in pj.as_list(part.get("annotations"))
        ),
    )


def _message_status(response: dict[str, Any]) -> MessageStatus:
    if response.get("status") != "incomplete":
        return MessageStatus.COMPLETED
    reason = pj.as_object(response.get("incomplete_details")).get("reason")
    filtered = reason == "content_filter"
    return MessageStatus.FILTERED_CONTENT if filtered else MessageStatus.TRUNCATED


def _source(note: dict[str, Any]) -> FileChunk | UnknownSource:
    if isinstance(note.get("file_id"), str):
        file = File(id=note["file_id"], name=pj.as_text(note.get("filename")))
        return FileChunk(parts=(), search_index=SearchIndex(id=None), file=file)
    told = (pj.as_text(note.get(key)) for key in ("title", "url"))
    return UnknownSource(" ".join(text for text in told if text))


def _items(response: dict[str, Any]) -> list[dict[str, Any]]:
    return [pj.as_object(item) for item in pj.as_list(response.get("output"))]


def _text(part: dict[str, Any]) -> str | None:
    return next((part[key] for key in TEXT_KEYS if isinstance(part.get(key), str)), None)


def _assistant(value: dict[str, Any]) -> str | None:
    return pj.as_text(pj.as_object(value.get("prompt")).get("id")) or None


def _conversation(response: dict[str, Any]) -> str | None:
    return pj.as_text(pj.as_object(response.get("conversation")).get("id")) or None
