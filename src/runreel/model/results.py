"""Stream events and results of runs, with usage and tool calls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, overload

from runreel.model.errors import UsageError
from runreel.model.messages import Citation, Message, PartialMessage  # noqa: TC001 - for typing.get_type_hints
from runreel.model.status import BaseRunStatus, RunStatus, StreamEvent

# The largest token count: signed 64-bit, as in databases and protobuf.
MAX_COUNT = 2**63 - 1
_PARTIAL = StreamEvent.PARTIAL_MESSAGE
_COUNTS = ("input_text_tokens", "total_tokens", "completion_tokens")


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Usage:
    """Token counts of a whole run, as last reported by the source.

    Positional arguments are in the order of the SDK: the total before the completion. If one
    count is unknown, use None in place of the whole ``Usage``.

    Raises:
        UsageError: if a count is not an integer from 0 to 2^63-1.
    """

    input_text_tokens: int
    total_tokens: int
    completion_tokens: int

    def __post_init__(self) -> None:
        counts = (self.input_text_tokens, self.total_tokens, self.completion_tokens)
        if _are_counts(*counts):
            return
        for name, count in zip(_COUNTS, counts, strict=True):
            if not isinstance(count, int) or isinstance(count, bool):
                raise UsageError(
                    f"{name} must be an integer, not {type(count).__name__}",
                    hint="If a count is unknown, use usage=None.",
                )
            if not 0 <= count <= MAX_COUNT:
                raise UsageError(f"{name} must be from 0 to 2^63-1, not {count}")


def _are_counts(input_tokens: Any, total: Any, completion: Any) -> bool:
    # Faster than a loop, for the common case.
    return (
        type(input_tokens) is type(total) is type(completion) is int
        and 0 <= input_tokens <= MAX_COUNT
        and 0 <= total <= MAX_COUNT
        and 0 <= completion <= MAX_COUNT
    )


_make = object.__new__
_set_input, _set_total, _set_completion = (vars(Usage)[name].__set__ for name in _COUNTS)


def usage(input_tokens: Any, total: Any, completion: Any) -> Usage:
    """Return a checked ``Usage`` in less time than its constructor; lists create one for each run.

    Raises:
        UsageError: as ``Usage``.
    """
    if not _are_counts(input_tokens, total, completion):
        return Usage(input_tokens, total, completion)
    usage_: Usage = _make(Usage)
    _set_input(usage_, input_tokens)
    _set_total(usage_, total)
    _set_completion(usage_, completion)
    return usage_


@dataclass(frozen=True, slots=True, weakref_slot=True)
class UsageDetails:
    """Details of the token usage of a run; None if not reported.

    ``cached_tokens`` (read from a cache) and ``cache_write_tokens`` (written to it) are part of the
    input, ``reasoning_tokens`` part of the completion.
    """

    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    cache_write_tokens: int | None = None


class CallUsage(NamedTuple):
    """What the answer to one model call of a run reported; None where it reported nothing.

    A source that reports totals of the run only has no calls.
    """

    model: str | None = None
    service_tier: str | None = None
    input_text_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None

    @property
    def is_known(self) -> bool:
        """Whether the answer reported its usage."""
        return self.input_text_tokens is not None


@dataclass(frozen=True, slots=True, weakref_slot=True)
class FunctionCall:
    """A function call that the model requests.

    From Yandex, numbers are floats and the order of keys is lost (a protobuf Struct).
    """

    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True, weakref_slot=True)
class ToolCall:
    """One tool call; ``id`` is None from Yandex, the call id from the Responses API."""

    id: str | None
    function: FunctionCall | None


@dataclass(frozen=True, slots=True, weakref_slot=True)
class ToolCallList(Sequence[ToolCall]):
    """The tool calls that a run waits for, in the order of the model."""

    tool_calls: tuple[ToolCall, ...]

    @overload
    def __getitem__(self, index: int) -> ToolCall: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[ToolCall, ...]: ...
    def __getitem__(self, index: int | slice) -> ToolCall | tuple[ToolCall, ...]:
        return self.tool_calls[index]

    def __len__(self) -> int:
        return len(self.tool_calls)

    def __iter__(self) -> Iterator[ToolCall]:
        return iter(self.tool_calls)


class _HasMessage(BaseRunStatus):
    """Base of events and results; its properties depend on their status and message."""

    __slots__ = ()

    status: RunStatus | StreamEvent
    error: str | None
    tool_calls: ToolCallList | None
    _message: Message | PartialMessage | None

    @property
    def is_running(self) -> bool:
        """Whether the status is running."""
        return self.status.is_running

    @property
    def is_succeeded(self) -> bool:
        """Whether the status is succeeded."""
        return self.status.is_succeeded

    @property
    def is_failed(self) -> bool:
        """Whether the status is failed."""
        return self.status.is_failed

    @property
    def message(self) -> Message | PartialMessage | None:
        """The message, or None.

        Raises:
            ValueError: if the run failed; ``text``, ``parts`` and ``citations`` raise it too, as in
                the SDK.
        """
        if self.is_failed:
            raise ValueError("run is failed and don't have a message result")
        return self._message

    @property
    def text_so_far(self) -> str | None:
        """The text so far, also after a failure; None without a message."""
        return None if self._message is None else self._message.text

    @property
    def parts_so_far(self) -> tuple[Any, ...]:
        """The parts so far, also after a failure."""
        return () if self._message is None else self._message.parts

    @property
    def text(self) -> str | None:
        """The text of the message, or None without a message."""
        message = self.message
        return None if message is None else message.text

    @property
    def parts(self) -> tuple[Any, ...]:
        """The parts of the message, or ``()``."""
        message = self.message
        return () if message is None else message.parts


@dataclass(frozen=True, slots=True, weakref_slot=True)
class RunStreamEvent(_HasMessage):
    """One event of a run's stream. PARTIAL_MESSAGE carries the whole text so far."""

    status: StreamEvent
    error: str | None = None
    tool_calls: ToolCallList | None = None
    _message: Message | PartialMessage | None = None


_set_status, _set_error, _set_tool_calls, _set_message = (
    vars(RunStreamEvent)[name].__set__ for name in ("status", "error", "tool_calls", "_message")
)


def partial_event(message: Message | PartialMessage | None) -> RunStreamEvent:
    """Return ``RunStreamEvent(PARTIAL_MESSAGE, …)`` with this message in less time."""
    made: RunStreamEvent = _make(RunStreamEvent)
    _set_status(made, _PARTIAL)
    _set_error(made, None)
    _set_tool_calls(made, None)
    _set_message(made, message)
    return made


@dataclass(frozen=True, slots=True, weakref_slot=True)
class RunResult(_HasMessage):
    """The state of a run; its outcome once the run has ended.

    ``usage`` is None, not zero, if it was never reported. While a run is in progress, the message
    is the text so far.
    """

    status: RunStatus
    error: str | None = None
    tool_calls: ToolCallList | None = None
    _message: Message | PartialMessage | None = None
    usage: Usage | None = None

    @property
    def citations(self) -> tuple[Citation, ...]:
        """The citations of the message, or ``()``.

        Raises:
            ValueError: if the run failed.
        """
        return getattr(self.message, "citations", ())
