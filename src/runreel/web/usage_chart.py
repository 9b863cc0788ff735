"""The chart of a usage report: what it draws over time."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, NamedTuple, TypedDict

from runreel.codec.escaping import escape_line
from runreel.projection.period_names import TIMES
from runreel.web import words

if TYPE_CHECKING:
    from runreel.model.usage import UsageItem, UsageReport

# Periods of a chart: the newest. More would be thinner than a pixel.
_MOST = 1_500
# Groups with a colour of their own.
_GROUPS = 6
_OTHERS = "all others"
_MONTHS_PER_QUARTER = 3
_NAME = 60


class Series(TypedDict):
    """A number for each period, None where it is unknown."""

    name: str
    values: list[int | None]


class Chart(TypedDict):
    """``times`` are the starts of periods of a kind ``by``, in seconds, as a clock shows them.

    ``series`` are stacked: tokens, and in ``runs`` the runs with and without usage.
    """

    by: str
    times: list[int]
    names: list[str]
    series: list[Series]
    runs: list[Series]


class _Point(NamedTuple):
    """The numbers of a period."""

    name: str
    tokens: Counter[str]
    known: int
    unknown: int


def chart(report: UsageReport) -> Chart | None:
    """Return the chart of a report by a time and at most one other grouping, else None."""
    by, *others = report.by
    if by not in TIMES or len(others) > 1 or not report.items:
        return None
    largest = _largest(report) if others else []
    points = _points(report, largest)
    times = sorted(points)[-_MOST:]
    chosen = [points[time] for time in times]
    names = _series_names(chosen, largest) if others else ["Input", "Output"]
    return Chart(
        by=by,
        times=times,
        names=[point.name for point in chosen],
        series=[
            Series(name=name, values=[point.tokens.get(name) for point in chosen]) for name in names
        ],
        runs=[
            Series(name="Usage known", values=[point.known for point in chosen]),
            Series(name="Usage unknown", values=[point.unknown for point in chosen]),
        ],
    )


def _series_names(points: list[_Point], largest: list[str | None]) -> list[str]:
    """Return the names of the largest groups, and that of all others if there are some."""
    names = [*map(_name, largest)]
    if any(point.tokens[_OTHERS] for point in points):
        names.append(_OTHERS)
    return list(dict.fromkeys(names))


def _points(report: UsageReport, largest: list[str | None]) -> dict[int, _Point]:
    """Return the numbers of the periods of a report by their starts."""
    points: dict[int, _Point] = {}
    for item in report.items:
        name = item.key[0]
        start = None if name is None else _start(name, report.by[0])
        if name is not None and start is not None:
            point = points.get(start, _Point(name, Counter(), 0, 0))
            points[start] = _added(point, item, largest)
    return points


def _largest(report: UsageReport) -> list[str | None]:
    """Return the groups with most tokens."""
    totals: defaultdict[str | None, int] = defaultdict(int)
    for item in report.items:
        totals[item.key[1]] += item.totals.total_tokens or 0
    return sorted(totals, key=lambda key: -totals[key])[:_GROUPS]


def _added(point: _Point, item: UsageItem, largest: list[str | None]) -> _Point:
    totals, tokens = item.totals, Counter(point.tokens)
    if len(item.key) > 1:
        name = _name(item.key[1]) if item.key[1] in largest else _OTHERS
        found = {name: totals.total_tokens}
    else:
        found = {"Input": totals.input_text_tokens, "Output": totals.completion_tokens}
    tokens.update({name: count for name, count in found.items() if count is not None})
    return _Point(point.name, tokens, point.known + totals.known, point.unknown + totals.unknown)


def _name(key: str | None) -> str:
    return escape_line(words.clip(key, _NAME))


def _start(name: str, by: str) -> int | None:
    """Return the start of a period, None if it is too long ago."""
    try:
        match by:
            case "hour":
                # Of an hour that the clock shows twice, both are in one place.
                found = datetime.fromisoformat(name).replace(tzinfo=UTC)
            case "week":
                found = _midnight(date.fromisocalendar(int(name[:4]), int(name[6:]), 1))
            case "quarter":
                month = (int(name[6:]) - 1) * _MONTHS_PER_QUARTER + 1
                found = _midnight(date(int(name[:4]), month, 1))
            case _:
                found = _midnight(date.fromisoformat(f"{name}-01-01"[:10]))
    except ValueError:
        return None
    return int(found.timestamp())


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
