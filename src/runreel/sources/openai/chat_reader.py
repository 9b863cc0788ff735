"""The source adapter for chat completions: chunks of a stream, complete completions, requests.

A run is one completion, or several of which each follows the tool calls of the one before. Only the
first of several choices is interpreted; all are stored. Tool calls arrive as deltas and are
assembled here, because no chunk holds a complete one. A failed completion stays failed, regardless
of chunks after the error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import msgspec

from runreel.codec.json_values import as_labels, as_object, text_in
from runreel.codec.source_protocol import Interpretation, RunMetadata, SourceEvent, TextMode
from runreel.model.events import CONTEXT, RUN, STREAM_EVENT
from runreel.model.messages import PartialMessage
from runreel.model.results import RunResult, RunStreamEvent
from runreel.model.status import PARTIAL, MessageStatus, RunStatus, StreamEvent
from runreel.model.timestamps import micros
from runreel.sources.openai import chat_content
from runreel.sources.openai import tool_calls as chat_calls
from runreel.sources.openai import values as oj
from runreel.sources.openai.chat_failures import failure_of
from runreel.sources.openai.chat_memory import (
    Memory,
    add_deltas,
    details_increase,
    usage_increase,
)
from runreel.sources.openai.text_parts import NO_PARTS

if TYPE_CHECKING:
    from runreel.codec.source_protocol import TextSlot
    from runreel.codec.token_counts import Tally
    from runreel.model.messages import Message
    from runreel.sources.openai.chat_failures import Failure
    from runreel.sources.openai.text_parts import TextParts

CHUNK = "chat.completion.chunk"
# Sent after the last chunk. It is not JSON: the event stores it as a string.
DONE = "[DONE]"

_CALLING = frozenset(("tool_calls", "function_call"))
_STATUSES = {
    **dict.fromkeys(("stop", *_CALLING), MessageStatus.COMPLETED),
    **dict.fromkeys(("length", "max_tokens", "model_length"), MessageStatus.TRUNCATED),
    "content_filter": MessageStatus.FILTERED_CONTENT,
}
_PARTIAL = StreamEvent.PARTIAL_MESSAGE
_NO_MEMORY = Memory()


class _ChatEvent(SourceEvent):
    """An event with its first choice, and the error and the finish reason in it."""

    choice: dict[str, object] = msgspec.field(default_factory=dict)
    failure: Failure | None = None
    reason: str | None = None


class _Chunk(_ChatEvent):
    """A chunk of a stream."""

    text_key: ClassVar[str] = "choices"

    def read(self, text: str, memory: object, /) -> Interpretation:
        value, known = as_object(self.value), _known(memory)
        delta, reason = chat_content.message_of(self.choice), self.reason
        deltas = chat_content.text_deltas(delta)
        text, parts = self._add(known.parts, text, deltas)
        failure = known.failure or self.failure
        after, counts = known.after(
            value,
            chat_content.usage_of(value, self.choice),
            parts=parts,
            calls=chat_calls.with_delta(known.calls, delta),
            failure=failure,
            ended=bool(reason or failure) or (known.ended and not deltas),
        )
        event: RunStreamEvent | None = None
        if deltas or reason or failure is not known.failure:
            event = _event(failure, reason, after, text)
        return Interpretation(
            event,
            None,
            after,
            usage_increase(known.usage, after.usage),
            details_increase(known.details, after.details),
            failure.code if event and failure else None,
            _metadata(value) if _has_news(known, value) else None,
            starts_response=memory is None,
            unread=_unread(counts),
        )

    def _add(self, parts: TextParts, text: str, deltas: dict[str, str]) -> tuple[str, TextParts]:
        """Return the text, which ends with the deltas, and its parts."""
        if not deltas:
            return text, parts
        added = "".join(deltas.values())
        text = text if text.endswith(added) else text + added
        return text, add_deltas(parts if "delta" in self.choice else NO_PARTS, text, deltas)


class _Done(SourceEvent):
    """The ``[DONE]`` after the last chunk. It ends the run only if no final chunk has arrived."""

    def read(self, text: str, memory: object, /) -> Interpretation:
        known = _known(memory)
        if known.ended:
            return Interpretation(memory=known, marker=True)
        end = StreamEvent.TOOL_CALLS if known.calls else StreamEvent.DONE
        return Interpretation(
            _last(known, text, end, None),
            memory=msgspec.structs.replace(known, ended=True),
            starts_response=memory is None,
            marker=True,
        )


class _Completion(_ChatEvent):
    """A complete completion."""

    def read(self, _text: str, memory: object, /) -> Interpretation:
        value, known = as_object(self.value), _known(memory)
        failure, usage = self.failure, chat_content.usage_of(value, self.choice)
        after, counts = known.after(
            value, usage, parts=known.parts, calls=known.calls, failure=failure, ended=True
        )
        return Interpretation(
            None,
            self._result(value),
            after,
            usage_increase(known.usage, after.usage),
            details_increase(known.details, after.details),
            failure.code if failure else None,
            _metadata(value),
            starts_response=memory is None,
            unread=_unread(counts),
        )

    def _result(self, value: dict[str, object]) -> RunResult:
        status, failure = RunStatus[self.type or ""], self.failure
        content = chat_content.message_of(self.choice)
        calls, parts = chat_calls.with_delta((), content), chat_content.parts(content)
        if failure is not None:
            partial = PartialMessage(parts, _separator="") if parts else None
            return RunResult(status, failure.message, _message=partial)
        if calls and not parts:
            message: Message | PartialMessage | None = None
        else:
            own = Memory(text_in(value, "id"), micros(value.get("created")))
            message = _message(own, parts, self.reason) if self.choice else None
        return RunResult(status, None, chat_calls.tool_call_list(calls), _message=message)


class _Request(SourceEvent):
    """A request for a completion, or the results of tool calls: the next completion follows."""

    def read(self, _text: str, _memory: object, /) -> Interpretation:
        is_request = self.kind == CONTEXT
        return Interpretation(metadata=_metadata(as_object(self.value)) if is_request else None)


class OpenAIChatReader:
    """Interprets chunks and objects of ``/v1/chat/completions`` of any compatible server.

    Chunks have no index.
    """

    name = "openai-chat"

    def interpret(self, kind: str, value: object) -> SourceEvent:
        """Interpret a chunk, a completion or a request."""
        if kind not in (STREAM_EVENT, RUN):
            return _Request(kind, value, mode=TextMode.RESTART)
        if value == DONE and kind == STREAM_EVENT:
            return _Done(kind, value, is_last=True)
        content = as_object(value)
        choice = chat_content.choice_of(content)
        reason, message = text_in(choice, "finish_reason"), chat_content.message_of(choice)
        failure = failure_of(content, reason)
        mode = TextMode.DELTA if "delta" in choice else TextMode.CUMULATIVE
        slots = chat_content.slots(message)
        type_: str | None = None
        envelope: dict[str, object] | None = None
        if kind == RUN:
            type_ = _status(choice, reason, failure).name
        else:
            type_, envelope = self._type_and_envelope(message, reason, failure)
        is_last = kind == STREAM_EVENT and bool(reason or failure)
        event = _Completion if kind == RUN else _Chunk
        head = (kind, value, type_, None, mode, slots, is_last, None, envelope)
        return event(*head, choice=choice, failure=failure, reason=reason)

    def _type_and_envelope(
        self, message: dict[str, object], reason: str | None, failure: Failure | None
    ) -> tuple[str | None, dict[str, object] | None]:
        if failure:
            return StreamEvent.ERROR.name, None
        if reason:
            return _end(reason).name, None
        if deltas := chat_content.text_deltas(message):
            return PARTIAL, self.envelope(PARTIAL, None, "".join(deltas.values()))
        return None, None

    def slots(self, value: object) -> list[TextSlot]:
        """The first choice's ``content`` and ``refusal``."""
        choice = chat_content.choice_of(as_object(value))
        return chat_content.slots(chat_content.message_of(choice))

    def envelope(
        self, type_: str | None, _index: int | None, text: str
    ) -> dict[str, object] | None:
        """A text delta of ``content``."""
        if type_ != PARTIAL:
            return None
        delta = {"content": text}
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}
        return {"object": CHUNK, "choices": [choice]}


