"""The state of a run: a fold of its events.

Who decides: a Run that Get called COMPLETED or FAILED stays so, and what its stream tells later
belongs to the transcript; until then the last telling counts, be it a Run or a stream event,
except that a Run still in progress does not take back what the stream has already ended. What is
absent changes nothing: neither a state nor an event takes back a text, a usage, or the error and
calls of a status that stays. Where a further response begins, what the one before ended with
decides no more.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from runreel.codec import token_counts
from runreel.codec.plain_json import as_list, as_object
from runreel.model.events import (
    CLOSED,
    INTERRUPTED,
    NOT_UNDERSTOOD,
    OPEN,
    OPENED,
    RESUMED,
    RUN,
    STREAM_EVENT,
    TOOL_RESULTS,
)
from runreel.model.results import RunResult
from runreel.model.runs import RunError, RunSummary
from runreel.model.status import RunStatus, StreamEvent
from runreel.model.timestamps import duration_ms, first_text_ms, from_micros, micros

if TYPE_CHECKING:
    from runreel.codec.source_protocol import Interpretation, RunMetadata
    from runreel.codec.token_counts import Tally
    from runreel.model.messages import Message, PartialMessage
    from runreel.model.results import RunStreamEvent, ToolCallList, Usage, UsageDetails

IMPORT = "import"
LINES = "lines"
PLAIN = "plain"

# Python 3.11 takes long to look a member up, and this one is asked for with each event.
_IN_PROGRESS = RunStatus.IN_PROGRESS
_FINAL = (RunStatus.COMPLETED, RunStatus.FAILED)
_STREAMED = {
    StreamEvent.PARTIAL_MESSAGE: RunStatus.IN_PROGRESS,
    StreamEvent.DONE: RunStatus.COMPLETED,
    StreamEvent.ERROR: RunStatus.FAILED,
    StreamEvent.TOOL_CALLS: RunStatus.TOOL_CALLS,
}


@dataclass(slots=True)
class RunState:
    """Everything that the events so far say of a run. Times are µs since the epoch.

    ``tally`` is what ``usage`` adds up from, also where that is unknown because a part of it is not
    understood; ``noted`` is what a note has called not understood. ``clocked`` is whether its first
    line had a time, so that its times are the lines' own.
    ``settled`` is whether Get has called it COMPLETED or FAILED; ``live`` whether the rows' times
    are when things happened (an import's are not: it takes the source's own); ``timed`` whether
    ``started_at`` is when the run began, not when it was imported. ``requested_at`` is when the
    model was asked, by the program that recorded the run or by its lines. ``memory`` is its
    reader's.
    ``listed`` is whether the projections have a row of it: once it is pruned, only for its usage.
    """

    source: str = ""
    recording: str = OPEN
    status: RunStatus = RunStatus.RUN_STATUS_UNSPECIFIED
    error: str | None = None
    error_code: int | str | None = None
    tool_calls: ToolCallList | None = None
    message: Message | PartialMessage | None = None
    usage: Usage | None = None
    is_final_by_get: bool = False
    has_live_clock: bool = True
    has_start_time: bool = True
    assistant_id: str | None = None
    thread_id: str | None = None
    created_by: str | None = None
    model: str | None = None
    labels: dict[str, str] = field(default_factory=dict)
    created_at: int | None = None
    started_at: int = 0
    first_text_at: int | None = None
    finished_at: int | None = None
    events: int = 0
    last_seq: int = -1
    details: UsageDetails | None = None
    response_id: str | None = None
    adapter_memory: Any = None
    has_projection: bool = True
    tally: Tally | None = None
    noted: frozenset[str] = frozenset()
    clocked: bool = False
    requested_at: int | None = None

    def copy(self) -> RunState:
        """A state that moves on by itself."""
        return RunState(*_columns(self))

    @property
    def result(self) -> RunResult:
        """The run's result as of now."""
        return RunResult(
            status=self.status,
            error=self.error,
            tool_calls=self.tool_calls,
            _message=self.message,
            usage=self.usage,
        )


_columns = attrgetter(*(column.name for column in fields(RunState)))


