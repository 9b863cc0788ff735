"""The source adapter for runreel's own plain JSON, which any program can write.

A stream event is ``{"type": "PARTIAL_MESSAGE", "text": "the whole text so far"}``. ``parts`` or a
complete ``message`` may replace ``text``. Optional keys are ``source_index``, ``at``, ``error``,
``error_code``, ``tool_calls``, ``usage`` and ``usage_details`` (the run's totals so far) and
metadata of the run, such as ``requested_at``. A run snapshot has the same keys, with a
``RunStatus`` name as its ``type``.
``runreel events --json`` prints the same keys.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.codec import plain_json as pj
from runreel.codec import token_counts
from runreel.codec.json_values import as_labels, as_object, text_in
from runreel.codec.source_protocol import Interpretation, RunMetadata, SourceEvent
from runreel.model.events import CONTEXT, RUN, STREAM_EVENT
from runreel.model.results import RunResult, RunStreamEvent
from runreel.model.status import PARTIAL, RunStatus, StreamEvent
from runreel.model.timestamps import is_unreadable, micros

if TYPE_CHECKING:
    from runreel.codec.source_protocol import TextSlot
    from runreel.codec.token_counts import Tally
    from runreel.model.results import UsageDetails

_TIMES = ("at", "created_at", "requested_at")


class PlainReader:
    """Interprets events in the shape that this module describes."""

    name = "plain"
    memory_type = None

    def interpret(self, kind: str, value: object) -> SourceEvent:
        """Interpret an event, a run snapshot or a context."""
        if kind == STREAM_EVENT:
            content = as_object(value)
            type_ = StreamEvent.coerce(content.get("type", 0)).name
            index, text = content.get("source_index"), content.get("text")
            if type(index) is not int or not 0 <= index < 2**63:
                index = None
            if not isinstance(text, str) or value != self.envelope(type_, index, text):
                text = None
            slots = self.slots(value)
            return SourceEvent(
                kind, value, type_, index, slots=slots, text_only=text, meaning=_stream_event
            )
        if kind == RUN:
            type_ = RunStatus.coerce(as_object(value).get("type", 0)).name
            return SourceEvent(kind, value, type_, slots=self.slots(value), meaning=_snapshot)
        return SourceEvent(kind, value, meaning=_context if kind == CONTEXT else None)

    def slots(self, value: object) -> list[TextSlot]:
        """``text``, or the strings among ``parts`` or ``message.parts``."""
        if not isinstance(value, dict):
            return []
        if type(value.get("text")) in (str, int):
            return [(value, "text")]
        parts = value.get("parts", as_object(value.get("message")).get("parts"))
        if not isinstance(parts, list):
            return []
        return [(parts, key) for key, part in enumerate(parts) if type(part) in (str, int)]

    def envelope(self, type_: str | None, index: int | None, text: str) -> dict[str, object] | None:
        """A PARTIAL_MESSAGE with nothing but its text."""
        if type_ != PARTIAL:
            return None
        value: dict[str, object] = {"type": type_, "text": text}
        if index is not None:
            value["source_index"] = index
        return value


reader = PlainReader()

_NO_METADATA = RunMetadata()
_METADATA = frozenset(RunMetadata._fields)


def _stream_event(value: dict[str, object]) -> Interpretation:
    event = RunStreamEvent(
        status=StreamEvent.coerce(value.get("type", 0)),
        error=pj.error(value),
        tool_calls=pj.tool_calls(value.get("tool_calls")),
        _message=pj.message(value),
    )
    return _interpretation(value, _tally(value), event=event)


def _snapshot(value: dict[str, object]) -> Interpretation:
    tally = _tally(value)
    return _interpretation(value, tally, result=pj.result(value, tally))


def _context(value: dict[str, object]) -> Interpretation:
    return Interpretation(metadata=_metadata(value), unread=_unread(value, None))


def _interpretation(
    value: dict[str, object],
    tally: Tally | None,
    *,
    event: RunStreamEvent | None = None,
    result: RunResult | None = None,
) -> Interpretation:
    # A result carries its usage itself, unless parts of it are not understood.
    in_result = tally is None or (result is not None and not tally.unread)
    return Interpretation(
        event,
        result,
        error_code=_code(value),
        metadata=_metadata(value),
        time=micros(value.get("at")),
        total=None if in_result else tally,
        unread=_unread(value, tally),
        total_details=_details(value),
    )


def _tally(value: dict[str, object]) -> Tally | None:
    return token_counts.read(value.get("usage"), token_counts.PLAIN)


def _details(value: dict[str, object]) -> UsageDetails | None:
    named = "usage_details" if value.get("usage_details") is not None else "usage"
    return token_counts.details(value.get(named), token_counts.PLAIN)


def _metadata(value: dict[str, object]) -> RunMetadata | None:
    if _METADATA.isdisjoint(value):
        return None
    metadata = RunMetadata(
        assistant_id=text_in(value, "assistant_id"),
        thread_id=text_in(value, "thread_id"),
        created_by=text_in(value, "created_by"),
        model=text_in(value, "model"),
        created_at=micros(value.get("created_at")),
        labels=as_labels(value.get("labels")) or None,
        requested_at=micros(value.get("requested_at")),
        service_tier=text_in(value, "service_tier"),
        billed_model=text_in(value, "billed_model"),
    )
    return None if metadata == _NO_METADATA else metadata


def _unread(value: dict[str, object], tally: Tally | None) -> tuple[str, ...]:
    """The keys of a line whose values are not understood."""
    unread = [key for key in _TIMES if key in value and is_unreadable(value[key])]
    if tally is not None and tally.unread:
        unread.append("usage")
    if not isinstance(value.get("labels"), dict | None):
        unread.append("labels")
    return tuple(unread)


def _code(value: dict[str, object]) -> int | str | None:
    error = value.get("error")
    code = error.get("code") if isinstance(error, dict) else value.get("error_code")
    return code if isinstance(code, int | str) and type(code) is not bool else None
