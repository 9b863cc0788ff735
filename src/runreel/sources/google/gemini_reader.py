"""The source adapter for the Gemini API: chunks of a stream, complete responses, requests.

A run is a chain of responses, of which each goes on with the results of functions; its usage is
their sum. Chunks have no type: each is a response with the text that is new. Only the first of
several candidates is interpreted; all are stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from runreel.codec.json_values import as_object, object_in, text_in
from runreel.codec.source_protocol import Interpretation, RunMetadata, SourceEvent, TextMode
from runreel.model.events import RUN, STREAM_EVENT
from runreel.model.messages import PartialMessage
from runreel.model.results import RunResult, RunStreamEvent
from runreel.model.status import PARTIAL, MessageStatus, RunStatus, StreamEvent
from runreel.sources.asked import asked, failed
from runreel.sources.google import content, usage
from runreel.sources.google.memory import NO_MEMORY, Memory
from runreel.sources.openai import values as oj
from runreel.sources.openai.chat_memory import details_increase, usage_increase

if TYPE_CHECKING:
    from runreel.codec.source_protocol import TextSlot
    from runreel.model.messages import Message
    from runreel.model.results import ToolCallList

_STATUSES = {
    "STOP": MessageStatus.COMPLETED,
    **dict.fromkeys(("MAX_TOKENS", "CONTINUATION"), MessageStatus.TRUNCATED),
    **dict.fromkeys(
        (
            *("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE"),
            *("IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION"),
            *("MODEL_ARMOR", "ESCALATION"),
        ),
        MessageStatus.FILTERED_CONTENT,
    ),
}
_UNSPECIFIED = "FINISH_REASON_UNSPECIFIED"
_STREAMED = {
    RunStatus.IN_PROGRESS: StreamEvent.PARTIAL_MESSAGE,
    RunStatus.COMPLETED: StreamEvent.DONE,
    RunStatus.TOOL_CALLS: StreamEvent.TOOL_CALLS,
}


class _Response(SourceEvent):
    """A chunk of a stream, or a complete response."""

    text_key: ClassVar[str] = "candidates"

    def read(self, text: str, memory: object, /) -> Interpretation:
        value, known = as_object(self.value), memory if isinstance(memory, Memory) else NO_MEMORY
        whole = self.kind == RUN
        if (error := _error_of(value)) is not None:
            return failed(*error, known, whole=whole)
        is_new = memory is None or _is_other(value, known)
        before = NO_MEMORY if is_new else known
        after = _after(value, before, whole=whole)
        event = None if whole else _event(value, after, text, before)
        counts = usage.tally(after.usage)
        return Interpretation(
            event,
            _result(value, after) if whole else None,
            after,
            usage=usage_increase(usage.tally(before.usage), counts),
            details=details_increase(usage.details(before.usage), usage.details(after.usage)),
            metadata=_metadata(value)
            if whole or (after.id, after.model) != (before.id, before.model)
            else None,
            starts_response=is_new,
            unread=("usage",) if counts is not None and counts.unread else (),
        )


class GeminiReader:
    """Interprets responses of ``generateContent`` and ``streamGenerateContent``.

    Chunks have no index.
    """

    name = "google-gemini"
    memory_type = Memory

    def interpret(self, kind: str, value: object) -> SourceEvent:
        """Interpret a chunk, a complete response or a request."""
        if kind not in (STREAM_EVENT, RUN):
            return asked(kind, value, _request)
        response = as_object(value)
        candidate = content.candidate_of(response)
        parts = content.parts_of(candidate)
        reason, calls = _reason_of(response, candidate), content.calls_in(parts)
        has_failed = _error_of(response) is not None
        if kind == RUN:
            status = RunStatus.FAILED if has_failed else _status(reason, calls)
            return _Response(kind, value, status.name, slots=content.slots(parts))
        text = content.text_of(parts)
        type_: str | None = None
        if has_failed:
            type_ = StreamEvent.ERROR.name
        elif reason is not None and (calls or text or not candidate):
            type_ = _STREAMED[_status(reason, calls)].name
        elif text and reason is None:
            type_ = PARTIAL
        is_last = has_failed or reason is not None
        head = (kind, value, type_, None, TextMode.DELTA, content.slots(parts), is_last)
        return _Response(*head, envelope=self.envelope(type_, None, text))

    def slots(self, value: object) -> list[TextSlot]:
        """The texts of the first candidate."""
        return content.slots(content.parts_of(content.candidate_of(as_object(value))))

    def envelope(
        self, type_: str | None, _index: int | None, text: str
    ) -> dict[str, object] | None:
        """A chunk with one text; others have ids and token counts too."""
        if type_ != PARTIAL:
            return None
        return {"candidates": [{"content": {"parts": [{"text": text}], "role": "model"}}]}


reader = GeminiReader()


def _request(value: dict[str, object]) -> Interpretation:
    model = text_in(value, "model")
    return Interpretation(metadata=RunMetadata(model=model) if model else None)


def _after(value: dict[str, object], before: Memory, *, whole: bool) -> Memory:
    candidate = content.candidate_of(value)
    calls = content.calls_in(content.parts_of(candidate))
    reported = value.get("usageMetadata")
    return Memory(
        before.id or text_in(value, "responseId"),
        before.model or text_in(value, "modelVersion"),
        calls if whole else before.calls + calls,
        before.usage if reported is None else reported,
        before.ended or _reason_of(value, candidate) is not None,
    )


def _event(
    value: dict[str, object], after: Memory, text: str, before: Memory
) -> RunStreamEvent | None:
    candidate = content.candidate_of(value)
    added = content.text_of(content.parts_of(candidate))
    text = text if text.endswith(added) else text + added
    reason = _reason_of(value, candidate)
    if reason is None:
        if not added or before.ended:
            return None
        return RunStreamEvent(StreamEvent.PARTIAL_MESSAGE, None, None, _partial(text))
    calls = content.call_list(after.calls)
    end = _STREAMED[_status(reason, after.calls)]
    return RunStreamEvent(end, tool_calls=calls, _message=_message(after, text, reason, calls))


def _result(value: dict[str, object], after: Memory) -> RunResult:
    candidate = content.candidate_of(value)
    reason, calls = _reason_of(value, candidate), content.call_list(after.calls)
    text = content.text_of(content.parts_of(candidate))
    message = _message(after, text, reason, calls)
    return RunResult(_status(reason, after.calls), None, calls, _message=message)


def _message(
    memory: Memory, text: str, reason: str | None, calls: ToolCallList | None
) -> Message | None:
    if calls is not None and not text:
        return None
    return oj.message(
        memory.id,
        (text,) if text else (),
        role="assistant",
        status=_STATUSES.get(reason or "STOP", MessageStatus.UNKNOWN),
        created_at=None,
        finish_reason=reason,
    )


def _partial(text: str) -> PartialMessage:
    return PartialMessage((text,), None, "")


def _status(reason: str | None, calls: content.Calls) -> RunStatus:
    """The status of the run after a response with this finish reason."""
    if reason is None:
        return RunStatus.IN_PROGRESS
    return RunStatus.TOOL_CALLS if calls and reason == "STOP" else RunStatus.COMPLETED


def _reason_of(value: dict[str, object], candidate: dict[str, object]) -> str | None:
    """Why a response has ended: the finish reason, or why the request was blocked."""
    reason = text_in(candidate, "finishReason")
    if reason is None and not candidate:
        blocked = text_in(object_in(value, "promptFeedback"), "blockReason")
        return None if blocked is None else "SAFETY" if blocked == "OTHER" else blocked
    return None if reason == _UNSPECIFIED else reason


def _error_of(value: dict[str, object]) -> tuple[str | None, int | str | None] | None:
    return oj.body_error(value) if "candidates" not in value else None


def _is_other(value: dict[str, object], known: Memory) -> bool:
    id_ = text_in(value, "responseId")
    return id_ is not None and known.id is not None and id_ != known.id


def _metadata(value: dict[str, object]) -> RunMetadata:
    model = text_in(value, "modelVersion")
    return RunMetadata(model=model, response_id=text_in(value, "responseId"), billed_model=model)
