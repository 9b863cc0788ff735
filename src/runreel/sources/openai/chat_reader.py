"""The source adapter for chat completions: chunks of a stream, complete completions, requests.

A run is one completion, or several of which each follows the tool calls of the one before. Only the
first of several choices is interpreted; all are stored. Tool calls arrive as deltas and are
assembled here, because no chunk holds a complete one. A failed completion stays failed, regardless
of chunks after the error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.codec.json_values import as_object, object_in, text_in
from runreel.codec.source_protocol import SourceEvent, TextMode
from runreel.model.events import RUN, STREAM_EVENT
from runreel.model.status import PARTIAL, StreamEvent
from runreel.sources.asked import asked
from runreel.sources.openai import chat_content
from runreel.sources.openai.chat_events import (
    Chunk,
    Completion,
    Done,
    TextChunk,
    end_of,
    request,
    status_of,
)
from runreel.sources.openai.chat_failures import failure_of
from runreel.sources.openai.chat_memory import Memory

if TYPE_CHECKING:
    from runreel.codec.source_protocol import TextSlot
    from runreel.sources.openai.chat_failures import Failure

CHUNK = "chat.completion.chunk"
# Sent after the last chunk. It is not JSON: the event stores it as a string.
DONE = "[DONE]"

# Number of keys of a choice in the default event.
_DEFAULT_KEYS = 4


class OpenAIChatReader:
    """Interprets chunks and objects of ``/v1/chat/completions`` of any compatible server.

    Chunks have no index.
    """

    name = "openai-chat"
    memory_type = Memory

    def interpret(self, kind: str, value: object) -> SourceEvent:
        """Interpret a chunk, a completion or a request."""
        if kind not in (STREAM_EVENT, RUN):
            return asked(kind, value, request)
        if value == DONE and kind == STREAM_EVENT:
            return Done(kind, value, is_last=True)
        if kind == STREAM_EVENT and (text := chat_content.text_alone(value)):
            return self._text_chunk(as_object(value), text)
        content = as_object(value)
        choice = chat_content.choice_of(content)
        reason, message = text_in(choice, "finish_reason"), chat_content.message_of(choice)
        failure = failure_of(content, reason)
        mode = TextMode.DELTA if "delta" in choice else TextMode.CUMULATIVE
        slots = chat_content.slots(message)
        type_: str | None = None
        envelope: dict[str, object] | None = None
        if kind == RUN:
            type_ = status_of(choice, reason, failure).name
        else:
            type_, envelope = self._type_and_envelope(message, reason, failure)
        is_last = kind == STREAM_EVENT and bool(reason or failure)
        event = Completion if kind == RUN else Chunk
        head = (kind, value, type_, None, mode, slots, is_last, None, envelope)
        return event(*head, choice=choice, failure=failure, reason=reason)

    def _text_chunk(self, value: dict[str, object], text: str) -> SourceEvent:
        choice = chat_content.choice_of(value)
        delta = object_in(choice, "delta")
        if _is_default(choice):
            # The choices of the default event, which are identical and need no comparison.
            envelope: dict[str, object] | None = {"object": CHUNK, "choices": value["choices"]}
        else:
            envelope = self.envelope(PARTIAL, None, text)
        return TextChunk(
            STREAM_EVENT,
            value,
            PARTIAL,
            None,
            TextMode.DELTA,
            [(delta, "content")],
            envelope=envelope,
            choice=choice,
            text_delta=text,
        )

    def _type_and_envelope(
        self, message: dict[str, object], reason: str | None, failure: Failure | None
    ) -> tuple[str | None, dict[str, object] | None]:
        if failure:
            return StreamEvent.ERROR.name, None
        if reason:
            return end_of(reason).name, None
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


def _is_default(choice: dict[str, object]) -> bool:
    """Whether a choice with one text delta is that of the default event."""
    return (
        len(choice) == _DEFAULT_KEYS
        and len(object_in(choice, "delta")) == 1
        and type(choice.get("index")) is int
        and "logprobs" in choice
        and choice["logprobs"] is None
        and "finish_reason" in choice
        and choice["finish_reason"] is None
    )
