"""Validation of the filter arguments of a caller."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from runreel.model import periods
from runreel.model.errors import UsageError
from runreel.model.events import EVENT_TYPES, RECORDINGS
from runreel.model.selection import STATES, Interval, RunFilter, choose
from runreel.model.status import RunStatus, StreamEvent

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import tzinfo

    from runreel.model.selection import StatusChoice

    # One value, or several alternatives.
    Several = str | Iterable[str] | None

Status = RunStatus | str
Time = datetime | date | float | str
Days = date | str | Interval
_STATUSES = dict.fromkeys((*STATES, *(name.lower() for name in RunStatus.__members__)))
_MICROSECOND = timedelta(microseconds=1)


def run_filter(  # noqa: PLR0913 - one argument for each condition
    *,
    now: datetime,
    zone: tzinfo | None = None,
    status: Status | Iterable[Status] | None = None,
    recording: Several = None,
    labels: Mapping[str, Several] | None = None,
    since: Time | None = None,
    until: Time | None = None,
    on: Days | Iterable[Days] | None = None,
    problems: bool = False,
    error_contains: Several = None,
    slower_than: timedelta | float | str | None = None,
    min_tokens: int | None = None,
    has_error: bool = False,
    no_usage: bool = False,
    source: Several = None,
    assistant: Several = None,
    thread: Several = None,
    model: Several = None,
) -> RunFilter:
    """Build a filter from these conditions; text times are relative to ``now`` and in ``zone``.

    Raises:
        UsageError: if a value is invalid.
    """
    recordings = _values("recording", recording)
    for value in recordings:
        if value not in RECORDINGS:
            raise _invalid("recording", value, RECORDINGS)
    within = () if on is None else _checked(lambda: _within(on, now, zone))
    start = None if since is None else moment("since", since, now=now, zone=zone)
    end = None if until is None else moment("until", until, now=now, zone=zone)
    if within:
        start = within[0].start if start is None else max(start, within[0].start)
        end = within[-1].end if end is None else min(end, within[-1].end)
    return RunFilter(
        status=(
            None
            if status is None and not problems
            else choose(_statuses(status), problems=problems)
        ),
        recording=recordings,
        labels=_labels(labels),
        since=start,
        until=end,
        # A single period is covered by since and until.
        within=within if len(within) > 1 else (),
        has_error=bool(has_error),
        no_usage=bool(no_usage),
        error_contains=_values("error_contains", error_contains),
        slower_than=None if slower_than is None else _micros(slower_than),
        min_tokens=_count("min_tokens", min_tokens),
        source=_values("source", source),
        assistant=_values("assistant", assistant),
        thread=_values("thread", thread),
        model=_values("model", model),
    )


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
    if isinstance(values, StreamEvent | RunStatus):
        values = values.name
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
    found: datetime = _checked(lambda: periods.moment(value, now=now, zone=zone), name)
    return found


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


def _labels(labels: Mapping[str, Several] | None) -> dict[str, tuple[str, ...]]:
    if labels is None:
        return {}
    if not isinstance(labels, Mapping):
        raise UsageError(
            f"labels must be a mapping such as {{'team': 'search'}}, not {type(labels).__name__}"
        )
    return {str(key): _values(f"label {key!r}", value) for key, value in labels.items()}


def _within(
    on: Days | Iterable[Days] | None, now: datetime, zone: tzinfo | None
) -> tuple[Interval, ...]:
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


def _values(name: str, value: Any) -> tuple[str, ...]:
    """Return one or several texts without duplicates."""
    if value is None:
        return ()
    found = tuple(dict.fromkeys(_several(name, value)))
    for one in found:
        if not isinstance(one, str):
            raise UsageError(f"{name} must be a string or several, not {type(one).__name__}")
    return found


def _several(name: str, value: Any) -> Iterable[Any]:
    if value is None:
        return ()
    if isinstance(value, str | RunStatus):
        return (value,)
    if isinstance(value, Mapping | bytes) or not isinstance(value, Iterable):
        raise UsageError(f"{name} must be a string or several, not {type(value).__name__}")
    found = tuple(value)
    if not found:
        raise UsageError(f"{name} is empty: leave it out, or give a value")
    return found


def _micros(length: timedelta | float | str) -> int:
    found: timedelta = _checked(lambda: periods.duration(length), "slower_than")
    return found // _MICROSECOND


def _count(name: str, value: Any) -> int | None:
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        raise UsageError(f"{name} must be an integer, not {value!r}")
    return value


def _checked(read: Callable[[], Any], name: str | None = None) -> Any:
    try:
        return read()
    except ValueError as error:
        raise UsageError(f"{name}: {error}" if name else str(error)) from None


def _invalid(name: str, value: object, known: Iterable[str]) -> UsageError:
    return UsageError(f"invalid {name} {value!r}", hint=f"Choose from {', '.join(known)}.")
