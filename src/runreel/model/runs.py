"""Summaries, lists and maintenance results of runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator  # noqa: TC003 - for typing.get_type_hints
from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - for typing.get_type_hints
from typing import Any, Generic, NamedTuple, TypeVar

from runreel.model.results import (  # noqa: TC001 - for typing.get_type_hints
    CallUsage,
    ToolCallList,
    Usage,
    UsageDetails,
)
from runreel.model.selection import state_of
from runreel.model.status import RunStatus  # noqa: TC001 - for typing.get_type_hints

T = TypeVar("T")


@dataclass(frozen=True, slots=True, weakref_slot=True)
class RunError:
    """The error of a failed run; ``code`` is None if the source reported none."""

    message: str | None
    code: int | str | None


class RunSummary(NamedTuple):
    """A run as lists show it. Times are aware UTC; None means unknown, never zero.

    ``response_id`` is the last response of the run; a later response may continue it. ``stale`` is
    true if the recording is open and its process on this host no longer exists; it is false for
    recordings of other hosts. ``requested_at`` is the time of the request to the model, and
    ``started_at`` that of the first event. ``first_text_ms`` counts from ``requested_at`` and is
    None without it; ``duration_ms`` counts from ``requested_at`` or else from ``started_at``.

    ``call_usage`` has the usage of each model call of a run with several; ``usage`` is the sum over
    those that reported it. ``service_tier`` is that of the last answer. ``billed_model`` is the
    model that the last answer named, if it is not ``model``.
    """

    run_id: str
    source: str
    status: RunStatus
    recording: str
    assistant_id: str | None
    thread_id: str | None
    model: str | None
    labels: dict[str, str]
    created_by: str | None
    created_at: datetime | None
    started_at: datetime
    finished_at: datetime | None
    first_text_ms: float | None
    duration_ms: float | None
    error: RunError | None
    tool_calls: ToolCallList | None
    usage: Usage | None
    events: int
    last_seq: int
    usage_details: UsageDetails | None = None
    response_id: str | None = None
    stale: bool = False
    requested_at: datetime | None = None
    first_text_at: datetime | None = None
    call_usage: tuple[CallUsage, ...] = ()
    service_tier: str | None = None
    billed_model: str | None = None

    @property
    def calls(self) -> int | None:
        """Number of model calls, None if there are not several or they are not known."""
        return len(self.call_usage) or None

    @property
    def calls_with_usage(self) -> int | None:
        """Number of those ``calls`` that reported usage."""
        return sum(call.is_known for call in self.call_usage) if self.call_usage else None

    @property
    def status_name(self) -> str:
        """``success``, ``failed``, ``running`` or ``unknown``."""
        return self.status.status_name

    @property
    def state(self) -> str:
        """One word for people: the status in lower case, ``interrupted`` or ``stale``.

        For a finished run it is always the status.
        """
        return state_of(self.status, self.recording, stale=self.stale)


# The last fields: columns of ``runs`` that are metadata of the run and are stored as they are.
PLAIN_COLUMNS = RunSummary._fields[RunSummary._fields.index("call_usage") + 1 :]


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Page(Generic[T]):
    """Items in order; ``next`` is the cursor of the next page, None on the last page."""

    items: tuple[T, ...]
    next: str | None
    as_of: datetime

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


class Listing(Generic[T]):
    """All items of a list in order, read page by page during iteration.

    ``items`` reads all pages. ``next`` is always None. ``as_of`` is the time at which the list was
    created and its first page read. ``len`` counts items in the database without reading them.
    """

    __slots__ = ("__weakref__", "_count", "_first", "_read")

    next = None

    def __init__(
        self, first: Page[T], read: Callable[[str], Page[T]], count: Callable[[str], int]
    ) -> None:
        self._first = first
        self._read = read
        self._count = count

    @property
    def as_of(self) -> datetime:
        """The time at which the first page was read."""
        return self._first.as_of

    @property
    def items(self) -> tuple[T, ...]:
        """All items."""
        return tuple(iter(self))

    def __iter__(self) -> Iterator[T]:
        page = self._first
        while True:
            yield from page.items
            if page.next is None:
                return
            page = self._read(page.next)

    def __len__(self) -> int:
        cursor = self._first.next
        return len(self._first) + (0 if cursor is None else self._count(cursor))

    def __bool__(self) -> bool:
        return bool(self._first.items)


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Difference:
    """A mismatch of a stored projection and the log; ``column`` ``*`` is a missing or surplus row.

    ``run_id`` ``*`` means the usage rollups of all runs; a rollup table, or a group of it, without
    any rows is one difference.
    """

    run_id: str
    column: str
    stored: Any
    rebuilt: Any


@dataclass(frozen=True, slots=True, weakref_slot=True)
class OpenRecording:
    """A recording that is not closed. ``alive`` is None if its process is on another host."""

    run_id: str
    source: str
    opened_at: datetime
    host: str | None
    pid: int | None
    process_started: int | None
    last_event_at: datetime
    last_seq: int
    alive: bool | None


@dataclass(frozen=True, slots=True, weakref_slot=True)
class PrunedRun:
    """A run that was or would be pruned: its number of ``rows``, and ``bytes`` of payload.

    ``ended_at`` is the end of the run or, if unknown, the time of its last row. ``action`` is
    ``prunable`` (nothing was done), ``pruned``, ``left`` (the run is being recorded) or
    ``damaged`` (its rows cannot be read and are kept); ``why`` gives the reason for the last two.
    The other fields of a damaged run are unknown.
    """

    run_id: str
    action: str
    source: str | None = None
    status: RunStatus | None = None
    ended_at: datetime | None = None
    rows: int = 0
    bytes: int = 0
    why: str | None = None
    state: str | None = None
