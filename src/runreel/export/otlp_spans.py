"""The spans of a run, by the GenAI conventions of OpenTelemetry, as OTLP JSON."""

from __future__ import annotations

import hashlib
import re
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from runreel.codec.json_values import as_text
from runreel.model.selection import PROBLEMS
from runreel.model.story import ToolCallStep

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runreel.model.results import Usage, UsageDetails
    from runreel.model.runs import RunSummary
    from runreel.projection.model_calls import ModelCall
    from runreel.projection.row_times import RowTimes
    from runreel.projection.story import Story

JsonObject: TypeAlias = "dict[str, object]"
Failure: TypeAlias = "tuple[str | None, int | str | None]"

CHAT, INVOKE_AGENT, EXECUTE_TOOL = "chat", "invoke_agent", "execute_tool"
_INTERNAL, _CLIENT, _ERROR = 1, 3, 2
_OTHER = "_OTHER"
_PROVIDERS = {
    "anthropic-messages": "anthropic",
    "google-gemini": "gcp.gemini",
    "claude-code": "anthropic",
    "codex": "openai",
    "openai-chat": "openai",
    "openai-responses": "openai",
    "yandex-assistants": "yandex",
}
# Parameters of requests by attribute: their names at the sources, and their type.
_PARAMETERS: dict[str, tuple[tuple[str, ...], type]] = {
    "gen_ai.request.max_tokens": (
        ("max_tokens", "max_completion_tokens", "max_output_tokens"),
        int,
    ),
    "gen_ai.request.temperature": (("temperature",), float),
    "gen_ai.request.top_p": (("top_p",), float),
    "gen_ai.request.frequency_penalty": (("frequency_penalty",), float),
    "gen_ai.request.presence_penalty": (("presence_penalty",), float),
    "gen_ai.request.seed": (("seed",), int),
    "gen_ai.request.stream": (("stream",), bool),
}
_trace_of = re.compile(r"(?:trace_)?([0-9a-f]{32})").fullmatch


class _Span(NamedTuple):
    """A span without its ids; times are in ns, ``failure`` is a message and a code."""

    name: str
    kind: int
    begin: int
    end: int
    values: Mapping[str, object]
    failure: Failure | None = None


class _Times:
    """The times of a run's rows in ns since the epoch."""

    def __init__(self, times: RowTimes) -> None:
        self.clock = times.clock
        if times.clock == "even":
            # Only the times of receipt are known.
            self._rows, self._requests, begin = [*accumulate(times.wall, max)], {}, 0
        else:
            self._rows, self._requests = times.rows, times.requests
            begin = times.wall[0] - times.rows[0]
        self._begin = begin
        self.begin = self.at(0) if times.clock == "even" else _nanoseconds(begin)

    def at(self, seq: int) -> int:
        """The time of a row, or of the request that it begins."""
        return _nanoseconds(self._begin + self._requests.get(seq, self._rows[seq]))


def _nanoseconds(microseconds: int) -> int:
    """Convert a time; those that OTLP cannot express become the nearest that it can."""
    return min(max(0, microseconds * 1_000), 2**64 - 1)


def of_run(
    run: RunSummary, story: Story, calls: Sequence[ModelCall], last: int
) -> list[JsonObject]:
    """Return the spans of a run, its own first; ``last`` is the row of its last event.

    A run of one model call without tools is one span.
    """
    spans = _Spans(run, _Times(story.times))
    tools = [
        step
        for step in story.steps
        if isinstance(step, ToolCallStep) and step.result_seq is not None
    ]
    if len(calls) == 1 and not tools and run.assistant_id is None:
        return [spans.chat(calls[0], 0, is_root=True, last=last)]
    return [
        spans.root(last),
        *(spans.chat(call, number) for number, call in enumerate(calls)),
        *(spans.tool(step, number) for number, step in enumerate(tools)),
    ]


