"""Reads the JSON of the Responses API: stream events, responses, requests.

A run is a chain of responses, each going on from the one before; its usage is their sum. Text
comes in pieces, each of one content part of one output item. What is asked of an event is its
``type`` alone: types that are not named here mean nothing to a run, and stand in the log.
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
_GOING_ON = frozenset((CREATED, "response.queued", "response.in_progress"))
# The last events of a stream: their type, rather than the response inside, says how it ended.
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
# Where events repeat the text that deltas have told.
_PART_DONE = frozenset(("response.output_text.done", "response.refusal.done"))
_NO_ITEMS: Items = {}


class Memory(NamedTuple):
    """The response that streams, those whose usage is counted, its parts and output items.

    ``misread`` are the responses whose usage is not understood.
    """

    response: str | None = None
    counted: frozenset[str] = frozenset()
    spans: Spans = ()
    misread: frozenset[str] = frozenset()
    items: Items = _NO_ITEMS

    def moved(self, response: dict[str, Any]) -> Memory:
        """The memory once ``response`` is the one that is told."""
        if not self.is_new(response):
            return self
        return self._replace(response=responses.id_of(response), spans=(), items=_NO_ITEMS)

    def counting(self, response: dict[str, Any]) -> tuple[Memory, Tally | None]:
        """The memory once the usage of ``response`` is counted, and what is to be added for it."""
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
        """Whether ``response`` is another than the one that was told so far."""
        id_ = responses.id_of(response)
        return id_ is not None and id_ != self.response


class OpenAIResponsesReader:
    """Events and objects of ``/v1/responses``, of whichever server."""

    name = "openai-responses"

    def read(self, kind: str, value: Any, so_far: ReadContext = START) -> Interpretation:
        """What the row means."""
        value, memory = pj.as_object(value), so_far.memory or Memory()
        if kind == STREAM_EVENT:
            return _event(value, so_far.text, memory)
        if kind == RUN:
            return _response(value, memory)
        if kind == CONTEXT:
            return Interpretation(metadata=responses.request_metadata(value), memory=so_far.memory)
        return Interpretation(memory=so_far.memory)

    def type_of(self, kind: str, value: Any) -> str | None:
        """The ``StreamEvent`` or ``RunStatus`` name; None for an event that means neither."""
        value = pj.as_object(value)
        if kind == RUN:
            return responses.outcome(value).status.name
        if kind != STREAM_EVENT:
            return None
        if _piece(value):
            return PARTIAL
        if _is_error(value):
            return StreamEvent.ERROR.name
        end = _ENDS.get(_type(value))
        return end and _STREAMED[responses.outcome(_response_of(value), end).status].name

    def index_of(self, _kind: str, _value: Any) -> int | None:
        """None: each response of a chain numbers its events anew, and some servers number none."""
        return None

    def slots(self, value: Any) -> list[TextSlot]:
        """The delta; of what repeats deltas, the text of each text and refusal part."""
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
        """Deltas tell more, what ends them tells it again; a whole response stands for itself."""
        type_ = _type(pj.as_object(value))
        if type_ == CREATED:
            return TextMode.RESTART
        if type_ in _DELTAS:
            return TextMode.DELTA
        return TextMode.REPEAT if type_ else TextMode.CUMULATIVE

    def envelope(self, type_: str | None, _source_index: int | None, text: str) -> Any:
        """A piece of the first part."""
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
        """None: what tells pieces never tells the whole text."""
        return


reader = OpenAIResponsesReader()


def ends(value: Any) -> bool:
    """Whether a stream event is the last one of its response."""
    value = pj.as_object(value)
    return _is_error(value) or _type(value) in _ENDS


def _event(value: dict[str, Any], text: str, memory: Memory) -> Interpretation:
    if piece := _piece(value):
        return _grown(*piece, text, memory)
    if _is_error(value):
        return _failed(value, memory)
    type_, response = _type(value), _response_of(value)
    if type_ in _GOING_ON:
        return Interpretation(
            metadata=responses.metadata(response, first=memory.response is None),
            time=responses.created(response),
            starts_response=memory.is_new(response),
            memory=memory.moved(response),
        )
    if openai_items.shows_items(type_):
        return Interpretation(memory=memory._replace(items=openai_items.after(memory.items, value)))
    if end := _ENDS.get(type_):
        if not pj.as_list(response.get("output")):
            response = {**response, "output": openai_items.output(memory.items, memory.spans, text)}
        told = responses.outcome(response, end)
        event = RunStreamEvent(
            _STREAMED[told.status], told.error, told.tool_calls, _message=told.message
        )
        return _counted(response, memory, event=event, error_code=told.error_code)
    return Interpretation(memory=memory)


def _failed(value: dict[str, Any], memory: Memory) -> Interpretation:
    message, code = oj.body_error(value) or oj.error(value)
    event = RunStreamEvent(StreamEvent.ERROR, error=message)
    return Interpretation(event=event, error_code=code, memory=memory)


def _grown(part: Part, more: str, text: str, memory: Memory) -> Interpretation:
    text = text if text.endswith(more) else text + more
    grown = text_parts.grown(memory.spans, text, part, more)
    message = PartialMessage(text_parts.parts(grown, text), None, "")
    event = RunStreamEvent(_PARTIAL, None, None, message)
    # Most events are deltas, and ``_replace`` takes several times as long.
    after = Memory(memory.response, memory.counted, grown, memory.misread, memory.items)
    return Interpretation(event, memory=after)


def _response(response: dict[str, Any], memory: Memory) -> Interpretation:
    told = responses.outcome(response)
    result = RunResult(told.status, told.error, told.tool_calls, _message=told.message)
    return _counted(response, memory, result=result, error_code=told.error_code)


def _counted(response: dict[str, Any], memory: Memory, **told: Any) -> Interpretation:
    """The reading of a response, with its usage unless that is counted already."""
    usage = response.get("usage")
    after, added = memory.moved(response).counting(response)
    counted = responses.id_of(response) in memory.counted
    return Interpretation(
        usage=added,
        details=None if counted else oj.details(usage, token_counts.RESPONSES),
        metadata=responses.metadata(response, first=memory.response is None),
        time=micros(response.get("completed_at")) or responses.created(response),
        starts_response=memory.is_new(response),
        memory=after,
        unread=("usage",) if added is not None and added.unread > 0 else (),
        **told,
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
    # A body that is an error has no type, or that of its error.
    if value.get("error") or value.get("object") == ERROR:
        return True
    return not type_ and oj.body_error(value) is not None


def _response_of(value: dict[str, Any]) -> dict[str, Any]:
    return pj.as_object(value.get("response"))


def _piece(value: dict[str, Any]) -> tuple[Part, str] | None:
    """The part that an event adds to and what it adds; None where it adds nothing."""
    if _type(value) not in _DELTAS:
        return None
    more = value.get("delta")
    if not isinstance(more, str) or not more:
        return None
    return (_number(value.get("output_index")), _number(value.get("content_index"))), more


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
