"""Conditions on runs, and the state of a run in one word."""

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
# The recording is open, and the process that made it no longer exists.
STALE = "stale"
_WORDS = {
    RunStatus.UNKNOWN: "unknown",
    RunStatus.RUN_STATUS_UNSPECIFIED: "unknown",
    **{status: status.name.lower() for status in RunStatus if status.value > 0},
}
STATES = (*dict.fromkeys(_WORDS.values()), INTERRUPTED, STALE)
PROBLEMS = (_WORDS[RunStatus.FAILED], INTERRUPTED, STALE)
_PLAIN = ""
_CASES = frozenset(product(UNFINISHED, (_PLAIN, INTERRUPTED, STALE))) | frozenset(
    product(FINAL, (_PLAIN,))
)


def state_of(status: RunStatus, recording: str, *, stale: bool = False) -> str:
    """The state of a run as one of ``STATES``.

    A finished run has the word of its status, however its recording ended. One that is not
    finished is ``interrupted`` or ``stale`` where its recording is.
    """
    return _state(*_case(status, recording, stale=stale))


def _case(status: RunStatus, recording: str, *, stale: bool) -> tuple[RunStatus, str]:
    if status in FINAL:
        return status, _PLAIN
    if recording == INTERRUPTED:
        return status, INTERRUPTED
    return status, STALE if stale and recording == OPEN else _PLAIN


def _state(status: RunStatus, cut: str) -> str:
    return cut or _WORDS[status]


class StatusChoice(NamedTuple):
    """Which statuses and states are selected, as four sets that have no run in common.

    ``whole`` are statuses whatever the recording; the others are statuses of unfinished runs whose
    recording is not cut (``plain``), is interrupted, or is stale.
    """

    whole: tuple[RunStatus, ...] = ()
    plain: tuple[RunStatus, ...] = ()
    interrupted: tuple[RunStatus, ...] = ()
    stale: tuple[RunStatus, ...] = ()

    @property
    def needs_stale(self) -> bool:
        """Whether the ids of stale runs have to be known."""
        return bool(self.plain or self.stale)

    def selects(self, status: RunStatus, recording: str, *, stale: bool = False) -> bool:
        """Whether a run of this status and recording is selected."""
        if status in self.whole:
            return True
        _, cut = _case(status, recording, stale=stale)
        return status in {_PLAIN: self.plain, INTERRUPTED: self.interrupted, STALE: self.stale}[cut]


def choose(values: Iterable[RunStatus | str], *, problems: bool = False) -> StatusChoice | None:
    """The choice of any of these statuses and states, None where everything is selected.

    A ``RunStatus`` selects by status, a word of ``STATES`` by state. With ``problems``, only
    failed, interrupted and stale runs are selected.
    """
    wanted = set(values)
    if not wanted and not problems:
        return None
    cases = {case for case in _CASES if not wanted or {case[0], _state(*case)} & wanted}
    if problems:
        cases = {case for case in cases if _state(*case) in PROBLEMS}
    whole = {status for status, _ in cases} - {status for status, _ in _CASES - cases}
    parts = [
        tuple(status for status in UNFINISHED if (status, cut) in cases and status not in whole)
        for cut in (_PLAIN, INTERRUPTED, STALE)
    ]
    return StatusChoice(tuple(sorted(whole)), *parts)


@dataclass(frozen=True, slots=True)
class Interval:
    """A stretch of time: from ``start`` up to, not including, ``end``; both aware."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Conditions on runs: any of the values of one condition, all of the conditions.

    No values are no condition. Times are aware; a run matches where it started at ``since`` or
    later, before ``until``, and within any of ``within``. ``slower_than`` is in µs. ``stale`` are
    the ids of the stale runs, where ``status`` needs them.
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
