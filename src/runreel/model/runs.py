"""Runs, and the lists and reports that describe them."""

from __future__ import annotations

from collections.abc import Callable, Iterator  # noqa: TC003 - for typing.get_type_hints
from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - for typing.get_type_hints
from typing import Any, Generic, NamedTuple, TypeVar

from runreel.model.results import (  # noqa: TC001 - for typing.get_type_hints
    ToolCallList,
    Usage,
    UsageDetails,
)
from runreel.model.selection import state_of
from runreel.model.status import RunStatus  # noqa: TC001 - for typing.get_type_hints

T = TypeVar("T")


@dataclass(frozen=True, slots=True, weakref_slot=True)
class RunError:
    """Why a run failed; ``code`` is None where the source gave none."""

    message: str | None
    code: int | str | None


class RunSummary(NamedTuple):
    """What a list shows of a run. Times are aware UTC; None is unknown, never zero.

    ``response_id`` is the last response of a chain of them, by which the next one goes on.
    ``stale``: the recording is open, and the process that made it no longer exists on this host;
    of processes on other hosts that is not known, and their recordings are not stale.
    ``first_text_ms`` counts from ``requested_at``, when the model was asked, and is None where that
    is unknown. ``duration_ms`` counts from it too, or else from ``started_at``, the first event.
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

    @property
    def status_name(self) -> str:
        """``success``, ``failed``, ``running`` or ``unknown``."""
        return self.status.status_name

    @property
    def state(self) -> str:
        """One word for people: the status in small letters, ``interrupted`` or ``stale``.

        A finished run has the word of its status, however its recording ended.
        """
        return state_of(self.status, self.recording, stale=self.stale)


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Page(Generic[T]):
    """Some items in order; ``next`` is the cursor to go on after them, None at the end."""

    items: tuple[T, ...]
    next: str | None
    as_of: datetime

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


class Listing(Generic[T]):
    """All items of a list in order, read page by page while it is iterated over.

    ``items`` reads all of them; ``next`` is always None: nothing follows. ``as_of`` is when the
    first page was read, which is at once. The length is counted, not read.
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
        """When the first page was read."""
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
        after = self._first.next
        return len(self._first) + (0 if after is None else self._count(after))

    def __bool__(self) -> bool:
        return bool(self._first.items)


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Difference:
    """Where a projection is not what the log says; ``column`` ``*``: a row lacks or is too many.

    The run ``*`` is usage, added up of all runs; where nothing at all is stored of a table, or of
    what it is grouped by, that is one difference.
    """

    run_id: str
    column: str
    stored: Any
    rebuilt: Any


@dataclass(frozen=True, slots=True, weakref_slot=True)
class OpenRecording:
    """A recording that nobody has closed. ``alive`` is None where its host is another one."""

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
    """A run that was pruned or is to be: ``rows`` go, and the ``bytes`` of their payloads.

    ``ended_at`` is when it finished, or where that is not known, when its last row came.
    ``action`` is ``prunable`` where nothing was done, ``pruned``, ``left`` where somebody records
    the run after all, or ``damaged`` where its rows cannot be read and so stay; ``why`` says more
    of that. Of a damaged run nothing else is known.
    """

    run_id: str
    action: str
    source: str | None = None
    status: RunStatus | None = None
    ended_at: datetime | None = None
    rows: int = 0
    bytes: int = 0
    why: str | None = None