def apply(state: RunState, kind: str, at: int, interpretation: Interpretation) -> bool:
    """Move ``state`` over the next row; whether anything changed that a list of runs shows."""
    state.last_seq += 1
    _clock(state, kind, interpretation.time)
    if kind == STREAM_EVENT and not interpretation.marker:
        state.events += 1
    state.adapter_memory = interpretation.memory
    changed = interpretation.metadata is not None and _apply_metadata(
        state, interpretation.metadata
    )
    if interpretation.starts_response:
        _restart(state, at)
        changed = True
    if interpretation.event is not None:
        changed |= _apply_stream_event(state, interpretation.event, at, interpretation)
    if interpretation.result is not None:
        changed |= _apply_run_snapshot(state, interpretation.result, at, interpretation)
    if interpretation.usage is not None:
        _count(state, interpretation.usage.plus(state.tally))
        changed = True
    if interpretation.total is not None:
        _count(state, interpretation.total)
        changed = True
    if interpretation.details is not None:
        state.details = token_counts.merge_details(state.details, interpretation.details)
        changed = True
    if kind == TOOL_RESULTS and state.status is RunStatus.TOOL_CALLS:
        _set_status(state, RunStatus.IN_PROGRESS, at, None)
        changed = True
    changed |= _set_start_time(state, _own_time(state, interpretation))
    return changed or kind == RUN


def accepts_text_fast_path(state: RunState) -> bool:
    """Whether a partial message that says nothing else changes nothing that a list shows."""
    return (
        state.status is _IN_PROGRESS
        and state.error is None
        and state.error_code is None
        and state.tool_calls is None
        and not state.is_final_by_get
        and (state.first_text_at is not None or not state.has_live_clock)
    )


def apply_text(state: RunState, message: PartialMessage, memory: Any = None) -> None:
    """Move ``state``, which flows, over a partial message that says nothing else."""
    state.last_seq += 1
    state.events += 1
    state.message, state.adapter_memory = message, memory


def apply_note(state: RunState, type_: str | None, at: int, value: Any) -> bool:
    """Move ``state`` over a note of the recorder; whether anything changed that a list shows."""
    state.last_seq += 1
    value = as_object(value)
    if type_ in (OPENED, RESUMED):
        state.recording = OPEN
        state.has_live_clock = value.get("via") != IMPORT and not state.clocked
        if type_ == OPENED:
            state.source = str(value.get("source") or "")
            by_lines = value.get("via") == LINES and state.source == PLAIN
            state.started_at, state.has_start_time = at, state.has_live_clock and not by_lines
            state.requested_at = micros(value.get("requested_at"))
        labels = value.get("labels")
        if isinstance(labels, dict):
            state.labels = state.labels | labels
        for name in ("assistant_id", "thread_id", "model"):
            if value.get(name):
                setattr(state, name, str(value[name]))
    elif type_ in (CLOSED, INTERRUPTED):
        state.recording = type_
    elif type_ == NOT_UNDERSTOOD:
        state.noted |= {what for what in as_list(value.get("what")) if isinstance(what, str)}
    return True


def summary(run_id: str, state: RunState) -> RunSummary:
    """What a list shows of the run."""
    failed = state.error is not None or state.error_code is not None
    return RunSummary(
        run_id=run_id,
        source=state.source,
        status=state.status,
        recording=state.recording,
        assistant_id=state.assistant_id,
        thread_id=state.thread_id,
        model=state.model,
        labels=dict(sorted(state.labels.items())),
        created_by=state.created_by,
        created_at=None if state.created_at is None else from_micros(state.created_at),
        started_at=from_micros(state.started_at),
        finished_at=None if state.finished_at is None else from_micros(state.finished_at),
        first_text_ms=first_text_ms(state.requested_at, state.first_text_at),
        duration_ms=duration_ms(state.requested_at, state.started_at, state.finished_at),
        error=RunError(state.error, state.error_code) if failed else None,
        tool_calls=state.tool_calls,
        usage=state.usage,
        events=state.events,
        last_seq=state.last_seq,
        usage_details=state.details,
        response_id=state.response_id,
        requested_at=None if state.requested_at is None else from_micros(state.requested_at),
        first_text_at=None if state.first_text_at is None else from_micros(state.first_text_at),
    )