reader = OpenAIChatReader()


def _has_news(known: Memory, chunk: dict[str, object]) -> bool:
    """Whether a chunk has metadata that none before it had: the model, or the id."""
    return known.model is None or (known.id is None and bool(chunk.get("id")))


def _known(memory: object) -> Memory:
    return memory if isinstance(memory, Memory) else _NO_MEMORY


def _event(
    failure: Failure | None, reason: str | None, memory: Memory, text: str
) -> RunStreamEvent:
    if failure:
        return _failed(failure, memory, text)
    if reason:
        return _last(memory, text, _end(reason), reason)
    partial = PartialMessage(memory.parts.texts(text), None, "")
    return RunStreamEvent(_PARTIAL, None, None, partial)


def _last(memory: Memory, text: str, end: StreamEvent, reason: str | None) -> RunStreamEvent:
    parts = memory.parts.texts(text)
    message = None if memory.calls and not parts else _message(memory, parts, reason)
    return RunStreamEvent(end, tool_calls=chat_calls.tool_call_list(memory.calls), _message=message)


def _failed(failure: Failure, memory: Memory, text: str) -> RunStreamEvent:
    parts = memory.parts.texts(text)
    message = PartialMessage(parts, _separator="") if parts else None
    return RunStreamEvent(StreamEvent.ERROR, error=failure.message, _message=message)


def _message(memory: Memory, parts: tuple[str, ...], reason: str | None) -> Message:
    return oj.message(
        memory.id,
        parts,
        role="assistant",
        status=_STATUSES.get(reason or "stop", MessageStatus.UNKNOWN),
        created_at=memory.created,
        finish_reason=reason,
    )


def _metadata(value: dict[str, object]) -> RunMetadata:
    return RunMetadata(
        created_by=text_in(value, "user"),
        model=text_in(value, "model"),
        created_at=micros(value.get("created")),
        labels=as_labels(value.get("metadata")) or None,
        response_id=text_in(value, "id"),
    )


def _status(choice: dict[str, object], reason: str | None, failure: Failure | None) -> RunStatus:
    if failure:
        return RunStatus.FAILED
    if reason in _CALLING:
        return RunStatus.TOOL_CALLS
    if reason is None and chat_calls.with_delta((), chat_content.message_of(choice)):
        return RunStatus.TOOL_CALLS
    return RunStatus.COMPLETED if choice else RunStatus.UNKNOWN


def _end(reason: str) -> StreamEvent:
    # A call that the request forced ends with "stop": the model does not wait for its result.
    return StreamEvent.TOOL_CALLS if reason in _CALLING else StreamEvent.DONE


def _unread(counts: Tally | None) -> tuple[str, ...]:
    return ("usage",) if counts is not None and counts.unread else ()
