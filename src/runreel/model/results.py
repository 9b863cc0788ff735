"""What a run gives: stream events on the way, a result at the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

from runreel.model.errors import UsageError
from runreel.model.messages import Citation, Message, PartialMessage  # noqa: TC001 - for typing.get_type_hints
from runreel.model.status import BaseRunStatus, RunStatus, StreamEvent

# The largest count: one of 64 bits with a sign, as databases and protos have them.
MAX_COUNT = 2**63 - 1
_COUNTS = ("input_text_tokens", "total_tokens", "completion_tokens")


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Usage:
    """Tokens of a whole run, as the source reported them last.

    The order of positional arguments is the SDK's: the total comes before the completion.

    Raises:
        UsageError: if a count is no integer from 0 to 2^63-1. Where a count is unknown, the whole
            usage is: None.
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
                    f"{name} is an integer, not {type(count).__name__}",
                    hint="Where a count is unknown, give usage=None.",
                )
            if not 0 <= count <= MAX_COUNT:
                raise UsageError(f"{name} is from 0 to 2^63-1, not {count}")


def _are_counts(given: Any, total: Any, made: Any) -> bool:
    # Quicker than a loop, and true of nearly all of them.
    return (
        type(given) is type(total) is type(made) is int
        and 0 <= given <= MAX_COUNT
        and 0 <= total <= MAX_COUNT
        and 0 <= made <= MAX_COUNT
    )


_make = object.__new__
_set_given, _set_total, _set_made = (vars(Usage)[name].__set__ for name in _COUNTS)


def usage(given: Any, total: Any, made: Any) -> Usage:
    """``Usage`` of these, with the same check in less time: a list makes one for each run.

    Raises:
        UsageError: as ``Usage``.
    """
    if not _are_counts(given, total, made):
        return Usage(given, total, made)
    found: Usage = _make(Usage)
    _set_given(found, given)
    _set_total(found, total)
    _set_made(found, made)
    return found


@dataclass(frozen=True, slots=True, weakref_slot=True)
class UsageDetails:
    """What was special about some of the tokens of a run's usage; None where no source said so.

    ``cached_tokens`` are of the input, ``reasoning_tokens`` of the completion.
    """

    cached_tokens: int | None = None
    reasoning_tokens: int | None = None


@dataclass(frozen=True, slots=True, weakref_slot=True)
class FunctionCall:
    """A function that the model wants called.

    From Yandex the numbers are floats and the order of keys is not kept (a protobuf Struct).
    """

    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True, weakref_slot=True)
class ToolCall:
    """One call of a tool; ``id`` is None from Yandex, the call's own from the Responses API."""

    id: str | None
    function: FunctionCall | None


@dataclass(frozen=True, slots=True, weakref_slot=True)
class ToolCallList(Sequence[ToolCall]):
    """The calls that a run waits for, in the model's order."""

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
    """What events and results share; everything is asked of their status and message."""

    __slots__ = ()

    status: RunStatus | StreamEvent
    error: str | None
    tool_calls: ToolCallList | None
    _message: Message | PartialMessage | None

    @property
    def is_running(self) -> bool:
        """Whether the status says so."""
        return self.status.is_running

    @property
    def is_succeeded(self) -> bool:
        """Whether the status says so."""
        return self.status.is_succeeded

    @property
    def is_failed(self) -> bool:
        """Whether the status says so."""
        return self.status.is_failed

    @property
    def message(self) -> Message | PartialMessage | None:
        """The message, or None.

        Raises:
            ValueError: if it failed; so do ``text``, ``parts`` and ``citations``, as in the SDK.
        """
        if self.is_failed:
            raise ValueError("run is failed and don't have a message result")
        return self._message

    @property
    def text_so_far(self) -> str | None:
        """The text as far as it was written, also of what failed; None where there is none."""
        return None if self._message is None else self._message.text

    @property
    def parts_so_far(self) -> tuple[Any, ...]:
        """The parts as far as they were written, also of what failed."""
        return () if self._message is None else self._message.parts

    @property
    def text(self) -> str | None:
        """The text of the message, or None where there is no message."""
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


@dataclass(frozen=True, slots=True, weakref_slot=True)
class RunResult(_HasMessage):
    """The state of a run: its outcome once it is over.

    ``usage`` is None where it was never reported, which is not zero. While a run is in progress
    the message is what was written so far.
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
