"""Validation of the filter arguments of a caller."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, TypedDict, TypeVar

from runreel.model import periods
from runreel.model.errors import UsageError
from runreel.model.events import EVENT_TYPES, RECORDINGS
from runreel.model.selection import STATES, Interval, RunFilter, choose
from runreel.model.status import RunStatus, StreamEvent

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import tzinfo

    from runreel.model.selection import StatusChoice

T = TypeVar("T")
Status = RunStatus | str
Time = datetime | date | float | str
Days = date | str | Interval
_STATUSES = dict.fromkeys((*STATES, *(name.lower() for name in RunStatus.__members__)))
_MICROSECOND = timedelta(microseconds=1)


class Filters(TypedDict, total=False):
    """The keywords that select runs: see ``Reel.runs``."""

    status: Status | Iterable[Status] | None
    source: str | Iterable[str] | None
    assistant: str | Iterable[str] | None
    thread: str | Iterable[str] | None
    model: str | Iterable[str] | None
    labels: Mapping[str, str | Iterable[str]] | None
    recording: str | Iterable[str] | None
    since: Time | None
    until: Time | None
    on: Days | Iterable[Days] | None
    has_error: bool
    no_usage: bool
    problems: bool
    error_contains: str | Iterable[str] | None
    slower_than: timedelta | float | str | None
    min_tokens: int | None


def run_filter(given: Filters, *, now: datetime, zone: tzinfo | None = None) -> RunFilter:
    """Build a filter from keywords; text times are relative to ``now`` and in ``zone``.

    Raises:
        UsageError: if a value is invalid.
        TypeError: if a keyword does not exist.
    """
    for name in given.keys() - Filters.__annotations__.keys():
        raise TypeError(f"unexpected keyword argument {name!r}")

    def texts(name: str) -> tuple[str, ...]:
        return _values(name, given.get(name))

    recordings = texts("recording")
    for value in recordings:
        if value not in RECORDINGS:
            raise _invalid("recording", value, RECORDINGS)
    since, until, within = _times(given, now, zone)
    return RunFilter(
        status=choose(_statuses(given.get("status")), problems=given.get("problems", False)),
        recording=recordings,
        labels=_labels(given.get("labels")),
        since=since,
        until=until,
        within=within,
        has_error=given.get("has_error", False),
        no_usage=given.get("no_usage", False),
        error_contains=texts("error_contains"),
        slower_than=_micros(given.get("slower_than")),
        min_tokens=given.get("min_tokens"),
        source=texts("source"),
        assistant=texts("assistant"),
        thread=texts("thread"),
        model=texts("model"),
    )


def _times(
    given: Filters, now: datetime, zone: tzinfo | None
) -> tuple[datetime | None, datetime | None, tuple[Interval, ...]]:
    """Return since, until and the periods; a single period is covered by since and until."""
    on, since, until = given.get("on"), given.get("since"), given.get("until")
    within = () if on is None else _checked(lambda: _within(on, now, zone))
    starts = [] if since is None else [moment("since", since, now=now, zone=zone)]
    ends = [] if until is None else [moment("until", until, now=now, zone=zone)]
    if within:
        starts.append(within[0].start)
        ends.append(within[-1].end)
    return max(starts, default=None), min(ends, default=None), within if len(within) > 1 else ()


def status_choice(values: Status | Iterable[Status] | None) -> StatusChoice | None:
    """Return the choice of any of these statuses and states, or None without values.

    A ``RunStatus`` or its uppercase name selects by status; a lowercase word selects by state, as
    lists show it.

    Raises:
        UsageError: if a value is neither.
    """
    return choose(_statuses(values))


def event_types(
    values: str | StreamEvent | RunStatus | Iterable[str | StreamEvent | RunStatus] | None,
) -> frozenset[str] | None:
    """Return the event kinds and types with these names, or None without names.

    Case is ignored.

    Raises:
        UsageError: if a name is unknown.
    """
    if values is None:
        return None
    given = [
        value.name if isinstance(value, StreamEvent | RunStatus) else value
        for value in _several("type", values)
    ]
    names = _values("type", given)
    known = {name.lower(): name for name in EVENT_TYPES}
    for name in names:
        if name.lower() not in known:
            raise _invalid("type", name, EVENT_TYPES)
    return frozenset(known[name.lower()] for name in names)


def moment(name: str, value: Time, *, now: datetime, zone: tzinfo | None = None) -> datetime:
    """Convert the argument ``name`` to an aware time.

    Raises:
        UsageError: if it is not a time.
    """
    return _checked(lambda: periods.moment(value, now=now, zone=zone), name)


def _statuses(values: Status | Iterable[Status] | None) -> Iterable[Status]:
    for value in _several("status", values):
        if isinstance(value, RunStatus):
            yield value
        elif not isinstance(value, str) or value.lower() not in _STATUSES:
            raise _invalid("status", value, _STATUSES)
        elif value in RunStatus.__members__ or value.lower() not in STATES:
            yield RunStatus[value.upper()]
        else:
            yield value.lower()


def _labels(labels: Mapping[str, str | Iterable[str]] | None) -> dict[str, tuple[str, ...]]:
    if labels is None:
        return {}
    return {str(key): _values(f"label {key!r}", value) for key, value in labels.items()}


def _within(on: Days | Iterable[Days], now: datetime, zone: tzinfo | None) -> tuple[Interval, ...]:
    """Return the periods in order, adjacent and overlapping ones merged."""
    given = [on] if isinstance(on, str) or not isinstance(on, Iterable) else on
    pairs = sorted(
        (value.start, value.end)
        if isinstance(value, Interval)
        else periods.period(value, now=now, zone=zone)
        for value in given
        if value is not None
    )
    merged: list[Interval] = []
    for start, end in pairs:
        if merged and start <= merged[-1].end:
            merged[-1] = Interval(merged[-1].start, max(merged[-1].end, end))
        else:
            merged.append(Interval(start, end))
    return tuple(merged)


def _values(name: str, value: object) -> tuple[str, ...]:
    """Return one or several texts without duplicates."""
    if value is None:
        return ()
    found: dict[str, None] = {}
    for one in _several(name, value):
        if not isinstance(one, str):
            raise UsageError(f"{name} must be a string or several, not {type(one).__name__}")
        found[one] = None
    return tuple(found)


def _several(name: str, value: object) -> Iterable[object]:
    if value is None:
        return ()
    if not isinstance(value, Iterable) or isinstance(value, str):
        return (value,)
    found = tuple(value)
    if not found:
        raise UsageError(f"{name} is empty: leave it out, or give a value")
    return found


def _micros(length: timedelta | float | str | None) -> int | None:
    if length is None:
        return None
    return _checked(lambda: periods.duration(length), "slower_than") // _MICROSECOND


def _checked(read: Callable[[], T], name: str | None = None) -> T:
    try:
        return read()
    except ValueError as error:
        raise UsageError(f"{name}: {error}" if name else str(error)) from None


def _invalid(name: str, value: object, known: Iterable[str]) -> UsageError:
    return UsageError(f"invalid {name} {value!r}", hint=f"Choose from {', '.join(known)}.")
