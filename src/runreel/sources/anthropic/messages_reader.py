"""The source adapter for the Messages API: stream events, finished messages, requests.

A run is a chain of messages, of which each goes on with the results of tools, or after a pause; its
usage is their sum. Text, reasoning and arguments of calls arrive as deltas of content blocks.
Events of other types than those named here, such as ``ping``, are stored and do not affect the run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import msgspec

from runreel.codec.json_values import as_object, number_in, object_in, objects_in, text_in
from runreel.codec.source_protocol import Interpretation, SourceEvent, TextMode
from runreel.model.events import CONTEXT, RUN, STREAM_EVENT
from runreel.model.messages import PartialMessage
from runreel.model.results import RunResult, RunStreamEvent
from runreel.model.status import PARTIAL, RunStatus, StreamEvent
from runreel.sources.anthropic import blocks
from runreel.sources.anthropic import message as messages
from runreel.sources.anthropic.memory import NO_MEMORY, Memory, usage_after
from runreel.sources.openai import values as oj

if TYPE_CHECKING:
    from collections.abc import Callable

    from runreel.codec.source_protocol import TextSlot
    from runreel.sources.openai.text_parts import Part

START, END, STOP = "message_start", "message_delta", "message_stop"
BLOCK_START, BLOCK_DELTA = "content_block_start", "content_block_delta"

_PARTIAL = StreamEvent.PARTIAL_MESSAGE
_TEXT_DELTA = "text_delta"
# Keys of a delta with text alone.
_DELTA_KEYS = 2


class _TextDelta(SourceEvent):
    """An event that appends text."""

    text_key: ClassVar[str] = "delta"
    text_alone: ClassVar[bool] = True

    text_delta: str = ""
    part: Part = (0, 0)

    def read(self, text: str, memory: object, /) -> Interpretation:
        after = self.text_memory(text, memory)
        message = PartialMessage(after.parts.texts(self._with_delta(text)), None, "")
        return Interpretation(RunStreamEvent(_PARTIAL, None, None, message), memory=after)

    def text_memory(self, text: str, memory: object, /) -> Memory:
        known = _known(memory)
        parts = known.parts.add(self._with_delta(text), self.part, self.text_delta)
        return Memory(known.id, parts, known.calls, known.sources, known.usage)

    def _with_delta(self, text: str) -> str:
        return text if text.endswith(self.text_delta) else text + self.text_delta


class _StreamEvent(SourceEvent):
    """Any other event of a stream."""

    def read(self, text: str, memory: object, /) -> Interpretation:
        value, known = as_object(self.value), _known(memory)
        if messages.is_error(value):
            message, code = oj.body_error(value) or oj.error(value)
            event = RunStreamEvent(StreamEvent.ERROR, error=message)
            return Interpretation(event, error_code=code, memory=known)
        read = _READERS.get(_type(value))
        return Interpretation(memory=known) if read is None else read(value, known, text)


class _Message(SourceEvent):
    """A finished message."""

    def read(self, _text: str, memory: object, /) -> Interpretation:
        value, known = as_object(self.value), _known(memory)
        if messages.is_error(value):
            error, code = oj.body_error(value) or oj.error(value)
            failed = RunResult(RunStatus.FAILED, error)
            return Interpretation(result=failed, error_code=code, memory=known)
        after, reason = known.started(value), text_in(value, "stop_reason")
        content = objects_in(value, "content")
        calls, message = messages.outcome(
            text_in(value, "id"),
            blocks.texts_of(content),
            blocks.calls_of(content),
            blocks.sources_of(content),
            reason,
        )
        report = usage_after(after.usage, value.get("usage"))
        return Interpretation(
            result=RunResult(messages.status_of(reason), None, calls, _message=message),
            memory=msgspec.structs.replace(after, usage=report.usage, ended=reason is not None),
            usage=report.added,
            details=report.details,
            metadata=messages.metadata(value),
            starts_response=memory is None or after.id != known.id,
            unread=report.unread,
        )


class _Asked(SourceEvent):
    """A request, or the results of tools: another message follows."""

    def read(self, _text: str, memory: object, /) -> Interpretation:
        value, known = as_object(self.value), _known(memory)
        metadata = messages.request_metadata(value) if self.kind == CONTEXT else None
        after = None if memory is None else Memory(known.id, usage=known.usage)
        return Interpretation(metadata=metadata, memory=after)


class AnthropicMessagesReader:
    """Interprets events and objects of ``/v1/messages``. Its events have no index."""

    name = "anthropic-messages"
    memory_type = Memory

    def interpret(self, kind: str, value: object) -> SourceEvent:
        """Interpret an event, a finished message or a request."""
        if kind == STREAM_EVENT:
            return self._stream_event(value)
        if kind != RUN:
            return _Asked(kind, value, mode=TextMode.RESTART)
        content = as_object(value)
        status = messages.status_of(text_in(content, "stop_reason"))
        if messages.is_error(content):
            status = RunStatus.FAILED
        return _Message(kind, value, status.name, slots=self.slots(value))

    def _stream_event(self, value: object) -> SourceEvent:
        content, slots = as_object(value), self.slots(value)
        type_ = _type(content)
        if type_ in (BLOCK_DELTA, BLOCK_START) and slots:
            container, key = slots[0]
            text = container[key]
            if isinstance(text, str) and text:
                return _TextDelta(
                    STREAM_EVENT,
                    value,
                    PARTIAL,
                    None,
                    TextMode.DELTA,
                    slots,
                    envelope=_envelope(container) if type_ == BLOCK_DELTA else None,
                    text_delta=text,
                    part=(number_in(content, "index"), 0),
                )
        end: StreamEvent | None = None
        is_last = type_ == STOP
        if messages.is_error(content):
            end, is_last = StreamEvent.ERROR, True
        elif type_ == END:
            reason = text_in(object_in(content, "delta"), "stop_reason")
            end, is_last = messages.end_of(reason), reason is not None
        name = None if end is None else end.name
        return _StreamEvent(STREAM_EVENT, value, name, None, _mode(type_), slots, is_last=is_last)

    def slots(self, value: object) -> list[TextSlot]:
        """The text that an event adds, or the text of each text block of a finished message."""
        content = as_object(value)
        type_ = _type(content)
        if type_ == BLOCK_DELTA:
            delta = object_in(content, "delta")
            return _slot(delta) if delta.get("type") == _TEXT_DELTA else []
        if type_ == BLOCK_START:
            return _block_slot(object_in(content, "content_block"))
        if type_ in ("", messages.TYPE):
            return [slot for block in objects_in(content, "content") for slot in _block_slot(block)]
        return []

    def envelope(
        self, type_: str | None, _index: int | None, text: str
    ) -> dict[str, object] | None:
        """A text delta of the first block."""
        return _envelope({"type": _TEXT_DELTA, "text": text}) if type_ == PARTIAL else None


reader = AnthropicMessagesReader()


def _envelope(delta: dict[str, object]) -> dict[str, object] | None:
    """The default event around a text delta; None if the delta has other keys too."""
    if len(delta) != _DELTA_KEYS:
        return None
    return {"type": BLOCK_DELTA, "index": 0, "delta": delta}


def _message_started(value: dict[str, object], known: Memory, _text: str) -> Interpretation:
    message = object_in(value, "message")
    after = known.started(message)
    report = usage_after(after.usage, message.get("usage"))
    return Interpretation(
        memory=msgspec.structs.replace(after, usage=report.usage),
        usage=report.added,
        details=report.details,
        metadata=messages.metadata(message),
        starts_response=True,
        unread=report.unread,
    )


def _block_started(value: dict[str, object], known: Memory, _text: str) -> Interpretation:
    number, block = number_in(value, "index"), object_in(value, "content_block")
    call = blocks.call_in(number, block)
    calls = known.calls if call is None else (*known.calls, call)
    sources = (*known.sources, *blocks.sources_of([block]))
    return Interpretation(memory=msgspec.structs.replace(known, calls=calls, sources=sources))


def _block_grown(value: dict[str, object], known: Memory, _text: str) -> Interpretation:
    number, delta = number_in(value, "index"), object_in(value, "delta")
    type_, calls, sources = delta.get("type"), known.calls, known.sources
    if type_ == "input_json_delta" and (text := text_in(delta, "partial_json")):
        calls = blocks.with_arguments(calls, number, text)
    elif type_ == "citations_delta":
        sources = (*sources, blocks.source_of(object_in(delta, "citation")))
    else:
        return Interpretation(memory=known)
    return Interpretation(memory=msgspec.structs.replace(known, calls=calls, sources=sources))


def _message_changed(value: dict[str, object], known: Memory, text: str) -> Interpretation:
    reason = text_in(object_in(value, "delta"), "stop_reason")
    report = usage_after(known.usage, value.get("usage"))
    ended = known.ended or reason is not None
    return Interpretation(
        _end(messages.end_of(reason), known, text, reason),
        memory=msgspec.structs.replace(known, usage=report.usage, ended=ended),
        usage=report.added,
        details=report.details,
        unread=report.unread,
    )


def _message_stopped(_value: dict[str, object], known: Memory, text: str) -> Interpretation:
    """Nothing follows; some servers have given no stop reason before."""
    if known.ended:
        return Interpretation(memory=known)
    end = StreamEvent.TOOL_CALLS if blocks.pending(known.calls) else StreamEvent.DONE
    event = _end(end, known, text, None)
    return Interpretation(event, memory=msgspec.structs.replace(known, ended=True))


_READERS: dict[str, Callable[[dict[str, object], Memory, str], Interpretation]] = {
    START: _message_started,
    BLOCK_START: _block_started,
    BLOCK_DELTA: _block_grown,
    END: _message_changed,
    STOP: _message_stopped,
}


def _end(
    end: StreamEvent | None, known: Memory, text: str, reason: str | None
) -> RunStreamEvent | None:
    """The event that ends a stream with this stop reason, None if it does not end here."""
    if end is None:
        return None
    calls, message = messages.outcome(
        known.id, known.parts.texts(text), known.calls, known.sources, reason
    )
    return RunStreamEvent(end, tool_calls=calls, _message=message)


def _known(memory: object) -> Memory:
    return memory if isinstance(memory, Memory) else NO_MEMORY


def _type(value: dict[str, object]) -> str:
    return text_in(value, "type") or ""


def _mode(type_: str) -> TextMode:
    """A message starts with an empty text, blocks add to it."""
    if type_ == START:
        return TextMode.RESTART
    return TextMode.DELTA if type_ in (BLOCK_START, BLOCK_DELTA) else TextMode.CUMULATIVE


def _slot(holder: dict[str, object]) -> list[TextSlot]:
    return [(holder, "text")] if type(holder.get("text")) in (str, int) else []


def _block_slot(block: dict[str, object]) -> list[TextSlot]:
    return _slot(block) if block.get("type") == blocks.TEXT else []