def _apply_metadata(state: RunState, facts: RunMetadata) -> bool:
    changed = False
    for name in ("assistant_id", "thread_id", "created_by", "model", "response_id"):
        told = getattr(facts, name)
        if told is not None and told != getattr(state, name):
            setattr(state, name, told)
            changed = True
    if facts.labels and facts.labels.items() - state.labels.items():
        state.labels = state.labels | facts.labels
        changed = True
    if facts.requested_at is not None and state.requested_at is None:
        state.requested_at = facts.requested_at
        changed = True
    if facts.created_at is not None and facts.created_at != state.created_at:
        state.created_at = facts.created_at
        changed = True
    if facts.created_at is not None:
        changed |= _set_start_time(state, facts.created_at)
    return changed


def _own_time(state: RunState, reading: Interpretation) -> int | None:
    """The time that an event says of itself or, in an import, of the request."""
    if reading.time is not None or reading.metadata is None or state.has_live_clock:
        return reading.time
    return reading.metadata.requested_at


def _set_start_time(state: RunState, time: int | None) -> bool:
    """Begin an imported run at the first time that its source gives."""
    if state.has_start_time or time is None:
        return False
    state.started_at, state.has_start_time = time, True
    return True


def _clock(state: RunState, kind: str, time: int | None) -> None:
    """Decide with the first line of a program whether the run goes by the times of its lines."""
    if state.has_start_time or not state.has_live_clock or kind not in (RUN, STREAM_EVENT):
        return
    if time is None:
        state.has_start_time = True
    else:
        state.has_live_clock, state.clocked = False, True


def _count(state: RunState, tally: Tally) -> None:
    state.tally, state.usage = tally, tally.usage


def _apply_stream_event(
    state: RunState, event: RunStreamEvent, at: int, reading: Interpretation
) -> bool:
    status = _STREAMED.get(event.status)
    changed = False
    if state.first_text_at is None and event._message is not None:  # noqa: SLF001
        state.first_text_at = _time_of_first_text(state, at, reading.time)
        changed = state.first_text_at is not None
    if status is None or state.is_final_by_get:
        return changed
    before = (state.status, state.error, state.error_code, state.tool_calls)
    _outcome(state, status, event, at, reading)
    after = (status, state.error, state.error_code, state.tool_calls)
    return changed or after != before or status is not RunStatus.IN_PROGRESS


def _time_of_first_text(state: RunState, at: int, time: int | None) -> int | None:
    """When the text of an event came that follows none whose time is known."""
    if state.has_live_clock:
        return at
    # The times inside the events of services are of something else than the text.
    return time if state.source == PLAIN and state.message is None else None


def _restart(state: RunState, at: int) -> None:
    state.is_final_by_get = False
    state.message = state.error = state.error_code = None
    _set_status(state, RunStatus.IN_PROGRESS, at, None)


def _apply_run_snapshot(
    state: RunState, result: RunResult, at: int, reading: Interpretation
) -> bool:
    final = result.status in _FINAL
    total = token_counts.tally(result.usage)
    if total is not None and reading.total is None:
        _count(state, total)
    if state.status in _FINAL and not final:
        return True
    state.is_final_by_get = final
    _outcome(state, result.status, result, at, reading)
    return True


def _outcome(
    state: RunState,
    status: RunStatus,
    told: RunStreamEvent | RunResult,
    at: int,
    reading: Interpretation,
) -> None:
    """Take in a status and what comes with it; of what is absent, all stays that fits it."""
    stays, calls = status is state.status, state.tool_calls
    _set_status(state, status, at, reading.time)
    if told._message is not None:  # noqa: SLF001 - a failed state refuses to show it
        state.message = told._message  # noqa: SLF001
    if not stays or told.error is not None or reading.error_code is not None:
        state.error, state.error_code = told.error, reading.error_code
    if told.tool_calls is not None or not stays:
        calls = told.tool_calls
    state.tool_calls = calls


def _set_status(state: RunState, status: RunStatus, at: int, time: int | None) -> None:
    if status in _FINAL:
        if state.status not in _FINAL or state.finished_at is None:
            state.finished_at = at if state.has_live_clock else time
    else:
        state.finished_at = None
        state.tool_calls = None
    state.status = status
