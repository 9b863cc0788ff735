"""What a run of the Assistants service does: its events one by one, its state meanwhile."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.struct_pb2 import Struct
from yandex.cloud.ai.assistants.v1.common_pb2 import FunctionCall, ToolCall, ToolCallList
from yandex.cloud.ai.assistants.v1.runs.run_pb2 import ContentUsage, Run, RunState
from yandex.cloud.ai.assistants.v1.runs.run_service_pb2 import StreamCursor, StreamEvent
from yandex.cloud.ai.assistants.v1.threads.message_pb2 import (
    Author,
    ContentPart,
    Message,
    MessageContent,
    Text,
)
from yandex.cloud.ai.common.common_pb2 import Error

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from yandex.cloud.ai.assistants.v1.common_pb2 import ToolResultList


@dataclass(frozen=True)
class Partial:
    """The answer so far."""

    text: str


@dataclass(frozen=True)
class Done:
    """The answer, complete; the run is over."""

    text: str
    message_status: int = 1


@dataclass(frozen=True)
class Fail:
    """The run fails."""

    message: str


@dataclass(frozen=True)
class Calls:
    """The run waits for the results of function calls: names with their arguments."""

    calls: tuple[tuple[str, dict[str, Any]], ...]


@dataclass(frozen=True)
class Pause:
    """Nothing happens for some seconds."""

    seconds: float


@dataclass(frozen=True)
class Raw:
    """An event as it stands, or bytes that are none."""

    event: Any
    final: bool = False


Step = Partial | Done | Fail | Calls | Pause | Raw


@dataclass(frozen=True)
class Fault:
    """A listener's stream breaks ``after`` so many events: with a code, or by never going on."""

    after: int
    code: grpc.StatusCode | None = grpc.StatusCode.UNAVAILABLE


def hang(after: int) -> Fault:
    """The stream stays open and silent."""
    return Fault(after, None)


def end(after: int) -> Fault:
    """The stream ends as if all were said."""
    return Fault(after, grpc.StatusCode.OK)


def answer(words: int) -> list[Step]:
    """A stream of ``words`` growing answers, then the whole one."""
    text = [f"word {n} " for n in range(words)]
    partials: list[Step] = [Partial("".join(text[: n + 1])) for n in range(words)]
    return [*partials, Done("".join(text))]


WEATHER = Calls((("weather", {"city": "Paris", "days": 3}),))
TOOL_ROUND: list[Step] = [WEATHER, Partial("It is"), Done("It is 21 degrees.")]


@dataclass
class Script:
    """The steps of a run, and what is odd about how it is told.

    ``faults`` are used up one by each listener; ``twice`` are the indexes of events that are
    delivered twice; ``closes_at_calls`` ends streams at TOOL_CALLS instead of keeping them open;
    ``end_lag`` and ``answer_lag`` are how many Gets do not know yet that the run is over, or that
    results have come; ``retell`` changes what the n-th listener (from 0) is told.
    """

    steps: Sequence[Step] = field(default_factory=lambda: answer(3))
    faults: list[Fault] = field(default_factory=list)
    twice: frozenset[int] = frozenset()
    closes_at_calls: bool = False
    end_lag: int = 0
    answer_lag: int = 0
    retell: Callable[[int, StreamEvent], StreamEvent] | None = None
    broken: grpc.StatusCode | None = None


