"""The source adapter for messages of the Yandex ``TextGenerationService``, as proto JSON.

Each message holds the whole text so far and the usage so far. A run may be a chain of answers; its
usage is their sum. Messages have no id and no number: what follows the end of an answer, and is
more than a usage, begins another one. Only the first of several alternatives is interpreted; all
are stored. The REST interface puts the same message under ``result``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from runreel.codec import token_counts
from runreel.codec.json_values import as_object
from runreel.codec.source_protocol import Interpretation, RunMetadata, SourceEvent
from runreel.model.events import RUN, STREAM_EVENT
from runreel.model.messages import PartialMessage
from runreel.model.results import RunResult, RunStreamEvent, UsageDetails
from runreel.model.status import PARTIAL, MessageStatus, RunStatus, StreamEvent
from runreel.sources.asked import asked, failed
from runreel.sources.openai import values as oj
from runreel.sources.openai.chat_memory import details_increase, usage_increase
from runreel.sources.yandex import proto_json
from runreel.sources.yandex.completion_lines import PREFIX, answer_in
from runreel.sources.yandex.proto_json import get, integer, mapping, repeated, string
from runreel.sources.yandex.reader import tool_calls

if TYPE_CHECKING:
    from runreel.codec.source_protocol import TextSlot
    from runreel.codec.token_counts import Tally
    from runreel.model.messages import Message
    from runreel.model.results import ToolCallList

# In the order of their numbers in the proto.
_NAMES = ("UNSPECIFIED", "PARTIAL", "TRUNCATED_FINAL", "FINAL", "CONTENT_FILTER", "TOOL_CALLS")
_TOOL_CALLS = "TOOL_CALLS"
_STATUSES = {
    "FINAL": MessageStatus.COMPLETED,
    "TRUNCATED_FINAL": MessageStatus.TRUNCATED,
    "CONTENT_FILTER": MessageStatus.FILTERED_CONTENT,
    _TOOL_CALLS: MessageStatus.COMPLETED,
}


class Memory(msgspec.Struct, frozen=True):
    """State between the messages of a run.

    ``usage`` is that of the current answer as reported last. ``ended`` is True once the answer has
    a final status.
    """

    usage: Any = None
    ended: bool = False


_NO_MEMORY = Memory()


class _Answer(SourceEvent):
    """A message of an answer."""

    def read(self, text: str, memory: object, /) -> Interpretation:
        value, whole = answer_in(as_object(self.value)), self.kind == RUN
        known = memory if isinstance(memory, Memory) else _NO_MEMORY
        if (error := _error_of(value)) is not None:
            return failed(*error, known, whole=whole)
        alternative = _alternative(value)
        is_new = memory is None or (known.ended and bool(alternative))
        before = _NO_MEMORY if is_new else known
        status, reported = _status_of(alternative), get(value, "usage")
        after = Memory(
            before.usage if reported is None else reported, before.ended or status in _STATUSES
        )
        counts = _tally(after.usage)
        return Interpretation(
            None if whole else _event(alternative, status, text),
            _result(alternative, status) if whole else None,
            after,
            usage=usage_increase(_tally(before.usage), counts),
            details=details_increase(_details(before.usage), _details(after.usage)),
            starts_response=is_new,
            unread=("usage",) if counts is not None and counts.unread else (),
        )


class YandexCompletionsReader:
    """Interprets ``CompletionResponse`` messages of ``yandex.cloud.ai.foundation_models.v1``.

    They have no index.
    """

    name = "yandex-completions"
    memory_type = Memory

    def interpret(self, kind: str, value: object) -> SourceEvent:
        """Interpret a message, a finished answer or a request."""
        if kind not in (STREAM_EVENT, RUN):
            return asked(kind, value, _request)
        answer = answer_in(as_object(value))
        alternative = _alternative(answer)
        status, has_failed = _status_of(alternative), _error_of(answer) is not None
        if kind == RUN:
            found = RunStatus.FAILED if has_failed else _run_status(status)
            return _Answer(kind, value, found.name, slots=self.slots(value))
        type_: str | None = None
        if has_failed:
            type_ = StreamEvent.ERROR.name
        elif status in _STATUSES:
            type_ = _stream_status(status).name
        elif "message" in alternative:
            type_ = PARTIAL
        is_last = has_failed or status in _STATUSES
        return _Answer(kind, value, type_, slots=self.slots(value), is_last=is_last)

    def slots(self, value: object) -> list[TextSlot]:
        """The text of the first alternative."""
        message = mapping(_alternative(answer_in(as_object(value))), "message")
        return [(message, "text")] if type(message.get("text")) in (str, int) else []

    def envelope(
        self, _type: str | None, _index: int | None, _text: str
    ) -> dict[str, object] | None:
        """None: each message has a usage of its own, and is stored in full but for its text."""
        return None


reader = YandexCompletionsReader()


def _request(value: dict[str, object]) -> Interpretation:
    model = string(value, "modelUri")
    return Interpretation(metadata=RunMetadata(model=model) if model else None)


def _alternative(value: dict[str, object]) -> dict[str, object]:
    return next(iter(repeated(value, "alternatives")), {})


def _status_of(alternative: dict[str, object]) -> str:
    """The status of an alternative without its prefix, in proto JSON a name or a number."""
    status = alternative.get("status")
    if isinstance(status, str):
        return status.removeprefix(PREFIX)
    number = integer(status)
    return _NAMES[number] if number is not None and 0 <= number < len(_NAMES) else _NAMES[0]


def _run_status(status: str) -> RunStatus:
    if status == _TOOL_CALLS:
        return RunStatus.TOOL_CALLS
    return RunStatus.COMPLETED if status in _STATUSES else RunStatus.IN_PROGRESS


def _stream_status(status: str) -> StreamEvent:
    return StreamEvent.TOOL_CALLS if status == _TOOL_CALLS else StreamEvent.DONE


def _event(alternative: dict[str, object], status: str, text: str) -> RunStreamEvent | None:
    if status not in _STATUSES:
        if "message" not in alternative:
            return None
        return RunStreamEvent(StreamEvent.PARTIAL_MESSAGE, _message=PartialMessage((text,)))
    calls = tool_calls(mapping(alternative, "message"))
    message = _message(alternative, status, calls)
    return RunStreamEvent(_stream_status(status), tool_calls=calls, _message=message)


def _result(alternative: dict[str, object], status: str) -> RunResult:
    calls = tool_calls(mapping(alternative, "message"))
    return RunResult(
        _run_status(status), None, calls, _message=_message(alternative, status, calls)
    )


def _message(
    alternative: dict[str, object], status: str, calls: ToolCallList | None
) -> Message | None:
    message = mapping(alternative, "message")
    text = string(message, "text")
    if calls is not None and not text:
        return None
    return oj.message(
        None,
        (text,) if text else (),
        role=string(message, "role"),
        status=_STATUSES.get(status, MessageStatus.UNKNOWN),
        created_at=None,
        finish_reason=status,
    )


def _error_of(value: dict[str, object]) -> tuple[str | None, int | str | None] | None:
    return oj.body_error(value) if "alternatives" not in value else None


def _tally(usage: object) -> Tally | None:
    return token_counts.read(usage, token_counts.YANDEX_COMPLETIONS)


def _details(usage: object) -> UsageDetails | None:
    inner = mapping(as_object(usage), "completionTokensDetails")
    if not proto_json.has(inner, "reasoningTokens"):
        return None
    number = token_counts.count(get(inner, "reasoningTokens"), proto=True)
    return None if number is None else UsageDetails(reasoning_tokens=number)
