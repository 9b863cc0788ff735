"""The source adapter for the Responses API: stream events, responses, requests.

A run is a chain of responses, each continuing the previous one; its usage is their sum. Text
arrives as deltas, each for one content part of one output item. Events are distinguished by their
``type`` alone: other types than those named here are stored and do not affect the run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from runreel.codec import token_counts
from runreel.codec.json_values import as_list, as_object, number_in, object_in, objects_in
from runreel.codec.source_protocol import Interpretation, SourceEvent, TextMode
from runreel.model.events import CONTEXT, RUN, STREAM_EVENT
from runreel.model.messages import PartialMessage
from runreel.model.results import RunResult, RunStreamEvent
from runreel.model.status import PARTIAL, RunStatus, StreamEvent
from runreel.model.timestamps import micros
from runreel.sources.openai import items as openai_items
from runreel.sources.openai import response as responses
from runreel.sources.openai import values as oj
from runreel.sources.openai.responses_memory import NO_MEMORY, Memory

if TYPE_CHECKING:
    from runreel.codec.source_protocol import TextSlot
    from runreel.sources.openai.text_parts import Part

ERROR = "error"
CREATED = "response.created"

_PARTIAL = StreamEvent.PARTIAL_MESSAGE
_TEXT_DELTA = "response.output_text.delta"
_DELTAS = frozenset((_TEXT_DELTA, "response.refusal.delta"))
_RUNNING = frozenset((CREATED, "response.queued", "response.in_progress"))
# Final events of a stream: their type decides the outcome, not the status of the response in it.
_ENDS = {
    "response.completed": "completed",
    "response.incomplete": "incomplete",
    "response.failed": "failed",
    "response.cancelled": "cancelled",
}
_STREAMED = {
    RunStatus.COMPLETED: StreamEvent.DONE,
    RunStatus.FAILED: StreamEvent.ERROR,
    RunStatus.TOOL_CALLS: StreamEvent.TOOL_CALLS,
}
# Events that repeat the text of the preceding deltas.
_PART_DONE = frozenset(("response.output_text.done", "response.refusal.done"))


class _TextDelta(SourceEvent):
    """An event that appends text."""

    text_delta: str = ""
    part: Part = (0, 0)
    text_key: ClassVar[str] = "delta"
    text_alone: ClassVar[bool] = True

    def read(self, text: str, memory: object, /) -> Interpretation:
        after = self.text_memory(text, memory)
        message = PartialMessage(after.parts.texts(self._with_delta(text)), None, "")
        return Interpretation(RunStreamEvent(_PARTIAL, None, None, message), memory=after)

    def text_memory(self, text: str, memory: object, /) -> Memory:
        known = memory if isinstance(memory, Memory) else NO_MEMORY
        parts = known.parts.add(self._with_delta(text), self.part, self.text_delta)
        return Memory(known.response, known.counted, parts, known.misread, known.items)

    def _with_delta(self, text: str) -> str:
        return text if text.endswith(self.text_delta) else text + self.text_delta


class _Error(SourceEvent):
    """An error that ends a stream."""

    def read(self, _text: str, memory: object, /) -> Interpretation:
        value = as_object(self.value)
        message, code = oj.body_error(value) or oj.error(value)
        event = RunStreamEvent(StreamEvent.ERROR, error=message)
        return Interpretation(event, error_code=code, memory=_known(memory))


class _StreamEvent(SourceEvent):
    """Any other event of a stream."""

    def read(self, text: str, memory: object, /) -> Interpretation:
        value, known = as_object(self.value), _known(memory)
        type_, response = _type(value), object_in(value, "response")
        if type_ in _RUNNING:
            return Interpretation(
                metadata=responses.metadata(response, first=known.response is None),
                time=responses.created(response),
                starts_response=known.is_new(response),
                memory=known.for_response(response),
            )
        if openai_items.shows_items(type_):
            items = openai_items.apply_event(known.items, value)
            after = Memory(known.response, known.counted, known.parts, known.misread, items)
            return Interpretation(memory=after)
        if end := _ENDS.get(type_):
            if not as_list(response.get("output")):
                output = openai_items.output(known.items, known.parts, text)
                response = {**response, "output": output}
            outcome = responses.outcome(response, end)
            event = RunStreamEvent(
                _STREAMED[outcome.status],
                outcome.error,
                outcome.tool_calls,
                _message=outcome.message,
            )
            return _with_usage(response, known, outcome, event=event)
        return Interpretation(memory=known)


class _Response(SourceEvent):
    """A complete response."""

    def read(self, _text: str, memory: object, /) -> Interpretation:
        response = as_object(self.value)
        outcome = responses.outcome(response)
        result = RunResult(
            outcome.status, outcome.error, outcome.tool_calls, _message=outcome.message
        )
        return _with_usage(response, _known(memory), outcome, result=result)


class OpenAIResponsesReader:
    """Interprets events and objects of ``/v1/responses``, of OpenAI and compatible servers.

    Events have no index: the source's numbers restart with each response of a run, and some servers
    send none.
    """

    name = "openai-responses"
    memory_type = Memory

    def interpret(self, kind: str, value: object) -> SourceEvent:
        """Interpret an event, a response or a request."""
        if kind == STREAM_EVENT:
            return self._stream_event(value)
        if kind == RUN:
            status = responses.status_of(as_object(value)).name
            return _Response(kind, value, status, None, _mode(value), self.slots(value))
        return SourceEvent(kind, value, meaning=_request if kind == CONTEXT else None)

    def _stream_event(self, value: object) -> SourceEvent:
        type_ = _type(value)
        if type_ in _DELTAS and isinstance(value, dict):
            text = value.get("delta")
            if isinstance(text, str) and text:
                # A complete response in the event would be taken for its text when read back.
                envelope = None if "output" in value else self.envelope(PARTIAL, None, text)
                slots: list[TextSlot] = [(value, "delta")]
                part = number_in(value, "output_index"), number_in(value, "content_index")
                return _TextDelta(
                    STREAM_EVENT,
                    value,
                    PARTIAL,
                    None,
                    TextMode.DELTA,
                    slots,
                    envelope=envelope,
                    text_delta=text,
                    part=part,
                )
        event: type[SourceEvent] = _StreamEvent
        name: str | None = None
        if _is_error(as_object(value)):
            event, name = _Error, StreamEvent.ERROR.name
        elif end := _ENDS.get(type_):
            response = object_in(as_object(value), "response")
            name = _STREAMED[responses.status_of(response, end)].name
        slots, is_last = self.slots(value), name is not None
        return event(STREAM_EVENT, value, name, None, _mode(value), slots, is_last=is_last)

    def slots(self, value: object) -> list[TextSlot]:
        """The delta, or the text of each text and refusal part in an event that repeats deltas."""
        value = as_object(value)
        type_ = _type(value)
        if type_ in _DELTAS:
            return _slot(value, "delta")
        if type_ in _ENDS:
            return _response_slots(object_in(value, "response"))
        if type_ in _PART_DONE:
            return _part_slots(value)
        if type_ == "response.content_part.done":
            return _part_slots(object_in(value, "part"))
        if type_ == "response.output_item.done":
            return _item_slots(object_in(value, "item"))
        return [] if "type" in value else _response_slots(value)

    def envelope(
        self, type_: str | None, _index: int | None, text: str
    ) -> dict[str, object] | None:
        """A text delta of the first part."""
        if type_ != PARTIAL:
            return None
        return {
            "type": _TEXT_DELTA,
            "output_index": 0,
            "content_index": 0,
            "delta": text,
            "logprobs": [],
        }


reader = OpenAIResponsesReader()


def _request(value: dict[str, object]) -> Interpretation:
    return Interpretation(metadata=responses.request_metadata(value))


def _known(memory: object) -> Memory:
    return memory if isinstance(memory, Memory) else NO_MEMORY


def _with_usage(
    response: dict[str, object],
    memory: Memory,
    outcome: responses.Outcome,
    *,
    event: RunStreamEvent | None = None,
    result: RunResult | None = None,
) -> Interpretation:
    """The interpretation of a response, with its usage unless that is counted already."""
    usage = response.get("usage")
    after, added = memory.for_response(response).count_usage(response)
    counted = responses.id_of(response) in memory.counted
    return Interpretation(
        event,
        result,
        after,
        usage=added,
        details=None if counted else token_counts.details(usage, token_counts.RESPONSES),
        error_code=outcome.error_code,
        metadata=responses.metadata(response, first=memory.response is None),
        time=micros(response.get("completed_at")) or responses.created(response),
        starts_response=memory.is_new(response),
        unread=("usage",) if added is not None and added.unread > 0 else (),
    )


def _type(value: object) -> str:
    type_ = value.get("type") if isinstance(value, dict) else None
    return type_ if isinstance(type_, str) else ""


def _mode(value: object) -> TextMode:
    """Deltas append, events after them repeat, a complete response is cumulative."""
    type_ = _type(value)
    if type_ == CREATED:
        return TextMode.RESTART
    if type_ in _DELTAS:
        return TextMode.DELTA
    return TextMode.REPEAT if type_ else TextMode.CUMULATIVE


def _is_error(value: dict[str, object]) -> bool:
    type_ = _type(value)
    if type_ == ERROR:
        return True
    if type_.startswith("response."):
        return False
    # The body of an HTTP error has no type, or the type of its error.
    if value.get("error") or value.get("object") == ERROR:
        return True
    return not type_ and oj.body_error(value) is not None


def _slot(holder: dict[str, object], key: str) -> list[TextSlot]:
    return [(holder, key)] if type(holder.get(key)) in (str, int) else []


def _part_slots(part: dict[str, object]) -> list[TextSlot]:
    return next((slots for key in responses.TEXT_KEYS if (slots := _slot(part, key))), [])


def _item_slots(item: dict[str, object]) -> list[TextSlot]:
    if item.get("type") != "message":
        return []
    return [slot for part in objects_in(item, "content") for slot in _part_slots(part)]


def _response_slots(response: dict[str, object]) -> list[TextSlot]:
    return [slot for item in objects_in(response, "output") for slot in _item_slots(item)]
