"""The source adapter for the proto JSON of the Yandex Assistants service.

Results equal those of yandex-ai-studio-sdk 0.22.0 (``_runs/result.py``, ``_messages``), except that
an unknown message status becomes UNKNOWN, where the SDK raises. Fields may have their
lowerCamelCase names or those of the protos.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runreel.codec import token_counts
from runreel.codec.json_values import as_labels, as_object
from runreel.codec.source_protocol import Interpretation, RunMetadata, SourceEvent, TextMode
from runreel.model.events import CONTEXT, RUN, STREAM_EVENT
from runreel.model.import_report import KEYS
from runreel.model.messages import PartialMessage
from runreel.model.results import FunctionCall, RunResult, RunStreamEvent, ToolCall, ToolCallList
from runreel.model.status import PARTIAL, RunStatus, StreamEvent
from runreel.model.timestamps import is_unreadable, micros
from runreel.sources.yandex import proto_json
from runreel.sources.yandex.messages import completed_message, parts
from runreel.sources.yandex.proto_json import get, integer, mapping, repeated, string

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.codec.source_protocol import TextSlot
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


_MODE = TextMode.CUMULATIVE


class YandexAssistantsReader:
    """Interprets the runs, events and contexts of ``yandex.cloud.ai.assistants.v1``."""

    name = "yandex-assistants"
    memory_type = None

    def interpret(self, kind: str, value: Any) -> SourceEvent:
        """Interpret an event, a run snapshot or a context."""
        if kind != STREAM_EVENT:
            return self._other(kind, value)
        try:
            # The usual event: a partial message equal to its envelope.
            holder, cursor = value["partialMessage"]["content"][0]["text"], value["streamCursor"]
            text, index = holder["content"], int(cursor["currentEventIdx"]) if cursor else 0
            if type(text) is str and value == self.envelope(PARTIAL, index, text):
                slots: list[TextSlot] = [(holder, "content")]
                return SourceEvent(
                    kind, value, PARTIAL, index, _MODE, slots, text_only=text, meaning=_stream_event
                )
        except (KeyError, IndexError, TypeError, ValueError):
            pass
        event, slots = as_object(value), self.slots(value)
        type_ = _event_type(event).name
        return SourceEvent(kind, value, type_, _index(event), slots=slots, meaning=_stream_event)

    def _other(self, kind: str, value: object) -> SourceEvent:
        if kind == RUN:
            type_ = _status(mapping(as_object(value), "state")).name
            return SourceEvent(kind, value, type_, slots=self.slots(value), meaning=_run)
        return SourceEvent(kind, value, meaning=_context if kind == CONTEXT else None)

    def slots(self, value: object) -> list[TextSlot]:
        """The ``content`` of each text part of the partial or completed message."""
        if not isinstance(value, dict):
            return []
        content = get(value, "partialMessage")
        if content is None:
            holder = mapping(value, "state") if "state" in value else value
            content = mapping(holder, "completedMessage").get("content")
        texts = (part.get("text") for part in repeated(as_object(content), "content"))
        return [
            (text, "content")
            for text in texts
            if isinstance(text, dict) and type(text.get("content")) in (str, int)
        ]

    def envelope(self, type_: str | None, index: int | None, text: str) -> dict[str, object] | None:
        """A PARTIAL_MESSAGE with one text part."""
        if type_ != PARTIAL or index is None or not 0 <= index < 2**63:
            return None
        return {
            "eventType": type_,
            "streamCursor": {"currentEventIdx": str(index)} if index else {},
            "partialMessage": {"content": [{"text": {"content": text}}]},
        }


reader = YandexAssistantsReader()


def _stream_event(value: dict[str, object]) -> Interpretation:
    completed = mapping(value, "completedMessage")
    return Interpretation(
        stream_event(value),
        error_code=_error_code(value),
        time=micros(get(completed, "createdAt")),
        unread=_unread_event(value, completed),
    )


def _run(value: dict[str, object]) -> Interpretation:
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


def _context(value: dict[str, object]) -> Interpretation:
    # Of all contexts, only the assistant says something about the run: its model.
    model = string(value, "modelUri")
    assistant_id = string(value, "id") if model else None
    return Interpretation(metadata=RunMetadata(assistant_id=assistant_id, model=model))


def stream_event(value: dict[str, object]) -> RunStreamEvent:
    """Convert the JSON of a ``runs.StreamEvent``."""
    partial, completed = get(value, "partialMessage"), get(value, "completedMessage")
    message: Message | PartialMessage | None = None
    if partial is not None:
        message = PartialMessage(parts(partial))
    elif completed is not None:
        message = completed_message(as_object(completed))
    return RunStreamEvent(
        status=_event_type(value),
        error=_error(value),
        tool_calls=tool_calls(value),
        _message=message,
    )


def _result(state: dict[str, object], total: Tally | None) -> RunResult:
    message = get(state, "completedMessage")
    return RunResult(
        status=_status(state),
        error=_error(state),
        tool_calls=tool_calls(state),
        _message=None if message is None else completed_message(as_object(message)),
        usage=None if total is None else total.usage,
    )


def _run_metadata(value: dict[str, object]) -> RunMetadata:
    return RunMetadata(
        assistant_id=string(value, "assistantId"),
        thread_id=string(value, "threadId"),
        created_by=string(value, "createdBy"),
        created_at=micros(get(value, "createdAt")),
        labels=as_labels(value.get("labels")) or None,
    )


def tool_calls(holder: dict[str, object]) -> ToolCallList | None:
    """The calls in the ``toolCallList`` of a message; None without any."""
    calls = repeated(mapping(holder, "toolCallList"), "toolCalls")
    if not calls:
        return None
    return ToolCallList(tuple(_tool_call(as_object(call)) for call in calls))


def _tool_call(value: dict[str, object]) -> ToolCall:
    call = get(value, "functionCall")
    if call is None:
        return ToolCall(id=None, function=None)
    function = as_object(call)
    arguments = {key: _floats(item) for key, item in mapping(function, "arguments").items()}
    return ToolCall(id=None, function=FunctionCall(string(function, "name") or "", arguments))


def _floats(value: object) -> object:
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


def _total(value: dict[str, object]) -> Tally | None:
    return token_counts.read(value.get("usage"), token_counts.YANDEX)


def _error(holder: dict[str, object]) -> str | None:
    if holder.get("error") is None:
        return None
    return string(as_object(holder["error"]), "message") or ""


def _error_code(holder: dict[str, object]) -> int | None:
    # Code 0 means "no error" and may be omitted.
    return integer(mapping(holder, "error").get("code")) or None


def _index(event: dict[str, object]) -> int | None:
    """``streamCursor.currentEventIdx``, which proto JSON omits for 0."""
    cursor = get(event, "streamCursor")
    if not isinstance(cursor, dict):
        return None
    if not proto_json.has(cursor, "currentEventIdx"):
        return 0
    index = integer(get(cursor, "currentEventIdx"))
    return index if index is not None and index >= 0 else None


def _event_type(event: dict[str, object]) -> StreamEvent:
    type_ = get(event, "eventType")
    return StreamEvent.coerce(0 if type_ is None else type_)


def _status(state: dict[str, object]) -> RunStatus:
    status = state.get("status")
    return RunStatus.coerce(0 if status is None else status)


def _unread_event(event: dict[str, object], completed: dict[str, object]) -> tuple[str, ...]:
    # Fast path: most events are partial messages with the usual names.
    if "partialMessage" in event:
        return ()
    return (*_unread(event, _EVENT_FIELDS), *_unread(completed, _MESSAGE_FIELDS))


def _unread(value: dict[str, object], names: frozenset[str]) -> Iterator[str]:
    """Names of what is not understood in a message, whose known fields are ``names``."""
    if not value:
        return
    if names.isdisjoint(value):
        yield KEYS
    if is_unreadable(get(value, "createdAt")):
        yield "created_at"
    if not isinstance(value.get("labels"), dict | None):
        yield "labels"
