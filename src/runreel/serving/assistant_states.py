"""The states of a run that is played again, as its service reports them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from yandex.cloud.ai.assistants.v1.runs.run_pb2 import Run, RunState
from yandex.cloud.ai.assistants.v1.runs.run_service_pb2 import StreamEvent

from runreel.capture.yandex import lossless_json, proto_json

if TYPE_CHECKING:
    from runreel.serving.assistant_runs import PlayedRun
    from runreel.sources.requests import Body


class ServedRun:
    """A run that a program has created: ``base`` is what does not change of it."""

    def __init__(self, base: Run, played: PlayedRun) -> None:
        self.base = base
        self.played = played

    def now(self) -> Run:
        """Return the run as Get reports it now."""
        due, waits = self.played.due, self.played.waits
        recorded = self.played.recorded
        run = Run()
        run.CopyFrom(self.base)
        if not due:
            run.state.CopyFrom(RunState(status=RunState.PENDING))
        elif not waits and not (due == len(recorded.steps) and not recorded.cut):
            run.state.CopyFrom(RunState(status=RunState.IN_PROGRESS))
        else:
            step = recorded.steps[due - 1].value
            state = _state_of(step) if recorded.streamed else _run_of(step).state
            run.state.CopyFrom(state)
            self._add_usage(run)
        return run

    def _add_usage(self, run: Run) -> None:
        """Add the usage that was reported in this state; the last one if there were several."""
        reported = map(_run_of, self.played.recorded.states)
        known = [one for one in reported if one.state.status == run.state.status]
        calls = [one for one in known if one.state == run.state] or known[-1:]
        for one in calls[-1:]:
            if one.HasField("usage"):
                run.usage.CopyFrom(one.usage)


def _run_of(value: Body) -> Run:
    return lossless_json.restored(value, Run())


def _state_of(value: Body) -> RunState:
    """Return the state of a run after an event that ends it or asks for tools."""
    event = proto_json.stream_event(value)
    if event.event_type == StreamEvent.DONE:
        return RunState(status=RunState.COMPLETED, completed_message=event.completed_message)
    if event.event_type == StreamEvent.ERROR:
        return RunState(status=RunState.FAILED, error=event.error)
    return RunState(status=RunState.TOOL_CALLS, tool_call_list=event.tool_call_list)
