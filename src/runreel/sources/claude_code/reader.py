"""The source adapter for sessions of Claude Code: prompts, answers and results of tools.

A run is one turn: a prompt of the user, and all messages of the model up to the next prompt. A
message has a line for each of its blocks, and each line repeats the token counts of the message as
they were then; the largest count. The session has no stream: a line is written when its block is
complete.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.codec.json_values import as_object, object_in, text_in
from runreel.codec.source_protocol import Interpretation, RunMetadata, SourceEvent, TextMode
from runreel.model.events import CONTEXT, STREAM_EVENT, TOOL_RESULTS
from runreel.model.messages import PartialMessage
from runreel.model.results import RunStreamEvent
from runreel.model.status import RunStatus, StreamEvent
from runreel.model.timestamps import micros
from runreel.sources.anthropic.message import metadata as message_metadata
from runreel.sources.anthropic.message import outcome, status_of
from runreel.sources.archive_errors import error_of
from runreel.sources.archives import claude_code as lines
from runreel.sources.claude_code.memory import Memory

if TYPE_CHECKING:
    from runreel.codec.source_protocol import TextSlot

_NONE = Memory()


class ClaudeCodeReader:
    """Interprets the lines of session files, each stored as it is."""

    name = "claude-code"
    memory_type = Memory

    def interpret(self, kind: str, value: object) -> SourceEvent:
        """Interpret a line of a session."""
        if kind == STREAM_EVENT:
            if as_object(value).get("type") == "assistant":
                return _Answer(kind, value, mode=TextMode.DELTA, slots=self.slots(value))
            return SourceEvent(kind, value, meaning=error_of)
        if kind == TOOL_RESULTS:
            return _Results(kind, value, mode=TextMode.RESTART)
        if kind == CONTEXT:
            return SourceEvent(kind, value, mode=TextMode.RESTART, meaning=_asked)
        return SourceEvent(kind, value)

    def slots(self, value: object) -> list[TextSlot]:
        """The texts of an answer, each of which is added to those before it."""
        line = as_object(value)
        if line.get("type") != "assistant":
            return []
        return [
            (block, "text")
            for block in lines.blocks(line)
            if block.get("type") == "text" and type(block.get("text")) in (str, int)
        ]

    def envelope(
        self, _type: str | None, _index: int | None, _text: str
    ) -> dict[str, object] | None:
        """None: no line is usual."""
        return None


reader = ClaudeCodeReader()


class _Answer(SourceEvent):
    """A line with a block of a message of the model, or the report of an error."""

    def read(self, _text: str, memory: object, /) -> Interpretation:
        line = as_object(self.value)
        message = object_in(line, "message")
        known = memory if isinstance(memory, Memory) else _NONE
        after = known.for_message(_key(line)).with_blocks(lines.blocks(line))
        synthetic = message.get("model") == lines.SYNTHETIC
        after, usage, details = after.count(None if synthetic else message.get("usage"))
        return Interpretation(
            _event(line, message, after),
            memory=after,
            usage=usage,
            details=details,
            error_code=_code(line),
            metadata=None if synthetic else message_metadata(message),
            time=micros(line.get("timestamp")),
            starts_response=known.key != after.key,
            unread=("usage",) if usage is not None and usage.unread > 0 else (),
        )


class _Results(SourceEvent):
    """A line with results of tools."""

    def read(self, _text: str, memory: object, /) -> Interpretation:
        line = as_object(self.value)
        if isinstance(memory, Memory):
            ids = {str(block.get("tool_use_id")) for block in lines.blocks(line)}
            memory = memory.answered(ids)
        return Interpretation(memory=memory, time=micros(line.get("timestamp")))


def _asked(line: dict[str, object]) -> Interpretation:
    time = micros(line.get("timestamp"))
    return Interpretation(metadata=RunMetadata(created_at=time), time=time)


def _key(line: dict[str, object]) -> str:
    """Return by what a message is known; a message without an id has one line."""
    return lines.message_key(line) or f" {lines.identity(line) or ''}"


def _event(line: dict[str, object], message: dict[str, object], memory: Memory) -> RunStreamEvent:
    if line.get("isApiErrorMessage") is True:
        return RunStreamEvent(StreamEvent.ERROR, error="".join(memory.texts))
    reason = text_in(message, "stop_reason")
    calls, whole = outcome(text_in(message, "id"), memory.texts, memory.calls, (), reason)
    answer = whole if memory.texts else None
    if calls is not None:
        return RunStreamEvent(StreamEvent.TOOL_CALLS, None, calls, _message=answer)
    if status_of(reason) is RunStatus.COMPLETED or (reason is None and _ends_with_text(line)):
        return RunStreamEvent(StreamEvent.DONE, _message=whole)
    partial = PartialMessage(memory.texts, _separator="") if memory.texts else None
    return RunStreamEvent(StreamEvent.PARTIAL_MESSAGE, _message=partial)


def _ends_with_text(line: dict[str, object]) -> bool:
    """Return whether the last block is text: without a reason, the message may end there."""
    blocks = lines.blocks(line)
    return bool(blocks) and blocks[-1].get("type") == "text"


def _code(line: dict[str, object]) -> int | str | None:
    """Return the code of an error that the program reports."""
    if line.get("isApiErrorMessage") is not True:
        return None
    status = line.get("apiErrorStatus")
    return status if type(status) is int else text_in(line, "error")
