"""What may happen to a run, step by step; times are seconds since noon."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from runreel.codec.source_protocol import Interpretation, RunMetadata
from runreel.codec.token_counts import tally
from runreel.model.events import RUN, STREAM_EVENT
from runreel.model.messages import PartialMessage
from runreel.model.results import FunctionCall, RunResult, RunStreamEvent, ToolCall, ToolCallList
from runreel.model.status import RunStatus, StreamEvent
from runreel.projection.run_reducer import apply, apply_note
from runreel.projection.run_state import RunState, summary

if TYPE_CHECKING:
    from collections.abc import Callable

    from runreel.model.runs import RunSummary

    Step = Callable[[RunState], bool]

NOON = 1_767_268_800_000_000
SECOND = 1_000_000
CALLS = ToolCallList((ToolCall(None, FunctionCall("weather", {"city": "Oslo"})),))


def opened(at: float = 0, **told: Any) -> Step:
    return noted("opened", at, **{"source": "plain"} | told)


def noted(type_: str, at: float = 0, **told: Any) -> Step:
    return lambda state: apply_note(state, type_, moment(at), told)


def streamed(name: str, at: float = 0, *, text: str | None = None, **told: Any) -> Step:
    names = ("error_code", "time", "usage", "details", "metadata", "starts_response")
    reading = {key: told.pop(key) for key in names if key in told}
    reading["usage"] = tally(reading.get("usage"))
    message = None if text is None else PartialMessage((text,))
    event = RunStreamEvent(StreamEvent[name], _message=message, **told)
    return lambda state: apply(
        state, STREAM_EVENT, moment(at), Interpretation(event=event, **reading)
    )


def got(name: str, at: float = 0, *, text: str | None = None, **told: Any) -> Step:
    reading = {key: told.pop(key) for key in ("error_code", "time", "metadata") if key in told}
    message = None if text is None else PartialMessage((text,))
    result = RunResult(RunStatus[name], _message=message, **told)
    return lambda state: apply(state, RUN, moment(at), Interpretation(result=result, **reading))


def other(kind: str, at: float = 0, metadata: RunMetadata | None = None) -> Step:
    return lambda state: apply(state, kind, moment(at), Interpretation(metadata=metadata))


def moment(seconds: float) -> int:
    return NOON + round(seconds * SECOND)


def after(*steps: Step) -> RunState:
    state = RunState()
    for step in steps:
        step(state)
    return state


def of(*steps: Step) -> RunSummary:
    return summary("run-1", after(*steps))


def seconds(at: float) -> datetime:
    return datetime.fromtimestamp(NOON // SECOND + at, UTC)
