"""Statuses of runs and kinds of stream events, with the names and numbers of the SDK."""

from __future__ import annotations

from enum import IntEnum
from typing import Self


class BaseRunStatus:
    """Properties of a status, and of every object that has one."""

    __slots__ = ()

    @property
    def is_running(self) -> bool:
        """Whether it is still in progress."""
        raise NotImplementedError  # pragma: no cover - every subclass answers

    @property
    def is_succeeded(self) -> bool:
        """Whether it ended well; also true for TOOL_CALLS, after which the run continues."""
        raise NotImplementedError  # pragma: no cover - every subclass answers

    @property
    def is_failed(self) -> bool:
        """Whether it ended badly."""
        raise NotImplementedError  # pragma: no cover - every subclass answers

    @property
    def is_finished(self) -> bool:
        """Succeeded or failed. The run may continue: see TOOL_CALLS."""
        return self.is_succeeded or self.is_failed

    @property
    def status_name(self) -> str:
        """``success``, ``failed``, ``running`` or ``unknown``.

        The SDK spells ``runnning`` and uses it for unknown statuses as well.
        """
        if self.is_succeeded:
            return "success"
        if self.is_failed:
            return "failed"
        return "running" if self.is_running else "unknown"


class _OpenEnum(IntEnum):
    """An enumeration to which newer servers may add members."""

    @classmethod
    def coerce(cls, value: object) -> Self:
        """Return the member with this name or number, or UNKNOWN."""
        try:
            return cls[value] if isinstance(value, str) else cls(value)  # type: ignore[arg-type]
        except (KeyError, ValueError):
            return cls(-1)


class RunStatus(BaseRunStatus, _OpenEnum):
    """The status of a run, as returned by Get."""

    UNKNOWN = -1
    RUN_STATUS_UNSPECIFIED = 0
    PENDING = 1
    IN_PROGRESS = 2
    FAILED = 3
    COMPLETED = 4
    TOOL_CALLS = 5

    @property
    def is_running(self) -> bool:
        """PENDING or IN_PROGRESS."""
        return self in (RunStatus.PENDING, RunStatus.IN_PROGRESS)

    @property
    def is_succeeded(self) -> bool:
        """COMPLETED or TOOL_CALLS."""
        return self in (RunStatus.COMPLETED, RunStatus.TOOL_CALLS)

    @property
    def is_failed(self) -> bool:
        """FAILED."""
        return self is RunStatus.FAILED


class StreamEvent(BaseRunStatus, _OpenEnum):
    """The type of a stream event."""

    UNKNOWN = -1
    EVENT_TYPE_UNSPECIFIED = 0
    PARTIAL_MESSAGE = 1
    ERROR = 2
    DONE = 3
    TOOL_CALLS = 4

    @property
    def is_running(self) -> bool:
        """PARTIAL_MESSAGE."""
        return self is StreamEvent.PARTIAL_MESSAGE

    @property
    def is_succeeded(self) -> bool:
        """DONE or TOOL_CALLS."""
        return self in (StreamEvent.DONE, StreamEvent.TOOL_CALLS)

    @property
    def is_failed(self) -> bool:
        """ERROR."""
        return self is StreamEvent.ERROR


# The name of the most frequent type, precomputed because it is compared for each event.
PARTIAL = StreamEvent.PARTIAL_MESSAGE.name


class MessageStatus(_OpenEnum):
    """How the generation of a message ended; the SDK raises in place of UNKNOWN."""

    UNKNOWN = -1
    MESSAGE_STATUS_UNSPECIFIED = 0
    COMPLETED = 1
    TRUNCATED = 2
    FILTERED_CONTENT = 3
