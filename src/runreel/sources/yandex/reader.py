"""The source adapter for the proto JSON of the Yandex Assistants service.

Results equal those of yandex-ai-studio-sdk 0.22.0 (``_runs/result.py``, ``_messages``), except that
an unknown message status becomes UNKNOWN, where the SDK raises. Fields may have their
lowerCamelCase names or those of the protos.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runreel.codec import token_counts
from runreel.codec.source_protocol import (
    START,
    Interpretation,
    ReadContext,
    RunMetadata,
    TextMode,
    TextSlot,
)
from runreel.model.events import CONTEXT, RUN, STREAM_EVENT
from runreel.model.import_report import KEYS
from runreel.model.messages import PartialMessage
from runreel.model.results import FunctionCall, RunResult, RunStreamEvent, ToolCall, ToolCallList
from runreel.model.status import PARTIAL, RunStatus, StreamEvent
from runreel.model.timestamps import is_unreadable, micros
from runreel.sources.yandex import proto_json
from runreel.sources.yandex.messages import completed_message, labels, parts
from runreel.sources.yandex.proto_json import as_mapping, get, integer, mapping, repeated, string

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.codec.token_counts import Tally
    from runreel.model.messages import Message

# Field names of each message type: an object with none of them is not such a message.
# Capture stores under "@proto" what JSON cannot represent.
_RUN_FIELDS = proto_json.spellings(
    *("id", "state", "usage", "labels", "assistantId", "threadId", "createdBy", "createdAt"),
    "@proto",
)
_STATE_FIELDS = proto_json.spellings("status", "error", "completedMessage", "toolCallList")
_EVENT_FIELDS = proto_json.spellings(
    *("eventType", "streamCursor", "error", "partialMessage", "completedMessage", "toolCallList"),
    "@proto",
)
_MESSAGE_FIELDS = proto_json.spellings(
    *("id", "content", "threadId", "createdBy", "createdAt", "author", "status")
)


class YandexAssistantsReader:
    """Interprets the runs, events and contexts of ``yandex.cloud.ai.assistants.v1``."""

    name = "yandex-assistants"

    def read(self, kind: str, value: Any, _so_far: ReadContext = START) -> Interpretation:
        """Interpret an event, run snapshot or context."""
        value = as_mapping(value)
        if kind == STREAM_EVENT:
            completed = mapping(value, "completedMessage")
            return Interpretation(
                event=stream_event(value),
                error_code=_error_code(value),
                time=micros(get(completed, "createdAt")),
                unread=_unread_event(value, completed),
            )
        if kind == RUN:
            return _run(value)
        if kind == CONTEXT:
            return Interpretation(metadata=_context_metadata(value))
        return Interpretation()

    def type_of(self, kind: str, value: Any) -> str | None:
        """The ``StreamEvent`` or ``RunStatus`` name."""
        value = as_mapping(value)
        if kind == STREAM_EVENT:
            return _event_type(value).name
        if kind == RUN:
            return _status(mapping(value, "state")).name
        return None

    def index_of(self, kind: str, value: Any) -> int | None:
        """``streamCursor.currentEventIdx``, which proto JSON omits for 0."""
        cursor = get(as_mapping(value), "streamCursor")
        if kind != STREAM_EVENT or not isinstance(cursor, dict):
            return None
        if not proto_json.has(cursor, "currentEventIdx"):
            return 0
        index = integer(get(cursor, "currentEventIdx"))
        return index if index is not None and index >= 0 else None

    def slots(self, value: Any) -> list[TextSlot]:
        """The ``content`` of each text part of the partial or completed message."""
        if not isinstance(value, dict):
            return []
        content = get(value, "partialMessage")
        if content is None:
            holder = mapping(value, "state") if "state" in value else value
            content = mapping(holder, "completedMessage").get("content")
        return [
            TextSlot(part["text"], "content")
            for part in repeated(as_mapping(content), "content")
            if isinstance(part, dict)
            and isinstance(part.get("text"), dict)
            and type(part["text"].get("content")) in (str, int)
        ]

    def text_mode(self, _value: Any) -> TextMode:
        """Cumulative: each message repeats the whole text."""
        return TextMode.CUMULATIVE

    def envelope(self, type_: str | None, source_index: int | None, text: str) -> Any:
        """A PARTIAL_MESSAGE with one text part."""
        if type_ != PARTIAL or source_index is None:
            return None
        cursor = {"currentEventIdx": str(source_index)} if source_index else {}
        return {
            "eventType": type_,
            "streamCursor": cursor,
            "partialMessage": {"content": [{"text": {"content": text}}]},
        }

    def parse_text_only(self, value: Any) -> tuple[int | None, str] | None:
        """Index and text of a text-only event with one part, None for any other value."""
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
    """Convert the JSON of a ``runs.StreamEvent``."""
    partial, completed = get(value, "partialMessage"), get(value, "completedMessage")
    message: Message | PartialMessage | None = None
    if partial is not None:
        message = PartialMessage(parts(partial))
    elif completed is not None:
        message = completed_message(as_mapping(completed))
    return RunStreamEvent(
        status=_event_type(value),
        error=_error(value),
        tool_calls=_tool_calls(value),
        _message=message,
    )


def run_result(value: dict[str, Any]) -> RunResult:
    """Convert the JSON of a ``runs.Run``."""
    return _result(mapping(value, "state"), _total(value))


def _result(state: dict[str, Any], total: Tally | None) -> RunResult:
    message = get(state, "completedMessage")
    return RunResult(
        status=_status(state),
        error=_error(state),
        tool_calls=_tool_calls(state),
        _message=None if message is None else completed_message(as_mapping(message)),
        usage=None if total is None else total.usage,
    )


def _run(value: dict[str, Any]) -> Interpretation:
    state, total = mapping(value, "state"), _total(value)
    completed = mapping(state, "completedMessage")
    unread = [*_unread(value, _RUN_FIELDS), *_unread(state, _STATE_FIELDS)]
    unread += _unread(completed, _MESSAGE_FIELDS)
    misread = total is not None and total.unread > 0
    return Interpretation(
        result=_result(state, total),
        error_code=_error_code(state),
        metadata=_run_metadata(value),
        time=micros(get(completed, "createdAt")),
        total=total if misread else None,
        unread=(*unread, "usage") if misread else tuple(unread),
    )


def _run_metadata(value: dict[str, Any]) -> RunMetadata:
    return RunMetadata(
        assistant_id=string(value, "assistantId"),
        thread_id=string(value, "threadId"),
        created_by=string(value, "createdBy"),
        created_at=micros(get(value, "createdAt")),
        labels=labels(value),
    )


def _context_metadata(value: dict[str, Any]) -> RunMetadata:
    # Of all contexts, only the assistant says something about the run: its model.
    model = string(value, "modelUri")
    return RunMetadata(assistant_id=string(value, "id"), model=model) if model else RunMetadata()


def _tool_calls(holder: dict[str, Any]) -> ToolCallList | None:
    calls = repeated(mapping(holder, "toolCallList"), "toolCalls")
    if not calls:
        return None
    return ToolCallList(tuple(_tool_call(as_mapping(call)) for call in calls))


def _tool_call(value: dict[str, Any]) -> ToolCall:
    call = get(value, "functionCall")
    if call is None:
        return ToolCall(id=None, function=None)
    function = as_mapping(call)
    arguments = _floats(mapping(function, "arguments"))
    return ToolCall(id=None, function=FunctionCall(string(function, "name") or "", arguments))


def _floats(value: Any) -> Any:
    """``value`` as a protobuf Struct returns it: with every number as a float."""
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


def _total(value: dict[str, Any]) -> Tally | None:
    return token_counts.read(value.get("usage"), token_counts.YANDEX)


def _error(holder: dict[str, Any]) -> str | None:
    if holder.get("error") is None:
        return None
    return string(as_mapping(holder["error"]), "message") or ""


def _error_code(holder: dict[str, Any]) -> int | None:
    # Code 0 means "no error" and may be omitted.
    return integer(mapping(holder, "error").get("code")) or None


def _event_type(event: dict[str, Any]) -> StreamEvent:
    type_ = get(event, "eventType")
    return StreamEvent.coerce(0 if type_ is None else type_)


def _status(state: dict[str, Any]) -> RunStatus:
    status = state.get("status")
    return RunStatus.coerce(0 if status is None else status)


def _unread_event(event: dict[str, Any], completed: dict[str, Any]) -> tuple[str, ...]:
    # Fast path: most events are partial messages with the usual names.
    if "partialMessage" in event:
        return ()
    return (*_unread(event, _EVENT_FIELDS), *_unread(completed, _MESSAGE_FIELDS))


def _unread(value: dict[str, Any], names: frozenset[str]) -> Iterator[str]:
    """Names of what is not understood in a message, whose known fields are ``names``."""
    if not value:
        return
    if names.isdisjoint(value):
        yield KEYS
    if is_unreadable(get(value, "createdAt")):
        yield "created_at"
    if not isinstance(value.get("labels"), dict | None):
        yield "labels"
