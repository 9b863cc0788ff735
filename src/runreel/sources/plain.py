"""The source adapter for runreel's own plain JSON, which any program can write.

A stream event is ``{"type": "PARTIAL_MESSAGE", "text": "the whole text so far"}``. ``parts`` or a
complete ``message`` may replace ``text``. Optional keys are ``source_index``, ``at``, ``error``,
``error_code``, ``tool_calls``, ``usage`` (the run's total so far) and metadata of the run, such as
``requested_at``. A run snapshot has the same keys, with a ``RunStatus`` name as its ``type``.
``runreel events --json`` prints the same keys.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runreel.codec import plain_json as pj
from runreel.codec import token_counts
from runreel.codec.source_protocol import (
    START,
    Interpretation,
    ReadContext,
    RunMetadata,
    TextMode,
    TextSlot,
)
from runreel.model.events import CONTEXT, RUN, STREAM_EVENT
from runreel.model.results import RunResult, RunStreamEvent
from runreel.model.status import PARTIAL, RunStatus, StreamEvent
from runreel.model.timestamps import is_unreadable, micros

if TYPE_CHECKING:
    from runreel.codec.token_counts import Tally

_TIMES = ("at", "created_at", "requested_at")


class PlainReader:
    """Interprets events in the shape that this module describes."""

    name = "plain"

    def read(self, kind: str, value: Any, _so_far: ReadContext = START) -> Interpretation:
        """Interpret an event, run snapshot or context."""
        value = pj.as_object(value)
        if kind == CONTEXT:
            return Interpretation(metadata=_metadata(value), unread=_unread(value, None))
        if kind not in (STREAM_EVENT, RUN):
            return Interpretation()
        event: RunStreamEvent | None = None
        result: RunResult | None = None
        if kind == STREAM_EVENT:
            event = RunStreamEvent(
                status=StreamEvent.coerce(value.get("type", 0)),
                error=pj.error(value),
                tool_calls=pj.tool_calls(value.get("tool_calls")),
                _message=pj.message(value),
            )
        else:
            result = pj.result(value)
        tally = token_counts.read(value.get("usage"), token_counts.PLAIN)
        # A result carries its usage itself, unless parts of it are not understood.
        in_result = tally is None or (result is not None and not tally.unread)
        return Interpretation(
            event=event,
            result=result,
            error_code=_code(value),
            metadata=_metadata(value),
            time=micros(value.get("at")),
            total=None if in_result else tally,
            unread=_unread(value, tally),
        )

    def type_of(self, kind: str, value: Any) -> str | None:
        """The ``StreamEvent`` or ``RunStatus`` name."""
        name = pj.as_object(value).get("type", 0)
        if kind == STREAM_EVENT:
            return StreamEvent.coerce(name).name
        return RunStatus.coerce(name).name if kind == RUN else None

    def index_of(self, kind: str, value: Any) -> int | None:
        """``source_index`` of a stream event, None without a valid one."""
        index = pj.as_object(value).get("source_index")
        if kind != STREAM_EVENT or type(index) is not int or not 0 <= index < 2**63:
            return None
        return index

    def slots(self, value: Any) -> list[TextSlot]:
        """``text``, or the strings among ``parts`` or ``message.parts``."""
        if not isinstance(value, dict):
            return []
        if type(value.get("text")) in (str, int):
            return [TextSlot(value, "text")]
        parts = value.get("parts", pj.as_object(value.get("message")).get("parts"))
        if not isinstance(parts, list):
            return []
        return [TextSlot(parts, key) for key, part in enumerate(parts) if type(part) in (str, int)]

    def text_mode(self, _value: Any) -> TextMode:
        """Cumulative: each message repeats the whole text."""
        return TextMode.CUMULATIVE

    def envelope(self, type_: str | None, source_index: int | None, text: str) -> Any:
        """A PARTIAL_MESSAGE with nothing but its text."""
        if type_ != PARTIAL:
            return None
        value: dict[str, Any] = {"type": type_, "text": text}
        if source_index is not None:
            value["source_index"] = source_index
        return value

    def parse_text_only(self, value: Any) -> tuple[int | None, str] | None:
        """``source_index`` and ``text`` of a text-only event, None for any other value."""
        if type(value) is not dict or not isinstance(text := value.get("text"), str):
            return None
        index = self.index_of(STREAM_EVENT, value)
        return (index, text) if value == self.envelope(PARTIAL, index, text) else None


reader = PlainReader()

_NO_METADATA = RunMetadata()


def _metadata(value: dict[str, Any]) -> RunMetadata | None:
    metadata = RunMetadata(
        assistant_id=pj.as_text(value.get("assistant_id")) or None,
        thread_id=pj.as_text(value.get("thread_id")) or None,
        created_by=pj.as_text(value.get("created_by")) or None,
        model=pj.as_text(value.get("model")) or None,
        created_at=micros(value.get("created_at")),
        labels=pj.as_labels(value.get("labels")) or None,
        requested_at=micros(value.get("requested_at")),
    )
    return None if metadata == _NO_METADATA else metadata


def _unread(value: dict[str, Any], tally: Tally | None) -> tuple[str, ...]:
    """The keys of a line whose values are not understood."""
    unread = [key for key in _TIMES if is_unreadable(value.get(key))]
    if tally is not None and tally.unread:
        unread.append("usage")
    if not isinstance(value.get("labels"), dict | None):
        unread.append("labels")
    return tuple(unread)


def _code(value: dict[str, Any]) -> int | str | None:
    error = value.get("error")
    code = error.get("code") if isinstance(error, dict) else value.get("error_code")
    return code if type(code) in (int, str) else None
