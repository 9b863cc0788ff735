"""The reducer: applies events to the state of a run.

Precedence: a status COMPLETED or FAILED from Get is final; stream events after it only extend the
transcript. Before that, the latest event wins, be it a run snapshot or a stream event, except that
a snapshot IN_PROGRESS does not undo a status in which the stream ended. A missing field changes
nothing: no event removes a text, a usage, or the error and tool calls of an unchanged status. A new
response clears the outcome of the previous one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runreel.codec import token_counts
from runreel.codec.json_values import as_list, as_object, text_in
from runreel.codec.source_protocol import BATCH, RunMetadata
from runreel.model.events import (
    ATTEMPT,
    CLOSED,
    INTERRUPTED,
    LABELED,
    NOT_UNDERSTOOD,
    OPEN,
    OPENED,
    RESUMED,
    RUN,
    STREAM_EVENT,
    TOOL_RESULTS,
)
from runreel.model.status import RunStatus, StreamEvent
from runreel.model.timestamps import micros
from runreel.projection.run_state import IMPORT, LINES, PLAIN, ModelCall, RunState
from runreel.sources.archives.lines import OPENAI_BATCH

if TYPE_CHECKING:
    from runreel.codec.source_protocol import Interpretation
    from runreel.codec.token_counts import Tally
    from runreel.model.results import RunResult, RunStreamEvent

_FINAL = (RunStatus.COMPLETED, RunStatus.FAILED)
_STREAMED = {
    StreamEvent.PARTIAL_MESSAGE: RunStatus.IN_PROGRESS,
    StreamEvent.DONE: RunStatus.COMPLETED,
    StreamEvent.ERROR: RunStatus.FAILED,
    StreamEvent.TOOL_CALLS: RunStatus.TOOL_CALLS,
}


def apply(state: RunState, kind: str, at: int, interpretation: Interpretation) -> bool:
    """Apply the next event. True if the projection changed."""
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
    if interpretation.event is not None or interpretation.result is not None:
        state.continued = False
    if interpretation.event is not None:
        changed |= _apply_stream_event(state, interpretation.event, at, interpretation)
    if interpretation.result is not None:
        changed |= _apply_run_snapshot(state, interpretation.result, at, interpretation)
    changed |= _apply_usage(state, interpretation)
    _apply_call(state, interpretation)
    if kind == TOOL_RESULTS and state.status is RunStatus.TOOL_CALLS:
        _set_status(state, RunStatus.IN_PROGRESS, at, None)
        changed = True
    changed |= _set_start_time(state, _own_time(state, interpretation))
    return changed or kind == RUN


def apply_note(state: RunState, type_: str | None, at: int, value: Any) -> bool:
    """Apply a note of the recorder. True if the projection changed."""
    state.last_seq += 1
    value = as_object(value)
    if type_ in (OPENED, RESUMED):
        # The run of an archive has no session that may be cut off.
        state.recording = CLOSED if "archive" in value else OPEN
        state.has_live_clock = value.get("via") != IMPORT and not state.clocked
        if type_ == OPENED:
            state.source = str(value.get("source") or "")
            by_lines = value.get("via") == LINES and state.source == PLAIN
            state.started_at, state.has_start_time = at, state.has_live_clock and not by_lines
        else:
            state.continued |= "after" in value
        state.metadata = state.metadata.merge(_metadata_of_note(type_, value))
    elif type_ in (CLOSED, INTERRUPTED):
        state.recording = type_
    elif type_ == LABELED:
        state.metadata = state.metadata.merge(_metadata_of_note(type_, value))
    elif type_ == ATTEMPT:
        _fail(state, at, value)
    elif type_ == NOT_UNDERSTOOD:
        state.noted |= {code for code in as_list(value.get("what")) if isinstance(code, str)}
    return True


def _fail(state: RunState, at: int, attempt: dict[str, object]) -> None:
    """Fail the run with an attempt to send a request; a later attempt may be answered."""
    _set_status(state, RunStatus.FAILED, at, None)
    state.is_final_by_get = False
    state.error = text_in(attempt, "error")
    status = attempt.get("status")
    state.error_code = status if type(status) is int else None
    state.tool_calls = None


def _metadata_of_note(type_: str, value: dict[str, Any]) -> RunMetadata:
    names = ("assistant_id", "thread_id", "model")
    texts: dict[str, Any] = {name: str(value[name]) for name in names if value.get(name)}
    labels = value.get("labels")
    return RunMetadata(
        **texts,
        labels=labels if isinstance(labels, dict) else None,
        requested_at=micros(value.get("requested_at")) if type_ == OPENED else None,
        # The answers themselves do not say that they were part of a batch.
        service_tier=BATCH if value.get("archive") == OPENAI_BATCH else None,
    )


def _apply_metadata(state: RunState, metadata: RunMetadata) -> bool:
    before, state.metadata = state.metadata, state.metadata.merge(metadata)
    return _set_start_time(state, metadata.created_at) or state.metadata != before


def _own_time(state: RunState, interpretation: Interpretation) -> int | None:
    """Return the event's own time; in an import, else the time of the request."""
    if interpretation.time is not None or interpretation.metadata is None or state.has_live_clock:
        return interpretation.time
    return interpretation.metadata.requested_at


