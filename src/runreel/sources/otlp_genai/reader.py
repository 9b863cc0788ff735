"""The source adapter for spans of GenAI calls: a run is a trace, a call one final state.

A span has no stream: what came when, and the text in between, is unknown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.codec import token_counts
from runreel.codec.json_values import as_object, as_text, object_in, text_in
from runreel.codec.source_protocol import Interpretation, RunMetadata, SourceEvent
from runreel.codec.token_counts import Tally, UsageKeys
from runreel.model.events import RUN, STREAM_EVENT
from runreel.model.messages import PartialMessage
from runreel.model.results import RunResult, ToolCallList, UsageDetails
from runreel.model.status import MessageStatus, RunStatus
from runreel.sources.archive_errors import error_of
from runreel.sources.archives import spans
from runreel.sources.openai import values as oj
from runreel.sources.otlp_genai.answers import Answer, answer_of

if TYPE_CHECKING:
    from runreel.codec.source_protocol import TextSlot
    from runreel.sources.archives.spans import Attributes

_USAGE = UsageKeys(("input",), ("output",), ("total",))
_FAILED = 2
_STATUSES = {
    **dict.fromkeys(("length", "max_tokens"), MessageStatus.TRUNCATED),
    **dict.fromkeys(("content_filter", "refusal"), MessageStatus.FILTERED_CONTENT),
}


class OtlpReader:
    """Interprets spans, each stored as it is."""

    name = "otlp-genai"
    memory_type = None

    def interpret(self, kind: str, value: object) -> SourceEvent:
        """Interpret a span."""
        if kind == RUN:
            return SourceEvent(kind, value, _type_of(value), meaning=_span)
        return SourceEvent(kind, value, meaning=error_of if kind == STREAM_EVENT else None)

    def slots(self, _value: object) -> list[TextSlot]:
        """None: no span repeats the text of another."""
        return []

    def envelope(
        self, _type: str | None, _index: int | None, _text: str
    ) -> dict[str, object] | None:
        """None: no span is usual."""
        return None


reader = OtlpReader()


def _type_of(value: object) -> str | None:
    found = spans.attributes(value)
    if spans.operation(found) != "inference":
        return None
    return _status(as_object(value), answer_of(found)).name


def _span(span: dict[str, object]) -> Interpretation:
    found = spans.attributes(span)
    start, end = (spans.time_of(span, key) for key in ("startTimeUnixNano", "endTimeUnixNano"))
    if spans.operation(found) != "inference":
        agent = as_text(spans.first(found, spans.AGENT))
        metadata = None if agent is None else RunMetadata(assistant_id=agent)
        return Interpretation(metadata=metadata)
    answer = answer_of(found)
    usage = _usage(found)
    metadata = RunMetadata(
        model=as_text(spans.first(found, spans.MODEL)),
        created_at=start,
        response_id=spans.text(found, "gen_ai.response.id"),
        requested_at=start,
        service_tier=as_text(spans.first(found, spans.TIER)),
        billed_model=spans.text(found, "gen_ai.response.model"),
    )
    return Interpretation(
        result=_result(span, answer, end),
        usage=usage,
        details=_details(found),
        error_code=_code(span, found),
        metadata=metadata,
        time=end,
        starts_response=True,
        unread=("usage",) if usage is not None and usage.unread > 0 else (),
    )


def _status(span: dict[str, object], answer: Answer) -> RunStatus:
    if object_in(span, "status").get("code") in (_FAILED, "STATUS_CODE_ERROR"):
        return RunStatus.FAILED
    if answer.reason == "error":
        return RunStatus.FAILED
    return RunStatus.TOOL_CALLS if answer.calls else RunStatus.COMPLETED


def _result(span: dict[str, object], answer: Answer, end: int | None) -> RunResult:
    status = _status(span, answer)
    if status is RunStatus.FAILED:
        error = text_in(object_in(span, "status"), "message") or ""
        partial = PartialMessage(answer.texts, _separator="") if answer.texts else None
        return RunResult(status, error, _message=partial)
    calls = ToolCallList(answer.calls) if answer.calls else None
    message = oj.message(
        None,
        answer.texts,
        role="assistant",
        status=_STATUSES.get(answer.reason or "", MessageStatus.COMPLETED),
        created_at=end,
        finish_reason=answer.reason,
    )
    return RunResult(status, None, calls, _message=message if answer.texts else None)


def _code(span: dict[str, object], found: Attributes) -> str | None:
    failed = object_in(span, "status").get("code") in (_FAILED, "STATUS_CODE_ERROR")
    return spans.text(found, "error.type") if failed else None


def _usage(found: Attributes) -> Tally | None:
    names = {"input": spans.INPUT, "output": spans.OUTPUT, "total": spans.TOTAL}
    counts = {key: spans.first(found, one) for key, one in names.items()}
    given = {key: number for key, number in counts.items() if number is not None}
    return token_counts.read(given, _USAGE) if given else None


def _details(found: Attributes) -> UsageDetails | None:
    names = (spans.CACHED, spans.REASONING, spans.CACHE_WRITE)
    counts = [token_counts.count(spans.first(found, one)) for one in names]
    return None if counts == [None] * 3 else UsageDetails(*counts)
