"""The source adapter for sessions (rollouts) of the Codex CLI: items and token counts of a turn.

A run is one turn. Its lines hold the items of the Responses API, one by one, without the ids of
responses and without a stream; ``token_count`` has the counts of the last request of the model, and
those of the session so far.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from runreel.codec import token_counts
from runreel.codec.json_values import as_object, object_in, objects_in, text_in
from runreel.codec.source_protocol import Interpretation, RunMetadata, SourceEvent, TextMode
from runreel.codec.token_counts import Tally  # noqa: TC001 - for msgspec
from runreel.model.events import CONTEXT, STREAM_EVENT, TOOL_RESULTS
from runreel.model.results import RunStreamEvent, UsageDetails
from runreel.model.status import MessageStatus, StreamEvent
from runreel.model.timestamps import micros
from runreel.sources.archive_errors import error_of
from runreel.sources.archives import codex as lines
from runreel.sources.archives.codex import Role
from runreel.sources.openai import items as openai_items
from runreel.sources.openai import values as oj

if TYPE_CHECKING:
    from runreel.codec.source_protocol import TextSlot


class Memory(msgspec.Struct, frozen=True):
    """The calls that have no result yet, as items, and the token counts of the session so far.

    ``counted``: the last response of the model was counted, so that another one is next.
    """

    calls: tuple[dict[str, Any], ...] = ()
    total: Tally | None = None
    model: str | None = None
    counted: bool = True


_NONE = Memory()


class CodexReader:
    """Interprets the lines of session files, each stored as it is."""

    name = "codex"
    memory_type = Memory

    def interpret(self, kind: str, value: object) -> SourceEvent:
        """Interpret a line of a session."""
        if kind == STREAM_EVENT:
            role = lines.role_of(as_object(value))
            if role is Role.ANSWER:
                return _Answer(kind, value, mode=TextMode.DELTA, slots=self.slots(value))
            if role in (Role.TOKENS, Role.SETTINGS):
                return (_Tokens if role is Role.TOKENS else _Settings)(kind, value)
            return SourceEvent(kind, value, meaning=_MEANINGS.get(role, error_of))
        if kind == TOOL_RESULTS:
            return _Results(kind, value, mode=TextMode.RESTART)
        if kind == CONTEXT:
            return SourceEvent(kind, value, mode=TextMode.RESTART, meaning=_asked)
        return SourceEvent(kind, value)

    def slots(self, value: object) -> list[TextSlot]:
        """The texts of a message of the model, each of which is added to those before it."""
        if lines.role_of(as_object(value)) is not Role.ANSWER:
            return []
        return [
            (part, "text")
            for part in objects_in(lines.payload_of(value), "content")
            if part.get("type") == "output_text" and type(part.get("text")) in (str, int)
        ]

    def envelope(
        self, _type: str | None, _index: int | None, _text: str
    ) -> dict[str, object] | None:
        """None: no line is usual."""
        return None


reader = CodexReader()


class _Answer(SourceEvent):
    """An item that the model wrote: a message, a call, reasoning."""

    def read(self, _text: str, memory: object, /) -> Interpretation:
        line = as_object(self.value)
        item, known = lines.payload_of(line), _known(memory)
        event: RunStreamEvent | None = None
        calls = known.calls
        if item.get("type") == "message":
            event = RunStreamEvent(StreamEvent.DONE, _message=_message(line, item))
        elif openai_items.calls([item]) is not None:
            calls = (*calls, item)
            found = openai_items.calls(list(calls))
            event = RunStreamEvent(StreamEvent.TOOL_CALLS, None, found)
        after = msgspec.structs.replace(known, calls=calls, counted=False)
        return Interpretation(event, memory=after, time=_time(line), starts_response=known.counted)


class _Results(SourceEvent):
    """The result of a tool."""

    def read(self, _text: str, memory: object, /) -> Interpretation:
        if isinstance(memory, Memory):
            answered = lines.payload_of(self.value).get("call_id")
            calls = tuple(item for item in memory.calls if item.get("call_id") != answered)
            memory = msgspec.structs.replace(memory, calls=calls)
        return Interpretation(memory=memory, time=_time(as_object(self.value)))


class _Settings(SourceEvent):
    """The model and the settings of a turn."""

    def read(self, _text: str, memory: object, /) -> Interpretation:
        line = as_object(self.value)
        model = text_in(lines.payload_of(line), "model")
        after = msgspec.structs.replace(_known(memory), model=model)
        return Interpretation(metadata=RunMetadata(model=model), time=_time(line), memory=after)


class _Tokens(SourceEvent):
    """Token counts: of the last request, and of the session so far."""

    def read(self, _text: str, memory: object, /) -> Interpretation:
        info, known = object_in(lines.payload_of(self.value), "info"), _known(memory)
        last, total = info.get("last_token_usage"), _counts(info.get("total_token_usage"))
        after = msgspec.structs.replace(known, total=total or known.total, counted=True)
        if total is not None and total == known.total:
            # The program repeats the counts, with new limits.
            return Interpretation(memory=after)
        usage = _counts(last)
        if usage is None and total is not None:
            # Without those of the last request, only a difference within the run is known.
            first = known.total is None
            usage = token_counts.NOT_UNDERSTOOD if first else total.minus(known.total)
        return Interpretation(
            memory=after,
            usage=usage,
            details=_details(as_object(last)),
            metadata=None if known.model is None else RunMetadata(billed_model=known.model),
            unread=("usage",) if usage is not None and usage.unread > 0 else (),
        )


def _asked(line: dict[str, object]) -> Interpretation:
    time = _time(line)
    return Interpretation(metadata=RunMetadata(created_at=time), time=time)


def _input(line: dict[str, object]) -> Interpretation:
    return Interpretation(time=_time(line))


def _ended(line: dict[str, object]) -> Interpretation:
    payload = lines.payload_of(line)
    event: RunStreamEvent | None = None
    if payload.get("type") == "error":
        event = RunStreamEvent(StreamEvent.ERROR, error=text_in(payload, "message") or "")
    elif text_in(payload, "last_agent_message") is not None:
        event = RunStreamEvent(StreamEvent.DONE)
    return Interpretation(event, error_code=None, time=_time(line))


_MEANINGS = {Role.INPUT: _input, Role.ENDED: _ended}


def _known(memory: object) -> Memory:
    return memory if isinstance(memory, Memory) else _NONE


def _time(line: dict[str, object]) -> int | None:
    return micros(line.get("timestamp"))


def _message(line: dict[str, object], item: dict[str, object]) -> Any:
    parts = (
        part.get("text")
        for part in objects_in(item, "content")
        if part.get("type") == "output_text"
    )
    return oj.message(
        item.get("id"),
        tuple(text for text in parts if isinstance(text, str)),
        role="assistant",
        status=MessageStatus.COMPLETED,
        created_at=_time(line),
    )


def _counts(usage: object) -> Tally | None:
    return token_counts.read(usage, token_counts.RESPONSES)


def _details(usage: dict[str, object]) -> UsageDetails | None:
    cached = token_counts.count(usage.get("cached_input_tokens"))
    reasoning = token_counts.count(usage.get("reasoning_output_tokens"))
    return None if cached is reasoning is None else UsageDetails(cached, reasoning)