class _Spans:
    """Builds the spans of one run."""

    def __init__(self, run: RunSummary, times: _Times) -> None:
        self._run = run
        self._times = times
        own = _trace_of((run.labels.get("trace_id") or "").lower())
        named = own is not None and set(own[1]) != {"0"}
        self._trace = own[1] if own is not None and named else _id(16, run.run_id)
        self._root = _id(8, run.run_id, "run")

    def root(self, last: int) -> JsonObject:
        """Return the span of the run."""
        values: JsonObject = {
            "gen_ai.operation.name": INVOKE_AGENT,
            "gen_ai.agent.id": self._run.assistant_id,
            "gen_ai.request.model": self._run.model,
            **self._common(),
            **_usage(self._run.usage, self._run.usage_details),
            **self._own(),
        }
        # A service that runs agents is called; otherwise the program is the agent.
        kind = _INTERNAL if self._run.assistant_id is None else _CLIENT
        begin, end = self._times.begin, self._times.at(last)
        return self._root_span(_Span(INVOKE_AGENT, kind, begin, end, values))

    def chat(
        self, call: ModelCall, number: int, *, is_root: bool = False, last: int = 0
    ) -> JsonObject:
        """Return the span of a model call; ``is_root``: it is that of the run too."""
        asked = None if call.asked_by is None else self._times.at(call.asked_by)
        begin = self._times.at(call.seq) if asked is None else asked
        model = as_text(call.request.get("model")) or self._run.model
        values: JsonObject = {
            "gen_ai.operation.name": CHAT,
            "gen_ai.request.model": model,
            **self._common(),
            **dict(_parameters(call.request)),
            "gen_ai.response.id": call.response_id,
            "gen_ai.response.model": call.model,
            "gen_ai.response.finish_reasons": call.finish_reason and [call.finish_reason],
        }
        if call.chunk is not None and asked is not None and self._times.clock != "even":
            waited = max(0, self._times.at(call.chunk) - asked) / 1e9
            values["gen_ai.response.time_to_first_chunk"] = waited
        usage = None if call.usage is None else call.usage.usage
        values |= _usage(usage, call.details)
        name = CHAT if model is None else f"{CHAT} {model}"
        if is_root:
            values |= {**_usage(self._run.usage, self._run.usage_details), **self._own()}
            begin, end = self._times.begin, self._times.at(last)
            return self._root_span(_Span(name, _CLIENT, begin, end, values))
        span = _Span(name, _CLIENT, begin, self._times.at(call.last), values, call.failure)
        return self._child(number, CHAT, span)

    def tool(self, step: ToolCallStep, number: int) -> JsonObject:
        """Return the span of a tool call that has a result."""
        values: JsonObject = {
            "gen_ai.operation.name": EXECUTE_TOOL,
            "gen_ai.tool.name": step.name,
            "gen_ai.tool.call.id": step.id,
        }
        name = EXECUTE_TOOL if step.name is None else f"{EXECUTE_TOOL} {step.name}"
        answered = step.seq if step.result_seq is None else step.result_seq
        begin, end = self._times.at(step.seq), self._times.at(answered)
        return self._child(number, EXECUTE_TOOL, _Span(name, _INTERNAL, begin, end, values))

    def _common(self) -> JsonObject:
        return {
            "gen_ai.provider.name": _PROVIDERS.get(self._run.source, _OTHER),
            "gen_ai.conversation.id": self._run.thread_id,
        }

    def _own(self) -> JsonObject:
        """The attributes that only the span of a run has."""
        labels = {f"runreel.label.{key}": value for key, value in self._run.labels.items()}
        return {
            "runreel.run_id": self._run.run_id,
            "runreel.source": self._run.source,
            "runreel.state": self._run.state,
            "runreel.clock": self._times.clock,
            **labels,
        }

    def _root_span(self, span: _Span) -> JsonObject:
        run, failure = self._run, None
        if run.error is not None:
            failure = run.error.message, run.error.code
        elif run.state in PROBLEMS:
            failure = None, run.state
        return {
            "traceId": self._trace,
            "spanId": self._root,
            **_content(span._replace(failure=failure)),
        }

    def _child(self, number: int, operation: str, span: _Span) -> JsonObject:
        own = _id(8, self._run.run_id, operation, str(number))
        ids = {"traceId": self._trace, "spanId": own, "parentSpanId": self._root}
        return {**ids, **_content(span)}


def _content(span: _Span) -> JsonObject:
    values, status = span.values, {}
    if span.failure is not None:
        message, code = span.failure
        values = {**values, "error.type": _OTHER if code is None else str(code)}
        described = {} if message is None else {"message": _text(message)}
        status = {"status": {**described, "code": _ERROR}}
    return {
        "name": _text(span.name),
        "kind": span.kind,
        "startTimeUnixNano": str(span.begin),
        "endTimeUnixNano": str(max(span.begin, span.end)),
        "attributes": attributes(values),
        **status,
    }


def _id(size: int, *parts: str) -> str:
    """Return an id of ``size`` bytes that is always the same for a run."""
    content = "\0".join(("runreel/otlp/v1", *parts)).encode("utf-8", "surrogatepass")
    return hashlib.sha256(content).hexdigest()[: 2 * size]


def _usage(usage: Usage | None, details: UsageDetails | None) -> JsonObject:
    values: JsonObject = {}
    if usage is not None:
        values["gen_ai.usage.input_tokens"] = usage.input_text_tokens
        values["gen_ai.usage.output_tokens"] = usage.completion_tokens
    if details is not None:
        values["gen_ai.usage.cache_read.input_tokens"] = details.cached_tokens
        values["gen_ai.usage.cache_write.input_tokens"] = details.cache_write_tokens
        values["gen_ai.usage.reasoning.output_tokens"] = details.reasoning_tokens
    return values


def _parameters(request: Mapping[str, object]) -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    for attribute, (names, type_) in _PARAMETERS.items():
        value = next((request[name] for name in names if request.get(name) is not None), None)
        if type_ is float and type(value) is int:
            value = float(value)
        if type(value) is type_:
            found.append((attribute, value))
    return found


def attributes(values: Mapping[str, object]) -> list[JsonObject]:
    """Return attributes as OTLP JSON, without those that are None or out of range."""
    pairs = ((_text(key), _value(value)) for key, value in values.items() if value is not None)
    return [{"key": key, "value": value} for key, value in pairs if value is not None]


def _value(value: object) -> JsonObject | None:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)} if -(2**63) <= value < 2**63 else None
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_value(one) for one in value]}}
    return {"stringValue": _text(str(value))}


def _text(text: str) -> str:
    """Return a text that UTF-8 can encode."""
    return text.encode("utf-8", "backslashreplace").decode()