class PlayedRun:
    """A run that plays its script by itself."""

    def __init__(self, base: Run, script: Script, *, stream: bool = True) -> None:
        self.base = base
        self.script = script
        self.events: list[Any] = []
        self.results: list[ToolResultList] = []
        self.changed = threading.Condition()
        self.over = False
        self.listeners = 0
        self._stream = stream
        self._state = RunState(status=RunState.PENDING)
        self._usage: ContentUsage | None = None
        self._lagging: tuple[int, Run] | None = None
        threading.Thread(target=self._play, daemon=True).start()

    @property
    def waiting(self) -> bool:
        """Whether it waits for tool results."""
        return bool(self._state.status == RunState.TOOL_CALLS)

    def get(self) -> Run:
        """What Get answers."""
        with self.changed:
            if self._lagging is not None:
                left, then = self._lagging
                self._lagging = (left - 1, then) if left > 1 else None
                return then
            return self._snapshot()

    def submit(self, results: ToolResultList) -> bool:
        """Take tool results; False if nobody waits for any."""
        with self.changed:
            if not self.waiting:
                return False
            self._lag(self.script.answer_lag)
            self.results.append(results)
            self._state = RunState(status=RunState.IN_PROGRESS)
            self.changed.notify_all()
            return True

    def wait_for(self, position: int, alive: Callable[[], bool]) -> bool:
        """Whether there is an event at ``position``; waits until there is, or never will be."""
        with self.changed:
            while len(self.events) <= position and not self.over and alive():
                self.changed.wait(0.05)
            return len(self.events) > position

    def wait_until_over(self) -> None:
        """Wait for the last event."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.over, timeout=30)

    def _snapshot(self) -> Run:
        run = Run()
        run.CopyFrom(self.base)
        run.state.CopyFrom(self._state)
        if self._usage is not None:
            run.usage.CopyFrom(self._usage)
        return run

    def _lag(self, gets: int) -> None:
        self._lagging = (gets, self._snapshot()) if gets else None

    def _play(self) -> None:
        for step in self.script.steps:
            match step:
                case Pause(seconds):
                    time.sleep(seconds)
                case Partial(text) if self._stream:
                    self._tell(StreamEvent(event_type=1, partial_message=_content(text)))
                case Calls(calls):
                    self._call(calls)
                case Done(text, status):
                    self._finish(text, status)
                case Fail(message):
                    error = Error(message=message)
                    state = RunState(status=RunState.FAILED, error=error)
                    self._tell(StreamEvent(event_type=2, error=error), state, over=True)
                case Raw(StreamEvent() as event, final):
                    copy = StreamEvent()
                    copy.CopyFrom(event)
                    self._tell(copy, over=final)
                case Raw(noise, final):
                    self._tell(noise, over=final)

    def _finish(self, text: str, status: int) -> None:
        message = Message(
            id=f"message-of-{self.base.id}",
            thread_id=self.base.thread_id,
            author=Author(id=self.base.assistant_id, role="ASSISTANT"),
            content=_content(text),
            status=status,
        )
        state = RunState(status=RunState.COMPLETED, completed_message=message)
        event = StreamEvent(event_type=3, completed_message=message)
        self._tell(event, state, usage=_usage(234, 53), over=True)

    def _call(self, calls: Sequence[tuple[str, dict[str, Any]]]) -> None:
        listed = ToolCallList(tool_calls=[_tool_call(*call) for call in calls])
        answered = len(self.results) + 1
        self._tell(
            StreamEvent(event_type=4, tool_call_list=listed),
            RunState(status=RunState.TOOL_CALLS, tool_call_list=listed),
            usage=_usage(100 * answered, 14 * answered),
        )
        with self.changed:
            self.changed.wait_for(lambda: len(self.results) >= answered)

    def _tell(
        self,
        event: Any,
        state: RunState | None = None,
        *,
        usage: ContentUsage | None = None,
        over: bool = False,
    ) -> None:
        with self.changed:
            if isinstance(event, StreamEvent) and not event.HasField("stream_cursor"):
                event.stream_cursor.CopyFrom(StreamCursor(current_event_idx=len(self.events)))
            if over:
                self._lag(self.script.end_lag)
            self._state = state or RunState(status=RunState.IN_PROGRESS)
            self._usage = usage or self._usage
            self.events.append(event)
            self.over = over
            self.changed.notify_all()


def _content(text: str) -> MessageContent:
    return MessageContent(content=[ContentPart(text=Text(content=text))])


def _tool_call(name: str, arguments: dict[str, Any]) -> ToolCall:
    filled = Struct()
    filled.update(arguments)
    return ToolCall(function_call=FunctionCall(name=name, arguments=filled))


def _usage(prompt: int, completion: int) -> ContentUsage:
    return ContentUsage(
        prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion
    )
