"""Conversion of model types to plain JSON and back, for projections and the plain source."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

from runreel.codec import token_counts
from runreel.codec.json_values import as_labels, as_list, as_object, as_text, objects_in, text_in
from runreel.model.messages import (
    NEWLINE,
    Author,
    Citation,
    File,
    FileChunk,
    Message,
    PartialMessage,
    Resource,
    SearchIndex,
    UnknownSource,
)
from runreel.model.results import FunctionCall, RunResult, RunStreamEvent, ToolCall, ToolCallList
from runreel.model.status import MessageStatus, RunStatus
from runreel.model.timestamps import naive, rfc3339, to_micros

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from runreel.codec.token_counts import Tally
    from runreel.model.results import Usage

R = TypeVar("R", bound=Resource)

_TIMES = ("created_at", "updated_at", "expires_at")


def event_value(event: RunStreamEvent) -> dict[str, Any]:
    """Convert a stream event to plain JSON."""
    return _state_value(event)


def result_value(result: RunResult) -> dict[str, Any]:
    """Convert a result to plain JSON."""
    value = _state_value(result)
    if result.usage is not None:
        value["usage"] = usage_value(result.usage)
    return value


def usage_value(usage: Usage | None) -> dict[str, int] | None:
    """Convert a usage to an object of three counts; None if unknown."""
    if usage is None:
        return None
    return {
        "input_text_tokens": usage.input_text_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
    }


def tool_calls_value(calls: ToolCallList | None) -> list[dict[str, Any]] | None:
    """Convert tool calls to ``[{"id", "name", "arguments"}]``; the last two may be None."""
    if calls is None:
        return None
    return [
        {
            "id": call.id,
            "name": call.function and call.function.name,
            "arguments": call.function and call.function.arguments,
        }
        for call in calls
    ]


def message_value(message: Message | PartialMessage) -> dict[str, Any]:
    """Convert a message to an object of all fields, a partial message to one of its parts."""
    if isinstance(message, PartialMessage):
        return {"parts": list(message.parts)}
    value: dict[str, Any] = {
        "id": message.id,
        "parts": list(message.parts),
        "thread_id": message.thread_id,
        "created_by": message.created_by,
        "created_at": _time_value(message.created_at),
        "labels": message.labels,
        "author": {"id": message.author.id, "role": message.author.role},
        "citations": citations_value(message.citations),
        "status": message.status.name,
    }
    if message.finish_reason is not None:
        value["finish_reason"] = message.finish_reason
    return value


def citations_value(citations: tuple[Citation, ...]) -> list[dict[str, Any]]:
    """Convert citations to ``[{"sources": […]}]`` with complete resources."""
    return [{"sources": [_source_value(source) for source in c.sources]} for c in citations]


def result(value: object, tally: Tally | None = None) -> RunResult:
    """Parse a result from plain JSON; ``tally`` is its usage if that was parsed already."""
    value = as_object(value)
    if tally is None:
        tally = token_counts.read(value.get("usage"), token_counts.PLAIN)
    return RunResult(
        status=RunStatus.coerce(value.get("type", 0)),
        error=error(value),
        tool_calls=tool_calls(value.get("tool_calls")),
        _message=message(value),
        usage=None if tally is None else tally.usage,
    )


def error(value: dict[str, Any]) -> str | None:
    """Return the error message: ``error`` if it is a string, or ``error.message``."""
    reported = value.get("error")
    if isinstance(reported, dict):
        reported = reported.get("message")
    return as_text(reported)


def usage(value: Any) -> Usage | None:
    """Parse a usage; None if it is missing or not understood as a whole."""
    tally = token_counts.read(value, token_counts.PLAIN)
    return None if tally is None else tally.usage


def tool_calls(value: Any) -> ToolCallList | None:
    """Parse a list of tool calls; None if it is empty or not a list."""
    calls = tuple(_tool_call(as_object(item)) for item in as_list(value))
    return ToolCallList(calls) if calls else None


def message(value: dict[str, Any]) -> Message | PartialMessage | None:
    """Parse the message of a plain value from ``message``, ``parts`` or ``text``."""
    whole = value.get("message")
    if isinstance(whole, dict):
        return _message(whole)
    if isinstance(value.get("parts"), list):
        return PartialMessage(tuple(value["parts"]), _separator=_separator_of(value))
    if isinstance(value.get("text"), str):
        return PartialMessage((value["text"],))
    return None


def _state_value(state: RunStreamEvent | RunResult) -> dict[str, Any]:
    value: dict[str, Any] = {"type": state.status.name}
    message = state._message  # noqa: SLF001 - the property raises for a failed state
    if isinstance(message, Message):
        value["message"] = message_value(message) | _separator(message)
    elif message is not None and len(message.parts) == 1 and isinstance(message.parts[0], str):
        value["text"] = message.parts[0]
    elif message is not None:
        value |= message_value(message) | _separator(message)
    if state.error is not None:
        value["error"] = state.error
    if state.tool_calls is not None:
        value["tool_calls"] = tool_calls_value(state.tool_calls)
    return value


def _message(value: dict[str, Any]) -> Message | PartialMessage:
    parts = tuple(as_list(value.get("parts")))
    if not value.keys() - {"parts", "separator"}:
        return PartialMessage(parts, _separator=_separator_of(value))
    author = as_object(value.get("author"))
    return Message(
        id=as_text(value.get("id")),
        parts=parts,
        thread_id=as_text(value.get("thread_id")),
        created_by=as_text(value.get("created_by")),
        created_at=naive(value.get("created_at")),
        labels=as_labels(value.get("labels")),
        author=Author(text_in(author, "id") or "", text_in(author, "role") or ""),
        citations=tuple(
            Citation(tuple(map(_source, objects_in(cited, "sources"))))
            for cited in objects_in(value, "citations")
        ),
        status=MessageStatus.coerce(value.get("status", 0)),
        finish_reason=as_text(value.get("finish_reason")),
        _separator=_separator_of(value),
    )


def _separator(message: Message | PartialMessage) -> dict[str, str]:
    """Return the separator of the parts if there are several and it is not a newline."""
    separator = message._separator  # noqa: SLF001 - the SDK's messages have no such attribute
    return {} if separator == NEWLINE or len(message.parts) < 2 else {"separator": separator}


def _separator_of(value: dict[str, Any]) -> str:
    separator = as_text(value.get("separator"))
    return NEWLINE if separator is None else separator


def _source_value(source: FileChunk | UnknownSource) -> dict[str, Any]:
    if isinstance(source, UnknownSource):
        return {"type": source.type, "text": source.text}
    return {
        "type": source.type,
        "parts": list(source.parts),
        "search_index": _resource_value(source.search_index),
        "file": None if source.file is None else _resource_value(source.file),
    }


def _source(value: dict[str, Any]) -> FileChunk | UnknownSource:
    if value.get("type") != "filechunk":
        return UnknownSource(text_in(value, "text") or "")
    file = value.get("file")
    return FileChunk(
        parts=tuple(as_list(value.get("parts"))),
        search_index=resource(SearchIndex, as_object(value.get("search_index"))),
        file=None if file is None else resource(File, as_object(file)),
    )


def _resource_value(resource: Resource) -> dict[str, Any]:
    items = ((field.name, getattr(resource, field.name)) for field in fields(resource))
    return {
        name: _time_value(value) if name in _TIMES else value
        for name, value in items
        if value is not None
    }


def resource(kind: type[R], value: Mapping[str, object]) -> R:
    """Parse a file or an index."""
    known: dict[str, Any] = {field.name: as_text(value.get(field.name)) for field in fields(kind)}
    known |= {name: naive(value.get(name)) for name in _TIMES}
    known["labels"] = as_labels(value.get("labels"))
    return kind(**known)


def _tool_call(value: dict[str, Any]) -> ToolCall:
    name = as_text(value.get("name"))
    return ToolCall(
        id=as_text(value.get("id")),
        function=None if name is None else FunctionCall(name, as_object(value.get("arguments"))),
    )


def _time_value(moment: datetime | None) -> str | None:
    if moment is None or moment.tzinfo is not None:
        return None if moment is None else rfc3339(to_micros(moment))
    return moment.isoformat(timespec="microseconds") + "Z"
