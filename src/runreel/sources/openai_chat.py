"""Reads the JSON of chat completions: chunks of a stream, whole completions, requests.

A run is one completion. Of several choices the first is read; the others stand in the log. Calls
of tools come in pieces that are put together here, for no chunk has them whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from runreel.rules import plain_json as pj
from runreel.rules.reading import START, Facts, Reading, Slot, SoFar, Telling
from runreel.sources import openai_json as oj
from runreel.sources import spans
from runreel.sources.chat_calls import Calls
from runreel.words.log import CONTEXT, RUN, STREAM_EVENT
from runreel.words.messages import PartialMessage
from runreel.words.results import RunResult, RunStreamEvent, Usage, UsageDetails
from runreel.words.status import MessageStatus, RunStatus, StreamEvent

if TYPE_CHECKING:
    from runreel.sources.spans import Spans
    from runreel.words.messages import Message

CHUNK = "chat.completion.chunk"

# What a message says, each in a part of its own.
_TEXT_KEYS = ("content", "refusal")
_STATUSES = {
    "length": MessageStatus.TRUNCATED,
    "content_filter": MessageStatus.FILTERED_CONTENT,
}
_CALLING = ("tool_calls", "function_call")
_USAGE = ("prompt_tokens", "completion_tokens")


class Memory(NamedTuple):
    """What the chunks so far have told: where the parts are, the calls, the usage."""

    id: Any = None
    model: str | None = None
    spans: Spans = ()
    calls: Calls = Calls()
    usage: Usage | None = None
    details: UsageDetails | None = None


class OpenAIChatReader:
    """Chunks and objects of ``/v1/chat/completions``, of whichever server."""

    name = "openai-chat"

    def read(self, kind: str, value: Any, so_far: SoFar = START) -> Reading:
        """What the row means."""
        value = pj.as_object(value)
        if kind == STREAM_EVENT:
            return _chunk(value, so_far.text, so_far.memory)
        if kind == RUN:
            return _completion(value, so_far.memory)
        if kind == CONTEXT:
            return Reading(facts=_facts(value), memory=so_far.memory)
        return Reading(memory=so_far.memory)

    def type_of(self, kind: str, value: Any) -> str | None:
        """The ``StreamEvent`` or ``RunStatus`` name; None for a chunk that means neither."""
        value = pj.as_object(value)
        if kind == RUN:
            return _status(value).name
        if kind != STREAM_EVENT:
            return None
        if _is_error(value):
            return StreamEvent.ERROR.name
        if reason := _reason(value):
            return _end(reason).name
        return StreamEvent.PARTIAL_MESSAGE.name if _pieces(value) else None

    def index_of(self, _kind: str, _value: Any) -> int | None:
        """None: chunks have no numbers."""
        return None

    def slots(self, value: Any) -> list[Slot]:
        """The first choice's ``content`` and ``refusal``."""
        choice = _choice(pj.as_object(value))
        said = pj.as_object(choice.get("delta", choice.get("message")))
        return [Slot(said, key) for key in _TEXT_KEYS if type(said.get(key)) in (str, int)]

    def telling(self, value: Any) -> Telling:
        """Chunks tell more; a completion stands for itself."""
        is_chunk = "delta" in _choice(pj.as_object(value))
        return Telling.MORE if is_chunk else Telling.WHOLE

    def envelope(self, type_: str | None, _source_index: int | None, text: str) -> Any:
        """A piece of content."""
        if type_ != StreamEvent.PARTIAL_MESSAGE.name:
            return None
        delta = {"content": text}
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}
        return {"object": CHUNK, "choices": [choice]}


reader = OpenAIChatReader()


def ends(value: Any) -> bool:
    """Whether nothing but the usage comes after a chunk."""
    value = pj.as_object(value)
    return _is_error(value) or _reason(value) is not None


def _chunk(value: dict[str, Any], text: str, known: Memory | None) -> Reading:
    memory = known or Memory()
    if _is_error(value):
        message, code = oj.error(value["error"])
        event = RunStreamEvent(StreamEvent.ERROR, error=message)
        return Reading(event=event, error_code=code, memory=memory)
    pieces = _pieces(value)
    memory, usage, details = _counted(memory, value)
    memory = memory._replace(
        id=memory.id or value.get("id"),
        calls=memory.calls.more(_delta(value)),
        spans=_grown(memory.spans, text, pieces),
    )
    text = text if text.endswith("".join(pieces.values())) else text + "".join(pieces.values())
    event = None
    if reason := _reason(value):
        event = _ended(value, reason, spans.parts(memory.spans, text), memory)
    elif pieces:
        message = PartialMessage(spans.parts(memory.spans, text))
        event = RunStreamEvent(StreamEvent.PARTIAL_MESSAGE, _message=message)
    return Reading(event=event, usage=usage, details=details, memory=memory)
