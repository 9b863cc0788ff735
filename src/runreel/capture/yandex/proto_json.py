"""Conversion of the protos of the Assistants service to the JSON of the event log and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from yandex.cloud.ai.assistants.v1.runs.run_pb2 import RunState
from yandex.cloud.ai.assistants.v1.runs.run_service_pb2 import StreamEvent

from runreel.capture.yandex.lossless_json import restored

if TYPE_CHECKING:
    from collections.abc import Mapping

    from yandex.cloud.ai.assistants.v1.runs.run_pb2 import Run

ENDS = (StreamEvent.DONE, StreamEvent.ERROR)
TOOL_CALLS = StreamEvent.TOOL_CALLS


def stream_event(value: Mapping[str, object]) -> StreamEvent:
    """Restore the ``StreamEvent`` that was stored as ``value``."""
    return restored(value, StreamEvent())


def index_of(event: StreamEvent) -> int | None:
    """The number of an event in its run, None if the service sent none."""
    return event.stream_cursor.current_event_idx if event.HasField("stream_cursor") else None


def is_last_event(event: StreamEvent) -> bool:
    """Whether an event is the last one of its run."""
    return event.event_type in ENDS


def is_final(run: Run) -> bool:
    """Whether the run has completed or failed."""
    return run.state.status in (RunState.COMPLETED, RunState.FAILED)


def is_running(run: Run) -> bool:
    """Whether the run is pending or in progress."""
    return run.state.status in (RunState.PENDING, RunState.IN_PROGRESS)


def needs_tool_results(run: Run) -> bool:
    """Whether the run waits for tool results."""
    return bool(run.state.status == RunState.TOOL_CALLS)


def status_name(run: Run) -> str:
    """The name of the run's status."""
    status = run.state.status
    known = RunState.RunStatus.values()
    return str(RunState.RunStatus.Name(status)) if status in known else f"status {status}"
