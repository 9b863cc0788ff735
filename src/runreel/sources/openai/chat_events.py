"""The events of a chat completion: chunks of its stream, the complete completion, its request."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import msgspec

from runreel.codec.json_values import as_labels, as_object, text_in
from runreel.codec.source_protocol import Interpretation, RunMetadata, SourceEvent
from runreel.model.messages import PartialMessage
from runreel.model.results import RunResult, RunStreamEvent
from runreel.model.status import MessageStatus, RunStatus, StreamEvent
from runreel.model.timestamps import micros
from runreel.sources.openai import chat_content
from runreel.sources.openai import tool_calls as chat_calls
from runreel.sources.openai import values as oj
from runreel.sources.openai.chat_memory import (
    Memory,
    add_deltas,
    details_increase,
    usage_increase,
)
from runreel.sources.openai.text_parts import NO_PARTS

if TYPE_CHECKING:
    from runreel.codec.token_counts import Tally
    from runreel.model.messages import Message
    from runreel.sources.openai.chat_failures import Failure
    from runreel.sources.openai.text_parts import TextParts

_CALLING = frozenset(("tool_calls", "function_call"))
_STATUSES = {
    **dict.fromkeys(("stop", *_CALLING), MessageStatus.COMPLETED),
    **dict.fromkeys(("length", "max_tokens", "model_length"), MessageStatus.TRUNCATED),
    "content_filter": MessageStatus.FILTERED_CONTENT,
}
_PARTIAL = StreamEvent.PARTIAL_MESSAGE
_NO_MEMORY = Memory()
# The part of a message that its content is.
_CONTENT = (chat_content.KEYS.index("content"), 0)


class ChatEvent(SourceEvent):
    """An event with its first choice, and the error and the finish reason in it."""

    choice: dict[str, object] = msgspec.field(default_factory=dict)
    failure: Failure | None = None
    reason: str | None = None


class Chunk(ChatEvent):
    """A chunk of a stream."""

    text_key: ClassVar[str] = "choices"

    def read(self, text: str, memory: object, /) -> Interpretation:
        """Return the meaning: see ``SourceEvent``."""
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


class TextChunk(Chunk):
    """A chunk that holds one text delta and no more."""

    text_alone: ClassVar[bool] = True

    text_delta: str = ""

    def text_memory(self, text: str, memory: object, /) -> object:
        """Return the memory after it: see ``SourceEvent``."""
        value = as_object(self.value)
        if not isinstance(memory, Memory) or memory.failure or _has_news(memory, value):
            return super().text_memory(text, memory)
        text = text if text.endswith(self.text_delta) else text + self.text_delta
        return Memory(
            memory.id,
            memory.created or micros(value.get("created")),
            memory.model,
            memory.parts.add(text, _CONTENT, self.text_delta),
            memory.calls,
            memory.usage,
            memory.details,
            tier=memory.tier,
        )


class Done(SourceEvent):
    """The ``[DONE]`` after the last chunk. It ends the run only if no final chunk has arrived."""

    def read(self, text: str, memory: object, /) -> Interpretation:
        """Return the meaning: see ``SourceEvent``."""
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


class Completion(ChatEvent):
    """A complete completion."""

    def read(self, _text: str, memory: object, /) -> Interpretation:
        """Return the meaning: see ``SourceEvent``."""
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


def request(value: dict[str, object]) -> Interpretation:
    """Return the meaning of a request for a completion."""
    metadata = _metadata(value)._replace(service_tier=None, billed_model=None)
    return Interpretation(metadata=metadata)


def _has_news(known: Memory, chunk: dict[str, object]) -> bool:
    """Whether a chunk has metadata that none before it had: model, id, or another service tier."""
    if known.model is None or (known.id is None and bool(chunk.get("id"))):
        return True
    # Most chunks name the tier, or none does.
    tier = chunk.get("service_tier")
    return tier != known.tier and oj.service_tier(chunk) not in (None, known.tier)


def _known(memory: object) -> Memory:
    return memory if isinstance(memory, Memory) else _NO_MEMORY


def _event(
    failure: Failure | None, reason: str | None, memory: Memory, text: str
) -> RunStreamEvent:
    if failure:
        return _failed(failure, memory, text)
    if reason:
        return _last(memory, text, end_of(reason), reason)
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
        service_tier=oj.service_tier(value),
        billed_model=text_in(value, "model"),
    )


def _unread(counts: Tally | None) -> tuple[str, ...]:
    return ("usage",) if counts is not None and counts.unread else ()


def end_of(reason: str) -> StreamEvent:
    """Return the event that ends a stream with a finish reason."""
    # A call that the request forced ends with "stop": the model does not wait for its result.
    return StreamEvent.TOOL_CALLS if reason in _CALLING else StreamEvent.DONE


def status_of(choice: dict[str, object], reason: str | None, failure: Failure | None) -> RunStatus:
    """Return the status of a complete completion."""
    if failure:
        return RunStatus.FAILED
    if reason in _CALLING:
        return RunStatus.TOOL_CALLS
    if reason is None and chat_calls.with_delta((), chat_content.message_of(choice)):
        return RunStatus.TOOL_CALLS
    return RunStatus.COMPLETED if choice else RunStatus.UNKNOWN
