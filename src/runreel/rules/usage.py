"""Token totals by groups: which groupings there are, and how days are cut in a time zone."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from runreel.words.errors import UsageError
from runreel.words.log import UsageItem, UsageReport, UsageTotals

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

QUARTER = timedelta(minutes=15)
TIMES = ("day", "week", "month")
COLUMNS = {
    "assistant": "assistant_id",
    "thread": "thread_id",
    "model": "model",
    "source": "source",
    "status": "status",
}
LABEL = "label:"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def column_of(grouping: str) -> str:
    """The column that a grouping other than by time is by; ``label:K`` stays as it is.

    Raises:
        UsageError: if there is no such grouping.
    """
    if grouping.startswith(LABEL) and len(grouping) > len(LABEL):
        return grouping
    try:
        return COLUMNS[grouping]
    except KeyError:
        raise UsageError(
            f"usage cannot be grouped by {grouping!r}",
            hint=f"By: {', '.join((*TIMES, *COLUMNS))}, label:KEY.",
        ) from None


def zone(name: str | None) -> tuple[tzinfo | None, str]:
    """A time zone and its name; None is the machine's own.

    Raises:
        UsageError: if there is no such zone.
    """
    if name is None:
        return None, str(datetime.now().astimezone().tzinfo)
    try:
        return ZoneInfo(name), name
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UsageError(
            f"no time zone is called {name!r}", hint="Like UTC or Europe/Moscow."
        ) from None


def report(
    by: Sequence[str], rows: Iterable[Sequence[Any]], *, tz: tzinfo | None, tz_name: str
) -> UsageReport:
    """The report of rows ``(quarter?, group values…, runs, known, input, completion, total)``.

    The quarter (of an hour, since the epoch) leads where ``by`` has a time in it.
    """
    timed = any(grouping in TIMES for grouping in by)
    groups: defaultdict[tuple[str | None, ...], UsageTotals] = defaultdict(UsageTotals)
    totals = UsageTotals()
    start = 1 if timed else 0

    @lru_cache(maxsize=4096)
    def named(quarter: int, grouping: str) -> str:
        return period(_local(quarter, tz), grouping)

    for row in rows:
        values = iter(row[start:-5])
        key = tuple(
            named(row[0], grouping) if grouping in TIMES else next(values) for grouping in by
        )
        counted = UsageTotals(*row[-5:])
        groups[key] = plus(groups[key], counted)
        totals = plus(totals, counted)
    ordered = sorted(groups.items(), key=lambda group: [(v is None, v or "") for v in group[0]])
    items = tuple(UsageItem(key, counted) for key, counted in ordered)
    return UsageReport(tuple(by), items, totals, tz_name)


def _local(quarter: int, tz: tzinfo | None) -> datetime:
    moment = _EPOCH + quarter * QUARTER
    try:
        return moment.astimezone(tz)
    except (OverflowError, ValueError):
        # Some programs write year 1 for a time that they do not know.
        return moment


def period(moment: datetime, grouping: str) -> str:
    """The name of the day, ISO week or month that a moment is in, in its own time zone."""
    if grouping == "week":
        year, week, _ = moment.isocalendar()
        return f"{year:04d}-W{week:02d}"
    day = moment.date().isoformat()
    return day if grouping == "day" else day[:7]


def plus(one: UsageTotals, other: UsageTotals) -> UsageTotals:
    """Both together; what neither knows stays unknown."""
    return UsageTotals(
        one.runs + other.runs,
        one.known + other.known,
        _sum(one.input_text_tokens, other.input_text_tokens),
        _sum(one.completion_tokens, other.completion_tokens),
        _sum(one.total_tokens, other.total_tokens),
    )


def _sum(one: int | None, other: int | None) -> int | None:
    if one is None:
        return other
    return one if other is None else one + other
