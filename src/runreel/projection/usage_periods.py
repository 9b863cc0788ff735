"""Token totals by groups: which groupings there are, and how days are cut in a time zone."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from runreel.model.errors import UsageError
from runreel.model.usage import UsageItem, UsageReport, UsageTotals

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

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
_OF_A_DAY = 96
# Runs, known, input, completion, total: the end of every row.
_COUNTS = 5


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
            f"invalid grouping {grouping!r}",
            hint=f"Choose from {', '.join((*TIMES, *COLUMNS))}, label:KEY.",
        ) from None


def utc_offsets(tz: tzinfo | None, days: Iterable[int]) -> list[tuple[int, int]]:
    """From which quarter on a time zone is how many seconds ahead of UTC.

    Quarters of an hour and days of UTC are counted since the epoch. Of times that are in none of
    the ``days``, which are in order, nothing is said.
    """
    found: list[tuple[int, int]] = []
    told = lru_cache(maxsize=2)(partial(_seconds, tz))
    for day in days:
        quarters = range(day * _OF_A_DAY, (day + 1) * _OF_A_DAY)
        if told(quarters.start) == told(quarters.stop):
            quarters = quarters[:1]
        for quarter in quarters:
            seconds = told(quarter)
            if not found or found[-1][1] != seconds:
                found.append((quarter, seconds))
    return found


def _seconds(tz: tzinfo | None, quarter: int) -> int:
    try:
        told = (_EPOCH + quarter * QUARTER).astimezone(tz).utcoffset()
    except (OverflowError, ValueError):
        # Some programs write year 1 for a time that they do not know.
        return 0
    return (told or timedelta()) // timedelta(seconds=1)


def report(by: Sequence[str], rows: Iterable[Sequence[Any]], *, tz_name: str) -> UsageReport:
    """The report of rows ``(day?, group values…, runs, known, input, completion, total)``.

    The day (since the epoch) leads where ``by`` has a time in it. Rows of the same group are
    added up.
    """
    if any(grouping in TIMES for grouping in by):
        rows = ((*_named(by, row), *row[-_COUNTS:]) for row in rows)
    groups = _added(rows)
    groups.sort(key=lambda row: [(v is None, v or "") for v in row[:-_COUNTS]])
    items = tuple(UsageItem(row[:-_COUNTS], _totals(row[-_COUNTS:])) for row in groups)
    whole = _added(row[-_COUNTS:] for row in groups) or [(0, 0)]
    return UsageReport(tuple(by), items, _totals(whole[0]), tz_name)


def _added(rows: Iterable[Sequence[Any]]) -> list[tuple[Any, ...]]:
    """Rows of groups, each group once."""
    groups: defaultdict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0] * _COUNTS)
    for row in rows:
        sums = groups[tuple(row[:-_COUNTS])]
        for place, count in enumerate(row[-_COUNTS:]):
            sums[place] += count or 0
    return [(*key, *sums) for key, sums in groups.items()]


def _totals(sums: Sequence[int]) -> UsageTotals:
    """What no run has told stays unknown."""
    runs, known, *tokens = sums
    return UsageTotals(runs, known, *tokens) if known else UsageTotals(runs)


def _named(by: Sequence[str], row: Sequence[Any]) -> Iterator[str | None]:
    """The key of a row that is led by a day."""
    ordinal, values = _EPOCH.toordinal() + row[0], iter(row[1:-_COUNTS])
    day = datetime.fromordinal(min(max(ordinal, 1), date.max.toordinal()))
    for grouping in by:
        yield period(day, grouping) if grouping in TIMES else next(values)


def period(moment: datetime, grouping: str) -> str:
    """The name of the day, ISO week or month that a moment is in, in its own time zone."""
    if grouping == "week":
        year, week, _ = moment.isocalendar()
        return f"{year:04d}-W{week:02d}"
    day = moment.date().isoformat()
    return day if grouping == "day" else day[:7]
