"""Reads the proto JSON of the Yandex Assistants service, as the SDK would have shown it.

Behaviour follows yandex-ai-studio-sdk 0.22.0 (``_runs/result.py``, ``_messages``); where the SDK
raises on a message status it does not know, UNKNOWN is read.
"""

from __future__ import annotations

from typing import Any

from runreel.rules.reading import START, Facts, Reading, Slot, SoFar, Telling
from runreel.words.log import CONTEXT, RUN, STREAM_EVENT
from runreel.words.messages import (
    Author,
    Citation,
    File,
    FileChunk,
    Message,
    PartialMessage,
    SearchIndex,
    UnknownSource,
)
from runreel.words.results import (
    FunctionCall,
    RunResult,
    RunStreamEvent,
    ToolCall,
    ToolCallList,
    Usage,
)
from runreel.words.status import PARTIAL, MessageStatus, RunStatus, StreamEvent
from runreel.words.times import micros, naive

UNKNOWN_SOURCE = "this source is of a type unknown to runreel; its raw JSON is in the log"

_RESOURCE_STRINGS = {
    "folder_id": "folderId",
    "name": "name",
    "description": "description",
    "created_by": "createdBy",
    "updated_by": "updatedBy",
}
_RESOURCE_TIMES = {"created_at": "createdAt", "updated_at": "updatedAt", "expires_at": "expiresAt"}


class YandexAssistantsReader:
    """Runs, stream events, assistants and messages of ``yandex.cloud.ai.assistants.v1``."""

    name = "yandex-assistants"

    def read(self, kind: str, value: Any, _so_far: SoFar = START) -> Reading:
        """What the row means."""
        value = _object(value)
        if kind == STREAM_EVENT:
            event = stream_event(value)
            return Reading(
                event=event,
                error_code=_error_code(value),
                time=micros(_object(value.get("completedMessage")).get("createdAt")),
            )
        if kind == RUN:
            state = _object(value.get("state"))
            return Reading(
                result=run_result(value),
                error_code=_error_code(state),
                facts=_run_facts(value),
                time=micros(_object(state.get("completedMessage")).get("createdAt")),
            )
        if kind == CONTEXT:
            return Reading(facts=_context_facts(value))
        return Reading()

    def type_of(self, kind: str, value: Any) -> str | None:
        """The ``StreamEvent`` or ``RunStatus`` name."""
        value = _object(value)
        if kind == STREAM_EVENT:
            return StreamEvent.coerce(value.get("eventType", 0)).name
        if kind == RUN:
            return RunStatus.coerce(_object(value.get("state")).get("status", 0)).name
        return None

    def index_of(self, kind: str, value: Any) -> int | None:
        """``streamCursor.currentEventIdx``, which proto JSON leaves out where it is 0."""
        cursor = _object(value).get("streamCursor")
        if kind != STREAM_EVENT or not isinstance(cursor, dict):
            return None
        index = _integer(cursor.get("currentEventIdx", 0))
        return index if index is not None and index >= 0 else None

    def slots(self, value: Any) -> list[Slot]:
        """The ``content`` of each text part of the partial or completed message."""
        if not isinstance(value, dict):
            return []
        content = value.get("partialMessage")
        if content is None:
            holder = _object(value["state"]) if "state" in value else value
            content = _object(holder.get("completedMessage")).get("content")
        return [
            Slot(part["text"], "content")
            for part in _list(_object(content), "content")
            if isinstance(part, dict)
            and isinstance(part.get("text"), dict)
            and type(part["text"].get("content")) in (str, int)
        ]

    def telling(self, _value: Any) -> Telling:
        """The whole text: each message repeats it."""
        return Telling.WHOLE

    def envelope(self, type_: str | None, source_index: int | None, text: str) -> Any:
        """A PARTIAL_MESSAGE of one part."""
        if type_ != PARTIAL or source_index is None:
            return None
        cursor = {"currentEventIdx": str(source_index)} if source_index else {}
        return {
            "eventType": type_,
            "streamCursor": cursor,
            "partialMessage": {"content": [{"text": {"content": text}}]},
        }

    def spoken(self, value: Any) -> tuple[int | None, str] | None:
        """The cursor's number and the content of the only part."""
        try:
            text = value["partialMessage"]["content"][0]["text"]["content"]
            cursor = value["streamCursor"]
            index = int(cursor["currentEventIdx"]) if cursor else 0
        except (KeyError, IndexError, TypeError, ValueError):
            return None
        if type(text) is not str or not 0 <= index < 2**63:
            return None
        return (index, text) if value == self.envelope(PARTIAL, index, text) else None


reader = YandexAssistantsReader()


def stream_event(value: dict[str, Any]) -> RunStreamEvent:
    """``RunStreamEvent`` of a ``runs.StreamEvent``."""
    partial, completed = value.get("partialMessage"), value.get("completedMessage")
    message: Message | PartialMessage | None = None
    if partial is not None:
        message = PartialMessage(_parts(partial))
    elif completed is not None:
        message = completed_message(_object(completed))
    return RunStreamEvent(
        status=StreamEvent.coerce(value.get("eventType", 0)),
        error=_error(value),
        tool_calls=_tool_calls(value),
        _message=message,
    )


