"""The source adapter for chat completions: chunks of a stream, complete completions, requests.

A run is one completion. Only the first of several choices is interpreted; all are stored. Tool
calls arrive as deltas and are assembled here, because no chunk holds a complete one. A failed
completion stays failed, regardless of chunks after the error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runreel.codec import plain_json as pj
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
from runreel.model.messages import PartialMessage
from runreel.model.results import RunResult, RunStreamEvent
from runreel.model.status import PARTIAL, MessageStatus, RunStatus, StreamEvent
from runreel.model.timestamps import micros
from runreel.sources.openai import chat_content, text_parts
from runreel.sources.openai import tool_calls as chat_calls
from runreel.sources.openai import values as oj
from runreel.sources.openai.chat_failures import failure_of
from runreel.sources.openai.chat_memory import (
    Memory,
    after_chunk,
    details_increase,
    usage_increase,
)

if TYPE_CHECKING:
    from runreel.model.messages import Message
    from runreel.sources.openai.chat_failures import Failure

CHUNK = "chat.completion.chunk"
# Sent after the last chunk. It is not JSON: the event stores it as a string.
DONE = "[DONE]"

_CALLING = frozenset(("tool_calls", "function_call"))
_STATUSES = {
    **dict.fromkeys(("stop", *_CALLING), MessageStatus.COMPLETED),
    **dict.fromkeys(("length", "max_tokens", "model_length"), MessageStatus.TRUNCATED),
    "content_filter": MessageStatus.FILTERED_CONTENT,
}


class OpenAIChatReader:
    """Interprets chunks and objects of ``/v1/chat/completions`` of any compatible server."""

    name = "openai-chat"

    def read(self, kind: str, value: Any, so_far: ReadContext = START) -> Interpretation:
        """Interpret a chunk, completion or request."""
        if kind == STREAM_EVENT and value == DONE:
            return _end_marker(so_far.text, so_far.memory)
        value = pj.as_object(value)
        if kind == STREAM_EVENT:
            return _chunk(value, so_far.text, so_far.memory)
        if kind == RUN:
            return _completion(value, so_far.memory)
        if kind == CONTEXT:
            return Interpretation(metadata=_metadata(value), memory=so_far.memory)
        return Interpretation(memory=so_far.memory)

    def type_of(self, kind: str, value: Any) -> str | None:
        """The ``StreamEvent`` or ``RunStatus`` name; None for all other chunks."""
        value = pj.as_object(value)
        choice = chat_content.choice_of(value)
        if kind == RUN:
            return _status(value, choice).name
        if kind != STREAM_EVENT:
            return None
        reason = _reason(choice)
        if failure_of(value, reason):
            return StreamEvent.ERROR.name
        if reason:
            return _end(reason).name
        return PARTIAL if chat_content.text_deltas(chat_content.message_of(choice)) else None

    def index_of(self, _kind: str, _value: Any) -> int | None:
        """None: chunks have no numbers."""
        return None

    def slots(self, value: Any) -> list[TextSlot]:
        """The first choice's ``content`` and ``refusal``."""
        choice = chat_content.choice_of(pj.as_object(value))
        return chat_content.slots(chat_content.message_of(choice))

    def text_mode(self, value: Any) -> TextMode:
        """A delta is appended; a message is cumulative."""
        is_chunk = "delta" in chat_content.choice_of(pj.as_object(value))
        return TextMode.DELTA if is_chunk else TextMode.CUMULATIVE

    def envelope(self, type_: str | None, _source_index: int | None, text: str) -> Any:
        """A text delta of ``content``."""
        if type_ != PARTIAL:
            return None
        delta = {"content": text}
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}
        return {"object": CHUNK, "choices": [choice]}

    def parse_text_only(self, _value: Any) -> None:
        """None: this source is not cumulative."""
        return


reader = OpenAIChatReader()


def ends(value: Any) -> bool:
    """Whether a chunk is the final one; only chunks with usage may follow."""
    if value == DONE:
        return True
    value = pj.as_object(value)
    reason = _reason(chat_content.choice_of(value))
    return bool(reason or failure_of(value, reason))


