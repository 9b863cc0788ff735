"""The state of a run, and its summary."""

from __future__ import annotations

from dataclasses import dataclass, fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from runreel.codec.source_protocol import RunMetadata
from runreel.codec.token_counts import Tally  # noqa: TC001 - for typing.get_type_hints
from runreel.model.events import OPEN
from runreel.model.results import CallUsage, RunResult, UsageDetails
from runreel.model.runs import RunError, RunSummary
from runreel.model.status import RunStatus
from runreel.model.timestamps import duration_ms, first_text_ms, from_micros

if TYPE_CHECKING:
    from runreel.model.messages import Message, PartialMessage
    from runreel.model.results import ToolCallList, Usage
    from runreel.model.run_keys import RunKey

IMPORT = "import"
LINES = "lines"
PLAIN = "plain"
_UNKNOWN = RunMetadata()


class ModelCall(NamedTuple):
    """What the answer to a model call has reported so far."""

    model: str | None = None
    service_tier: str | None = None
    tally: Tally | None = None
    details: UsageDetails | None = None


@dataclass(slots=True)
class RunState:
    """The state of a run after its events so far. Times are µs since the epoch.

    ``is_final_by_get``: Get has returned COMPLETED or FAILED. ``has_live_clock``: the times of the
    rows are the times of the events; false for imports, which use the source's own times.
    ``has_start_time``: ``started_at`` is when the run started, not when it was imported.
    ``adapter_memory`` belongs to the source adapter. ``has_projection``: the run has a row in the
    projections; a pruned run has one only for its usage.

    ``tally`` is the sum behind ``usage``, kept even while a part of it is not understood. ``noted``
    are the codes of all notes ``not_understood``. ``clocked``: the first line of the run had a
    time, so its times are those of its lines.

    ``calls`` are the model calls so far, as far as their answers say where one begins.

    ``keys`` are the keys by which the run is found. ``continued``: a note says that a request
    continues the run, and nothing has answered it yet.
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
    metadata: RunMetadata = _UNKNOWN
    started_at: int = 0
    first_text_at: int | None = None
    finished_at: int | None = None
    events: int = 0
    last_seq: int = -1
    details: UsageDetails | None = None
    adapter_memory: Any = None
    has_projection: bool = True
    tally: Tally | None = None
    noted: frozenset[str] = frozenset()
    clocked: bool = False
    keys: tuple[RunKey, ...] = ()
    continued: bool = False
    calls: tuple[ModelCall, ...] = ()

    def copy(self) -> RunState:
        """Return an independent copy."""
        return RunState(*_values(self))

    @property
    def result(self) -> RunResult:
        """The current result of the run."""
        return RunResult(
            status=self.status,
            error=self.error,
            tool_calls=self.tool_calls,
            _message=self.message,
            usage=self.usage,
        )


_values = attrgetter(*(item.name for item in fields(RunState)))


def summary(run_id: str, state: RunState) -> RunSummary:
    """Return the summary of the run, as lists show it."""
    metadata = state.metadata
    failed = state.error is not None or state.error_code is not None
    return RunSummary(
        run_id=run_id,
        source=state.source,
        status=state.status,
        recording=state.recording,
        assistant_id=metadata.assistant_id,
        thread_id=metadata.thread_id,
        model=metadata.model,
        labels=dict(sorted((metadata.labels or {}).items())),
        created_by=metadata.created_by,
        created_at=from_micros(metadata.created_at),
        started_at=from_micros(state.started_at),
        finished_at=from_micros(state.finished_at),
        first_text_ms=first_text_ms(metadata.requested_at, state.first_text_at),
        duration_ms=duration_ms(metadata.requested_at, state.started_at, state.finished_at),
        error=RunError(state.error, state.error_code) if failed else None,
        tool_calls=state.tool_calls,
        usage=state.usage,
        events=state.events,
        last_seq=state.last_seq,
        usage_details=state.details,
        response_id=metadata.response_id,
        requested_at=from_micros(metadata.requested_at),
        first_text_at=from_micros(state.first_text_at),
        # The usage of a single call is that of the run.
        call_usage=tuple(map(_call_usage, state.calls)) if len(state.calls) > 1 else (),
        service_tier=metadata.service_tier,
        billed_model=None if metadata.billed_model == metadata.model else metadata.billed_model,
    )


def _call_usage(call: ModelCall) -> CallUsage:
    usage = None if call.tally is None else call.tally.usage
    details = call.details or UsageDetails()
    return CallUsage(
        call.model,
        call.service_tier,
        None if usage is None else usage.input_text_tokens,
        None if usage is None else usage.completion_tokens,
        details.cached_tokens,
        details.cache_write_tokens,
        details.reasoning_tokens,
    )
