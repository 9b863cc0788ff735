"""Filters of runs, and the state of a run as one word."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

from runreel.model.events import INTERRUPTED, OPEN
from runreel.model.status import RunStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

FINAL = (RunStatus.COMPLETED, RunStatus.FAILED)
UNFINISHED = tuple(status for status in RunStatus if status not in FINAL)
# The recording is open, and its process no longer exists.
STALE = "stale"
_STATE_NAMES = {
    RunStatus.UNKNOWN: "unknown",
    RunStatus.RUN_STATUS_UNSPECIFIED: "unknown",
    **{status: status.name.lower() for status in RunStatus if status.value > 0},
}
STATES = (*dict.fromkeys(_STATE_NAMES.values()), INTERRUPTED, STALE)
PROBLEMS = (_STATE_NAMES[RunStatus.FAILED], INTERRUPTED, STALE)
_NORMAL = ""
_MODIFIERS = (_NORMAL, INTERRUPTED, STALE)
_CASES = {*product(UNFINISHED, _MODIFIERS), *product(FINAL, (_NORMAL,))}


def state_of(status: RunStatus, recording: str, *, stale: bool = False) -> str:
    """Return the state of a run, one of ``STATES``.

    For a finished run it is its status in lower case. An unfinished run is ``interrupted`` or
    ``stale`` if its recording is.
    """
    return _state(*_case(status, recording, stale=stale))


def _case(status: RunStatus, recording: str, *, stale: bool) -> tuple[RunStatus, str]:
    if status in FINAL:
        return status, _NORMAL
    if recording == INTERRUPTED:
        return status, INTERRUPTED
    return status, STALE if stale and recording == OPEN else _NORMAL


def _state(status: RunStatus, modifier: str) -> str:
    return modifier or _STATE_NAMES[status]


_HEALTHY = {case for case in _CASES if _state(*case) not in PROBLEMS}


class StatusChoice(NamedTuple):
    """The selected statuses, in four sets that do not overlap.

    ``whole`` applies to any recording. The others apply to unfinished runs whose recording is
    interrupted, is stale, or is neither (``plain``).
    """

    whole: tuple[RunStatus, ...] = ()
    plain: tuple[RunStatus, ...] = ()
    interrupted: tuple[RunStatus, ...] = ()
    stale: tuple[RunStatus, ...] = ()

    @property
    def needs_stale(self) -> bool:
        """Whether the ids of stale runs are needed."""
        return bool(self.plain or self.stale)

    def selects(self, status: RunStatus, recording: str, *, stale: bool = False) -> bool:
        """Return whether a run with this status and recording is selected."""
        if status in self.whole:
            return True
        _, modifier = _case(status, recording, stale=stale)
        return (
            status
            in {_NORMAL: self.plain, INTERRUPTED: self.interrupted, STALE: self.stale}[modifier]
        )


def choose(values: Iterable[RunStatus | str], *, problems: bool = False) -> StatusChoice | None:
    """Return the choice of any of these statuses and states, or None to select all runs.

    A ``RunStatus`` selects by status, a word from ``STATES`` by state. With ``problems``, only
    failed, interrupted and stale runs are selected.
    """
    wanted = set(values)
    if not wanted and not problems:
        return None
    cases = {case for case in _CASES if not wanted or {case[0], _state(*case)} & wanted}
    cases -= _HEALTHY if problems else set()
    whole = {status for status, _ in cases} - {status for status, _ in _CASES - cases}
    rest = cases - set(product(whole, _MODIFIERS))
    parts = [
        tuple(status for status in UNFINISHED if (status, modifier) in rest)
        for modifier in _MODIFIERS
    ]
    return StatusChoice(tuple(sorted(whole)), *parts)


@dataclass(frozen=True, slots=True)
class Interval:
    """A time interval from ``start`` to ``end``, exclusive; both aware."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Conditions on runs: a run must satisfy all of them, each with any of its values.

    An empty condition matches every run. Times are aware; a run must have started at ``since`` or
    later, before ``until``, and in one of the intervals ``within``. ``slower_than`` is in µs.
    ``stale`` has the ids of the stale runs if ``status`` needs them.
    """

    status: StatusChoice | None = None
    source: tuple[str, ...] = ()
    assistant: tuple[str, ...] = ()
    thread: tuple[str, ...] = ()
    model: tuple[str, ...] = ()
    recording: tuple[str, ...] = ()
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    since: datetime | None = None
    until: datetime | None = None
    within: tuple[Interval, ...] = ()
    has_error: bool = False
    no_usage: bool = False
    error_contains: tuple[str, ...] = ()
    slower_than: int | None = None
    min_tokens: int | None = None
    stale: tuple[str, ...] = ()