def _chunk(value: dict[str, Any], text: str, known: Memory | None) -> Interpretation:
    memory = known or Memory()
    choice = chat_content.choice_of(value)
    delta, reason = chat_content.message_of(choice), _reason(choice)
    deltas = chat_content.text_deltas(delta)
    appended = "".join(deltas.values())
    if "delta" not in choice and appended:
        memory = memory._replace(spans=())
    text = text if text.endswith(appended) else text + appended
    after = after_chunk(memory, value, delta, text, deltas)
    failure = memory.failure or failure_of(value, reason)
    ended = bool(reason or failure) or (memory.ended and not deltas)
    if failure is not memory.failure or ended is not memory.ended:
        after = after._replace(failure=failure, ended=ended)
    event: RunStreamEvent | None = None
    if failure and (deltas or reason or memory.failure is None):
        event = _failed(failure, after, text)
    elif reason:
        event = _last(after, text, _end(reason), reason)
    elif deltas:
        partial = PartialMessage(text_parts.parts(after.spans, text), _separator="")
        event = RunStreamEvent(StreamEvent.PARTIAL_MESSAGE, _message=partial)
    return Interpretation(
        event=event,
        error_code=failure.code if event and failure else None,
        usage=usage_increase(memory.usage, after.usage),
        details=details_increase(memory.details, after.details),
        metadata=_metadata(value) if memory.model is None else None,
        starts_response=known is None,
        memory=after,
        unread=_unread(value),
    )


def _end_marker(text: str, known: Memory | None) -> Interpretation:
    """Interpret ``[DONE]``: it ends the stream only if no final chunk has arrived."""
    memory = known or Memory()
    if memory.ended:
        return Interpretation(memory=memory, marker=True)
    end = StreamEvent.TOOL_CALLS if memory.calls else StreamEvent.DONE
    return Interpretation(
        event=_last(memory, text, end, None),
        starts_response=known is None,
        memory=memory._replace(ended=True),
        marker=True,
    )


def _last(memory: Memory, text: str, end: StreamEvent, reason: str | None) -> RunStreamEvent:
    parts = text_parts.parts(memory.spans, text)
    message = None if memory.calls and not parts else _message(memory, parts, reason)
    return RunStreamEvent(end, tool_calls=chat_calls.tool_call_list(memory.calls), _message=message)


def _failed(failure: Failure, memory: Memory, text: str) -> RunStreamEvent:
    parts = text_parts.parts(memory.spans, text)
    message = PartialMessage(parts, _separator="") if parts else None
    return RunStreamEvent(StreamEvent.ERROR, error=failure.message, _message=message)


def _completion(value: dict[str, Any], known: Memory | None) -> Interpretation:
    memory, choice = known or Memory(), chat_content.choice_of(value)
    status, reason = _status(value, choice), _reason(choice)
    failure = failure_of(value, reason)
    content = chat_content.message_of(choice)
    calls, parts = chat_calls.with_delta((), content), chat_content.parts(content)
    after = after_chunk(memory, value, {}, "", {})
    message: Message | PartialMessage | None = None
    if failure is None and not (calls and not parts):
        own = Memory(pj.as_text(value.get("id")), micros(value.get("created")))
        message = _message(own, parts, reason) if choice else None
    elif parts:
        message = PartialMessage(parts, _separator="")
    result = RunResult(
        status,
        failure.message if failure else None,
        None if failure else chat_calls.tool_call_list(calls),
        _message=message,
    )
    return Interpretation(
        result=result,
        error_code=failure.code if failure else None,
        usage=usage_increase(memory.usage, after.usage),
        details=details_increase(memory.details, after.details),
        metadata=_metadata(value),
        starts_response=known is None,
        memory=after._replace(failure=failure, ended=True),
        unread=_unread(value),
    )


def _message(memory: Memory, parts: tuple[str, ...], reason: str | None) -> Message:
    return oj.message(
        memory.id,
        parts,
        role="assistant",
        status=_STATUSES.get(reason or "stop", MessageStatus.UNKNOWN),
        created_at=memory.created,
        finish_reason=reason,
    )


def _metadata(value: dict[str, Any]) -> RunMetadata:
    return RunMetadata(
        created_by=pj.as_text(value.get("user")) or None,
        model=pj.as_text(value.get("model")) or None,
        created_at=micros(value.get("created")),
        labels=pj.as_labels(value.get("metadata")) or None,
    )


def _status(completion: dict[str, Any], choice: dict[str, Any]) -> RunStatus:
    reason = _reason(choice)
    if failure_of(completion, reason):
        return RunStatus.FAILED
    if reason in _CALLING:
        return RunStatus.TOOL_CALLS
    if reason is None and choice and chat_calls.with_delta((), chat_content.message_of(choice)):
        return RunStatus.TOOL_CALLS
    return RunStatus.COMPLETED if choice else RunStatus.UNKNOWN


def _end(reason: str) -> StreamEvent:
    # A call that the request forced ends with "stop": the model does not wait for its result.
    return StreamEvent.TOOL_CALLS if reason in _CALLING else StreamEvent.DONE


def _reason(choice: dict[str, Any]) -> str | None:
    return pj.as_text(choice.get("finish_reason")) or None


def _unread(value: dict[str, Any]) -> tuple[str, ...]:
    """The keys of a chunk or completion whose values are not understood."""
    usage = chat_content.usage_of(value)
    counts = None if usage is None else token_counts.read(usage, token_counts.CHAT)
    return ("usage",) if counts is not None and counts.unread else ()