def _set_start_time(state: RunState, time: int | None) -> bool:
    """Let an imported run start at the first time that its source gives. True if set."""
    if state.has_start_time or time is None:
        return False
    state.started_at, state.has_start_time = time, True
    return True


def _clock(state: RunState, kind: str, time: int | None) -> None:
    """Choose the clock of a run fed by lines: the lines' own times if the first line has one."""
    if state.has_start_time or not state.has_live_clock or kind not in (RUN, STREAM_EVENT):
        return
    if time is None:
        state.has_start_time = True
    else:
        state.has_live_clock, state.clocked = False, True


def _apply_usage(state: RunState, interpretation: Interpretation) -> bool:
    usage, total, details = interpretation.usage, interpretation.total, interpretation.details
    if usage is not None:
        _set_usage(state, usage.plus(state.tally))
    if total is not None:
        _set_usage(state, total)
    if details is not None:
        state.details = token_counts.merge_details(state.details, details)
    if interpretation.total_details is not None:
        details = state.details = interpretation.total_details
    return not (usage is None and total is None and details is None)


def _apply_call(state: RunState, found: Interpretation) -> None:
    """Add what an answer reports to its model call: the last one, or the one that it begins."""
    if found.starts_response:
        state.calls += (ModelCall(),)
    metadata, calls = found.metadata, state.calls
    if not calls or (metadata is None and found.usage is None and found.details is None):
        return
    model, tier, tally, details = calls[-1]
    if metadata is not None:
        model, tier = metadata.billed_model or model, metadata.service_tier or tier
    if found.usage is not None:
        tally = found.usage.plus(tally)
    if found.details is not None:
        details = token_counts.merge_details(details, found.details)
    state.calls = (*calls[:-1], ModelCall(model, tier, tally, details))


def _set_usage(state: RunState, tally: Tally) -> None:
    state.tally, state.usage = tally, tally.usage


def _apply_stream_event(
    state: RunState, event: RunStreamEvent, at: int, interpretation: Interpretation
) -> bool:
    status = _STREAMED.get(event.status)
    changed = False
    if state.first_text_at is None and event._message is not None:  # noqa: SLF001
        state.first_text_at = _time_of_first_text(state, at, interpretation.time)
        changed = state.first_text_at is not None
    if status is None or state.is_final_by_get:
        return changed
    before = (state.status, state.error, state.error_code, state.tool_calls)
    _set_outcome(state, status, event, at, interpretation)
    after = (status, state.error, state.error_code, state.tool_calls)
    return changed or after != before or status is not RunStatus.IN_PROGRESS


def _time_of_first_text(state: RunState, at: int, time: int | None) -> int | None:
    """Return the time of an event with the first text; None if it is not known."""
    if state.has_live_clock:
        return at
    # Services put other times into their events than that of the text.
    return time if state.source == PLAIN and state.message is None else None


def _restart(state: RunState, at: int) -> None:
    state.is_final_by_get = state.continued = False
    state.message = state.error = state.error_code = None
    _set_status(state, RunStatus.IN_PROGRESS, at, None)


def _apply_run_snapshot(
    state: RunState, result: RunResult, at: int, interpretation: Interpretation
) -> bool:
    final = result.status in _FINAL
    total = token_counts.tally(result.usage)
    if total is not None and interpretation.total is None:
        _set_usage(state, total)
    if state.status in _FINAL and not final:
        return True
    state.is_final_by_get = final
    _set_outcome(state, result.status, result, at, interpretation)
    return True


def _set_outcome(
    state: RunState,
    status: RunStatus,
    outcome: RunStreamEvent | RunResult,
    at: int,
    interpretation: Interpretation,
) -> None:
    """Set a status with its error, tool calls and message; missing fields stay if they fit."""
    unchanged, calls = status is state.status, state.tool_calls
    _set_status(state, status, at, interpretation.time)
    if outcome._message is not None:  # noqa: SLF001 - a failed state refuses to show it
        state.message = outcome._message  # noqa: SLF001
    if not unchanged or outcome.error is not None or interpretation.error_code is not None:
        state.error, state.error_code = outcome.error, interpretation.error_code
    if outcome.tool_calls is not None or not unchanged:
        calls = outcome.tool_calls
    state.tool_calls = calls


def _set_status(state: RunState, status: RunStatus, at: int, time: int | None) -> None:
    if status in _FINAL:
        if state.status not in _FINAL or state.finished_at is None:
            state.finished_at = at if state.has_live_clock else time
    else:
        state.finished_at = None
        state.tool_calls = None
    state.status = status
