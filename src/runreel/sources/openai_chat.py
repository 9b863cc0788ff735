"""Reads the JSON of chat completions: chunks of a stream, whole completions, requests.

A run is one completion. Of several choices the first is read; the others stand in the log. Calls
of tools come in pieces that are put together here, for no chunk has them whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from runreel.rules import plain_json as pj
from runreel.rules import token_counts
from runreel.rules.reading import START, Facts, Reading, Slot, SoFar, Telling
from runreel.sources import chat_calls, spans
from runreel.sources import openai_json as oj
from runreel.words.log import CONTEXT, RUN, STREAM_EVENT
from runreel.words.messages import PartialMessage
from runreel.words.results import RunResult, RunStreamEvent, UsageDetails
from runreel.words.status import PARTIAL, MessageStatus, RunStatus, StreamEvent
from runreel.words.times import micros

if TYPE_CHECKING:
    from runreel.rules.token_counts import Tally
    from runreel.sources.chat_calls import Calls
    from runreel.sources.spans import Spans
    from runreel.words.messages import Message

CHUNK = "chat.completion.chunk"

# What a message says, each in a part of its own.
_TEXT_KEYS = ("content", "refusal")
_STATUSES = {
    "length": MessageStatus.TRUNCATED,
    "content_filter": MessageStatus.FILTERED_CONTENT,
}
_CALLING = frozenset(("tool_calls", "function_call"))


class Memory(NamedTuple):
    """What the chunks so far have told: where the parts are, the calls, the usage."""

    model: str | None = None
    spans: Spans = ()
    calls: Calls = ()
    usage: Tally | None = None
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
        return PARTIAL if _pieces(value) else None

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
        if type_ != PARTIAL:
            return None
        delta = {"content": text}
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}
        return {"object": CHUNK, "choices": [choice]}

    def spoken(self, _value: Any) -> None:
        """None: what tells pieces never tells the whole text."""
        return


reader = OpenAIChatReader()


def ends(value: Any) -> bool:
    """Whether nothing but the usage comes after a chunk."""
    value = pj.as_object(value)
    return _is_error(value) or _reason(value) is not None


def _chunk(value: dict[str, Any], text: str, known: Memory | None) -> Reading:
    memory = known or Memory()
    if _is_error(value):
        error, code = oj.error(value["error"])
        failed = RunStreamEvent(StreamEvent.ERROR, error=error)
        return Reading(event=failed, error_code=code, memory=memory)
    pieces, reason = _pieces(value), _reason(value)
    told = "".join(pieces.values())
    text = text if text.endswith(told) else text + told
    after = _after(memory, value, text, pieces)
    parts = spans.parts(after.spans, text) if reason or pieces else ()
    event: RunStreamEvent | None = None
    if reason:
        message = _message(value, parts, calls=bool(after.calls))
        event = RunStreamEvent(
            _end(reason), tool_calls=chat_calls.told(after.calls), _message=message
        )
    elif pieces:
        event = RunStreamEvent(StreamEvent.PARTIAL_MESSAGE, _message=PartialMessage(parts))
    return Reading(
        event=event,
        usage=_increase(memory.usage, after.usage),
        details=_details_increase(memory.details, after.details),
        facts=_facts(value) if memory.model is None else None,
        begins=known is None,
        memory=after,
        unread=_unread(value),
    )


def _after(memory: Memory, value: dict[str, Any], text: str, pieces: dict[str, str]) -> Memory:
    grown, end = memory.spans, len(text) - sum(map(len, pieces.values()))
    for key, piece in pieces.items():
        end += len(piece)
        grown = spans.grown(grown, text[:end], (_TEXT_KEYS.index(key), 0), piece)
    usage = value.get("usage")
    counts = token_counts.read(usage, token_counts.CHAT)
    return Memory(
        model=memory.model or pj.as_text(value.get("model")) or None,
        spans=grown,
        calls=chat_calls.more(memory.calls, pj.as_object(_choice(value).get("delta"))),
        usage=memory.usage if counts is None else counts,
        details=oj.details(usage, token_counts.CHAT) or memory.details,
    )


def _completion(value: dict[str, Any], known: Memory | None) -> Reading:
    memory, status = known or Memory(), _status(value)
    error, code = oj.error(value.get("error"))
    said = pj.as_object(_choice(value).get("message"))
    calls = chat_calls.more((), said)
    message = None
    if status in (RunStatus.COMPLETED, RunStatus.TOOL_CALLS):
        parts = tuple(said[key] for key in _TEXT_KEYS if isinstance(said.get(key), str))
        message = _message(value, parts, calls=bool(calls))
    after = _after(memory, value, "", {})
    return Reading(
        result=RunResult(status, error, chat_calls.told(calls), _message=message),
        error_code=code,
        usage=_increase(memory.usage, after.usage),
        details=_details_increase(memory.details, after.details),
        facts=_facts(value),
        begins=known is None,
        memory=after,
        unread=_unread(value),
    )


def _message(value: dict[str, Any], parts: tuple[str, ...], *, calls: bool) -> Message | None:
    if calls and not parts:
        return None
    return oj.message(
        value.get("id"),
        parts,
        role="assistant",
        status=_STATUSES.get(_reason(value) or "", MessageStatus.COMPLETED),
        created_at=micros(value.get("created")),
    )


def _facts(value: dict[str, Any]) -> Facts:
    return Facts(
        created_by=pj.as_text(value.get("user")) or None,
        model=pj.as_text(value.get("model")) or None,
        created_at=micros(value.get("created")),
        labels=pj.as_labels(value.get("metadata")) or None,
    )


def _status(completion: dict[str, Any]) -> RunStatus:
    if _is_error(completion):
        return RunStatus.FAILED
    reason = _reason(completion)
    if reason is None:
        return RunStatus.UNKNOWN
    return RunStatus.TOOL_CALLS if reason in _CALLING else RunStatus.COMPLETED


def _end(reason: str) -> StreamEvent:
    # A call that the request forced ends with "stop": nobody waits for its result then.
    return StreamEvent.TOOL_CALLS if reason in _CALLING else StreamEvent.DONE


def _is_error(value: dict[str, Any]) -> bool:
    return bool(value.get("error")) and not value.get("choices")


def _choice(value: dict[str, Any]) -> dict[str, Any]:
    """The first choice, empty where the value tells nothing of it."""
    for choice in map(pj.as_object, pj.as_list(value.get("choices"))):
        if choice.get("index", 0) == 0:
            return choice
    return {}


def _pieces(chunk: dict[str, Any]) -> dict[str, str]:
    """What a chunk adds to the text, by the key that it stands under."""
    delta = pj.as_object(_choice(chunk).get("delta"))
    return {key: delta[key] for key in _TEXT_KEYS if delta.get(key) and type(delta[key]) is str}


def _reason(value: dict[str, Any]) -> str | None:
    return pj.as_text(_choice(value).get("finish_reason")) or None


def _increase(before: Tally | None, now: Tally | None) -> Tally | None:
    """What is to be added to the usage; some servers tell the total so far with each chunk."""
    return None if now is None or now == before else now.minus(before)


def _unread(value: dict[str, Any]) -> tuple[str, ...]:
    """What of a chunk or completion is not understood."""
    if value.get("usage") is None:
        return ()
    counts = token_counts.read(value["usage"], token_counts.CHAT)
    return ("usage",) if counts is not None and counts.unread else ()


def _details_increase(before: UsageDetails | None, now: UsageDetails | None) -> UsageDetails | None:
    if now is None or before is None:
        return now
    if now == before:
        return None
    return UsageDetails(
        None if now.cached_tokens is None else now.cached_tokens - (before.cached_tokens or 0),
        None
        if now.reasoning_tokens is None
        else now.reasoning_tokens - (before.reasoning_tokens or 0),
    )