def run_result(value: dict[str, Any]) -> RunResult:
    """``RunResult`` of a ``runs.Run``."""
    state = _object(value.get("state"))
    message = state.get("completedMessage")
    usage = value.get("usage")
    return RunResult(
        status=RunStatus.coerce(state.get("status", 0)),
        error=_error(state),
        tool_calls=_tool_calls(state),
        _message=None if message is None else completed_message(_object(message)),
        usage=None if usage is None else _usage(_object(usage)),
    )


def completed_message(value: dict[str, Any]) -> Message:
    """``Message`` of a ``threads.Message``."""
    author = _object(value.get("author"))
    return Message(
        id=_string(value, "id"),
        parts=_parts(value.get("content")),
        thread_id=_string(value, "threadId"),
        created_by=_string(value, "createdBy"),
        created_at=naive(value.get("createdAt")),
        labels=_labels(value),
        author=Author(id=_string(author, "id") or "", role=_string(author, "role") or ""),
        citations=tuple(
            Citation(tuple(_source(_object(source)) for source in _list(citation, "sources")))
            for citation in map(_object, _list(value, "citations"))
        ),
        status=MessageStatus.coerce(value.get("status", 0)),
    )


def _run_facts(value: dict[str, Any]) -> Facts:
    return Facts(
        assistant_id=_string(value, "assistantId"),
        thread_id=_string(value, "threadId"),
        created_by=_string(value, "createdBy"),
        created_at=micros(value.get("createdAt")),
        labels=_labels(value),
    )


def _context_facts(value: dict[str, Any]) -> Facts:
    # Of the things a run is about, only its assistant tells of the run itself: which model.
    model = _string(value, "modelUri")
    return Facts(assistant_id=_string(value, "id"), model=model) if model else Facts()


def _source(value: dict[str, Any]) -> FileChunk | UnknownSource:
    if value.get("chunk") is None:
        return UnknownSource(UNKNOWN_SOURCE)
    chunk = _object(value["chunk"])
    file = _object(chunk.get("sourceFile"))
    return FileChunk(
        parts=tuple(part for part in _parts(chunk.get("content")) if part),
        search_index=SearchIndex(**_resource(_object(chunk.get("searchIndex")))),
        # A deleted file leaves an empty one behind.
        file=File(**_resource(file), mime_type=_string(file, "mimeType"))
        if file.get("id")
        else None,
    )


def _resource(value: dict[str, Any]) -> dict[str, Any]:
    known: dict[str, Any] = {"id": _string(value, "id"), "labels": _labels(value)}
    known |= {ours: _string(value, theirs) for ours, theirs in _RESOURCE_STRINGS.items()}
    known |= {ours: naive(value.get(theirs)) for ours, theirs in _RESOURCE_TIMES.items()}
    return known


def _parts(content: Any) -> tuple[str, ...]:
    return tuple(
        _string(_object(_object(part).get("text")), "content") or ""
        for part in _list(_object(content), "content")
    )


def _tool_calls(holder: dict[str, Any]) -> ToolCallList | None:
    calls = _list(_object(holder.get("toolCallList")), "toolCalls")
    if not calls:
        return None
    return ToolCallList(tuple(_tool_call(_object(call)) for call in calls))


def _tool_call(value: dict[str, Any]) -> ToolCall:
    if value.get("functionCall") is None:
        return ToolCall(id=None, function=None)
    function = _object(value["functionCall"])
    arguments = _floats(_object(function.get("arguments")))
    return ToolCall(id=None, function=FunctionCall(_string(function, "name") or "", arguments))


def _floats(value: Any) -> Any:
    """``value`` as a protobuf Struct gives it back: every number a float."""
    match value:
        case bool():
            return value
        case int() if abs(value) < 2**1023:
            return float(value)
        case dict():
            return {key: _floats(item) for key, item in value.items()}
        case list():
            return [_floats(item) for item in value]
    return value


def _usage(value: dict[str, Any]) -> Usage:
    return Usage(
        input_text_tokens=_integer(value.get("promptTokens")) or 0,
        completion_tokens=_integer(value.get("completionTokens")) or 0,
        total_tokens=_integer(value.get("totalTokens")) or 0,
    )


def _error(holder: dict[str, Any]) -> str | None:
    if holder.get("error") is None:
        return None
    return _string(_object(holder["error"]), "message") or ""


def _error_code(holder: dict[str, Any]) -> int | None:
    return _integer(_object(holder.get("error")).get("code"))


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: dict[str, Any], key: str) -> list[Any]:
    items = value.get(key)
    return items if isinstance(items, list) else []


def _string(value: dict[str, Any], key: str) -> str | None:
    text = value.get(key)
    return text if isinstance(text, str) and text else None


def _labels(value: dict[str, Any]) -> dict[str, str] | None:
    labels = value.get("labels")
    if not isinstance(labels, dict) or not labels:
        return None
    return {key: str(label) for key, label in labels.items()}


def _integer(value: Any) -> int | None:
    """An int64 of proto JSON, which is a string."""
    try:
        number = int(value) if isinstance(value, str) else value
    except ValueError:
        return None
    return number if type(number) is int and -(2**63) <= number < 2**63 else None
