"""The source adapter for the log of ``llm``: requests, results of tools and responses of a turn.

Each value is one part of a row of the log, with the names of its columns::

    {"id": …, "part": "request", "messages": [{"role": "user", "content": …}], "datetime_utc": …}
    {"id": …, "part": "results", "tool_results": [{"tool_call_id": …, "name": …, "output": …}]}
    {"id": …, "part": "response", "model": …, "text": …, "tool_calls": […], "input_tokens": …}
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.codec import token_counts
from runreel.codec.json_text import loads
from runreel.codec.json_values import as_object, as_text, objects_in, text_in
from runreel.codec.source_protocol import Interpretation, RunMetadata, SourceEvent, TextMode
from runreel.model.errors import BadValue
from runreel.model.events import CONTEXT, RUN, STREAM_EVENT, TOOL_RESULTS
from runreel.model.results import RunResult, ToolCallList
from runreel.model.status import MessageStatus, RunStatus
from runreel.model.timestamps import micros
from runreel.sources.archive_errors import error_of
from runreel.sources.openai import values as oj

if TYPE_CHECKING:
    from runreel.codec.source_protocol import TextSlot
    from runreel.codec.token_counts import Tally

# What Anthropic reports apart from the input.
_APART = ("cache_creation_input_tokens", "cache_read_input_tokens")


class LlmLogReader:
    """Interprets parts of the rows of the log."""

    name = "llm-log"
    memory_type = None

    def interpret(self, kind: str, value: object) -> SourceEvent:
        """Interpret a request, results of tools or a response."""
        if kind == RUN:
            type_ = _status(as_object(value)).name
            return SourceEvent(kind, value, type_, slots=self.slots(value), meaning=_response)
        if kind in (CONTEXT, TOOL_RESULTS):
            meaning = _request if kind == CONTEXT else None
            return SourceEvent(kind, value, mode=TextMode.RESTART, meaning=meaning)
        return SourceEvent(kind, value, meaning=error_of if kind == STREAM_EVENT else None)

    def slots(self, value: object) -> list[TextSlot]:
        """The text of a response."""
        found = as_object(value)
        is_text = found.get("part") == "response" and type(found.get("text")) in (str, int)
        return [(found, "text")] if is_text else []

    def envelope(
        self, _type: str | None, _index: int | None, _text: str
    ) -> dict[str, object] | None:
        """None: no row is usual."""
        return None


reader = LlmLogReader()


def _request(value: dict[str, object]) -> Interpretation:
    time = micros(value.get("datetime_utc"))
    metadata = RunMetadata(model=text_in(value, "model"), created_at=time, requested_at=time)
    return Interpretation(metadata=metadata, time=time)


def _response(value: dict[str, object]) -> Interpretation:
    usage = _usage(value)
    start, took = micros(value.get("datetime_utc")), token_counts.count(value.get("duration_ms"))
    end = start if start is None or took is None else start + took * 1_000
    return Interpretation(
        result=_result(value, end),
        usage=usage,
        details=token_counts.details(_token_details(value), token_counts.PLAIN),
        metadata=RunMetadata(
            model=text_in(value, "resolved_model") or text_in(value, "model"),
            response_id=text_in(value, "id"),
            billed_model=text_in(value, "resolved_model") or text_in(value, "model"),
        ),
        time=end,
        starts_response=True,
        unread=("usage",) if usage is not None and usage.unread > 0 else (),
    )


def _status(value: dict[str, object]) -> RunStatus:
    return RunStatus.TOOL_CALLS if objects_in(value, "tool_calls") else RunStatus.COMPLETED


def _result(value: dict[str, object], end: int | None) -> RunResult:
    text = as_text(value.get("text"))
    message = oj.message(
        value.get("id"),
        () if text is None else (text,),
        role="assistant",
        status=MessageStatus.COMPLETED,
        created_at=end,
    )
    calls = tuple(
        oj.call(call.get("tool_call_id"), call.get("name"), call.get("arguments"))
        for call in objects_in(value, "tool_calls")
    )
    answer = message if text or not calls else None
    return RunResult(_status(value), None, ToolCallList(calls) if calls else None, _message=answer)


def _usage(value: dict[str, object]) -> Tally | None:
    names = ("input_tokens", "output_tokens")
    counts = {name: value.get(name) for name in names if value.get(name) is not None}
    details = _token_details(value)
    counts |= {name: details[name] for name in _APART if details.get(name) is not None}
    return token_counts.read(counts, token_counts.PLAIN) if len(counts) > 1 else None


def _token_details(value: dict[str, object]) -> dict[str, object]:
    details = value.get("token_details")
    if isinstance(details, str):
        try:
            details = loads(details)
        except BadValue:
            return {}
    return as_object(details)
