"""The source adapter for the Responses API: stream events, responses, requests.

A run is a chain of responses, each continuing the previous one; its usage is their sum. Text
arrives as deltas, each for one content part of one output item. Events are distinguished by their
``type`` alone: other types than those named here are stored and do not affect the run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from runreel.codec import plain_json as pj
from runreel.codec import token_counts
from runreel.codec.source_protocol import START, Interpretation, ReadContext, TextMode, TextSlot
from runreel.model.events import CONTEXT, RUN, STREAM_EVENT
from runreel.model.messages import PartialMessage
from runreel.model.results import RunResult, RunStreamEvent
from runreel.model.status import PARTIAL, RunStatus, StreamEvent
from runreel.model.timestamps import micros
from runreel.sources.openai import items as openai_items
from runreel.sources.openai import response as responses
from runreel.sources.openai import text_parts
from runreel.sources.openai import values as oj

if TYPE_CHECKING:
    from runreel.codec.token_counts import Tally
    from runreel.sources.openai.items import Items
    from runreel.sources.openai.text_parts import Part, Spans

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
_NO_ITEMS: Items = {}


class Memory(NamedTuple):
    """State between the events of a run.

    ``response`` is the id of the current response, ``spans`` and ``items`` are its text parts and
    output items. ``counted`` holds the ids of responses whose usage is counted, ``misread`` of
    those whose usage is not understood.
    """

    response: str | None = None
    counted: frozenset[str] = frozenset()
    spans: Spans = ()
    misread: frozenset[str] = frozenset()
    items: Items = _NO_ITEMS

    def for_response(self, response: dict[str, Any]) -> Memory:
        """The memory with ``response`` as the current one."""
        if not self.is_new(response):
            return self
        return self._replace(response=responses.id_of(response), spans=(), items=_NO_ITEMS)

    def count_usage(self, response: dict[str, Any]) -> tuple[Memory, Tally | None]:
        """Count the usage of ``response``: the new memory, and the usage to add (None: none)."""
        id_ = responses.id_of(response)
        counts = token_counts.read(response.get("usage"), token_counts.RESPONSES)
        if counts is None or id_ in self.counted or (counts.unread and id_ in self.misread):
            return self, None
        if id_ is None:
            return self, counts
        if counts.unread:
            return self._replace(misread=self.misread | {id_}), counts
        added = counts.minus(token_counts.NOT_UNDERSTOOD) if id_ in self.misread else counts
        return self._replace(counted=self.counted | {id_}, misread=self.misread - {id_}), added

    def is_new(self, response: dict[str, Any]) -> bool:
        """Whether ``response`` is another one than the current response."""
        id_ = responses.id_of(response)
        return id_ is not None and id_ != self.response


class OpenAIResponsesReader:
    """Interprets events and objects of ``/v1/responses``, of OpenAI and compatible servers."""

    name = "openai-responses"

    def read(self, kind: str, value: Any, so_far: ReadContext = START) -> Interpretation:
        """Interpret an event, response or request."""
        value, memory = pj.as_object(value), so_far.memory or Memory()
        if kind == STREAM_EVENT:
            return _event(value, so_far.text, memory)
        if kind == RUN:
            return _run_snapshot(value, memory)
        if kind == CONTEXT:
            return Interpretation(metadata=responses.request_metadata(value), memory=so_far.memory)
        return Interpretation(memory=so_far.memory)

    def type_of(self, kind: str, value: Any) -> str | None:
        """The ``StreamEvent`` or ``RunStatus`` name; None for all other events."""
        value = pj.as_object(value)
        if kind == RUN:
            return responses.outcome(value).status.name
        if kind != STREAM_EVENT:
            return None
        if _text_delta(value):
            return PARTIAL
        if _is_error(value):
            return StreamEvent.ERROR.name
        end = _ENDS.get(_type(value))
        return end and _STREAMED[responses.outcome(_response_of(value), end).status].name

    def index_of(self, _kind: str, _value: Any) -> int | None:
        """None: the numbers restart with each response of a run, and some servers send none."""
        return None

    def slots(self, value: Any) -> list[TextSlot]:
        """The delta, or the text of each text and refusal part in an event that repeats deltas."""
        value = pj.as_object(value)
        type_ = _type(value)
        if type_ in _DELTAS:
            return _slot(value, "delta")
        if type_ in _ENDS:
            return _response_slots(_response_of(value))
        if type_ in _PART_DONE:
            return _part_slots(value)
        if type_ == "response.content_part.done":
            return _part_slots(value.get("part"))
        if type_ == "response.output_item.done":
            return _item_slots(value.get("item"))
        return [] if "type" in value else _response_slots(value)

    def text_mode(self, value: Any) -> TextMode:
        """Deltas append, events after them repeat, a complete response is cumulative."""
        type_ = _type(pj.as_object(value))
        if type_ == CREATED:
            return TextMode.RESTART
        if type_ in _DELTAS:
            return TextMode.DELTA
        return TextMode.REPEAT if type_ else TextMode.CUMULATIVE

    def envelope(self, type_: str | None, _source_index: int | None, text: str) -> Any:
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

    def parse_text_only(self, _value: Any) -> None:
        """None: this source is not cumulative."""
        return


reader = OpenAIResponsesReader()


def ends(value: Any) -> bool:
    """Whether a stream event is the last one of its response."""
    value = pj.as_object(value)
    return _is_error(value) or _type(value) in _ENDS


def _event(value: dict[str, Any], text: str, memory: Memory) -> Interpretation:
    if delta := _text_delta(value):
        return _apply_delta(*delta, text, memory)
    if _is_error(value):
        return _failed(value, memory)
    type_, response = _type(value), _response_of(value)
    if type_ in _RUNNING:
        return Interpretation(
            metadata=responses.metadata(response, first=memory.response is None),
            time=responses.created(response),
            starts_response=memory.is_new(response),
            memory=memory.for_response(response),
        )
    if openai_items.shows_items(type_):
        return Interpretation(
            memory=memory._replace(items=openai_items.apply_event(memory.items, value))
        )
    if end := _ENDS.get(type_):
        if not pj.as_list(response.get("output")):
            response = {**response, "output": openai_items.output(memory.items, memory.spans, text)}
        outcome = responses.outcome(response, end)
        event = RunStreamEvent(
            _STREAMED[outcome.status], outcome.error, outcome.tool_calls, _message=outcome.message
        )
        return _with_usage(response, memory, event=event, error_code=outcome.error_code)
    return Interpretation(memory=memory)


def _failed(value: dict[str, Any], memory: Memory) -> Interpretation:
    message, code = oj.body_error(value) or oj.error(value)
    event = RunStreamEvent(StreamEvent.ERROR, error=message)
    return Interpretation(event=event, error_code=code, memory=memory)


def _apply_delta(part: Part, text_delta: str, text: str, memory: Memory) -> Interpretation:
    text = text if text.endswith(text_delta) else text + text_delta
    spans = text_parts.add_delta(memory.spans, text, part, text_delta)
    message = PartialMessage(text_parts.parts(spans, text), None, "")
    event = RunStreamEvent(_PARTIAL, None, None, message)
    # Fast path: most events are deltas, and ``_replace`` is several times slower.
    after = Memory(memory.response, memory.counted, spans, memory.misread, memory.items)
    return Interpretation(event, memory=after)


def _run_snapshot(response: dict[str, Any], memory: Memory) -> Interpretation:
    outcome = responses.outcome(response)
    result = RunResult(outcome.status, outcome.error, outcome.tool_calls, _message=outcome.message)
    return _with_usage(response, memory, result=result, error_code=outcome.error_code)


def _with_usage(response: dict[str, Any], memory: Memory, **fields: Any) -> Interpretation:
    """The interpretation of a response, with its usage unless that is counted already."""
    usage = response.get("usage")
    after, added = memory.for_response(response).count_usage(response)
    counted = responses.id_of(response) in memory.counted
    return Interpretation(
        usage=added,
        details=None if counted else oj.details(usage, token_counts.RESPONSES),
        metadata=responses.metadata(response, first=memory.response is None),
        time=micros(response.get("completed_at")) or responses.created(response),
        starts_response=memory.is_new(response),
        memory=after,
        unread=("usage",) if added is not None and added.unread > 0 else (),
        **fields,
    )


def _type(value: dict[str, Any]) -> str:
    type_ = value.get("type")
    return type_ if isinstance(type_, str) else ""


def _is_error(value: dict[str, Any]) -> bool:
    type_ = _type(value)
    if type_ == ERROR:
        return True
    if type_.startswith("response."):
        return False
    # The body of an HTTP error has no type, or the type of its error.
    if value.get("error") or value.get("object") == ERROR:
        return True
    return not type_ and oj.body_error(value) is not None


def _response_of(value: dict[str, Any]) -> dict[str, Any]:
    return pj.as_object(value.get("response"))


def _text_delta(value: dict[str, Any]) -> tuple[Part, str] | None:
    """Part and text of a text delta, None for any other event."""
    if _type(value) not in _DELTAS:
        return None
    text = value.get("delta")
    if not isinstance(text, str) or not text:
        return None
    return (_number(value.get("output_index")), _number(value.get("content_index"))), text


def _number(value: Any) -> int:
    return value if type(value) is int else 0


def _slot(holder: dict[str, Any], key: str) -> list[TextSlot]:
    return [TextSlot(holder, key)] if type(holder.get(key)) in (str, int) else []


def _part_slots(part: Any) -> list[TextSlot]:
    part = pj.as_object(part)
    return next((slots for key in responses.TEXT_KEYS if (slots := _slot(part, key))), [])


def _item_slots(item: Any) -> list[TextSlot]:
    item = pj.as_object(item)
    if item.get("type") != "message":
        return []
    return [slot for part in pj.as_list(item.get("content")) for slot in _part_slots(part)]


def _response_slots(response: dict[str, Any]) -> list[TextSlot]:
    return [slot for item in pj.as_list(response.get("output")) for slot in _item_slots(item)]
