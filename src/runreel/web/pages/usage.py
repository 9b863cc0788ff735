"""Tokens by groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runreel.projection.usage_periods import COLUMNS, TIMES
from runreel.web import filters, links, usage_chart
from runreel.web.query import Page

if TYPE_CHECKING:
    from runreel.api.reel import Reel
    from runreel.model.usage import UsageItem, UsageReport
    from runreel.web.query import Query
    from runreel.web.usage_chart import Chart

PARAMETERS = (*filters.NAMES, "by", "cost")
# Groups of one table.
_MOST = 60
_WIDTH = 1000.0


class _Group(NamedTuple):
    """A group with the width of its bar."""

    item: UsageItem
    width: float


class _Table(NamedTuple):
    """A report; ``left_out`` groups are not in ``groups``. A report by time has a chart."""

    report: UsageReport
    groups: list[_Group]
    left_out: int
    chart: Chart | None


def answer(reel: Reel, query: Query) -> Page:
    """Return the report by day and by model, or by the groups that ``by`` names.

    With ``cost``, runs are priced, which takes a while if there are many.

    Raises:
        UsageError: if a parameter is invalid.
        BadPrices: if a line of the price book is not valid.
    """
    selected = filters.read(query)
    asked = tuple(dict.fromkeys(query.texts("by")))
    tz = query.text("tz")
    reports = [
        reel.usage(by, tz=tz, cost=query.flag("cost"), **selected)
        for by in ([asked] if asked else [("day",), ("model",)])
    ]
    rest = query.without("by")
    groupings = (*TIMES, *COLUMNS)
    return Page(
        "usage.html",
        {
            "query": query,
            "tables": list(map(_table, reports)),
            "totals": reports[0].totals,
            "period": _period(reports[0]),
            "zone_name": reports[0].tz,
            "filters": rest,
            "views": [(name, links.page("/usage", [*rest, ("by", name)])) for name in groupings],
            "default": links.page("/usage", rest),
            "runs": links.page("/", query.without("by", "cost")),
            "priced": links.page("/usage", [*query.pairs, ("cost", "1")]),
            "costs": [f"{one.cost:,f} {one.currency}" for one in reports[0].costs],
            "prices": reports[0].prices,
        },
    )


def _period(report: UsageReport) -> tuple[str, str] | None:
    """Return the first and the last period of a report by time."""
    names = [item.key[0] for item in report.items if item.key[0] is not None]
    return (names[0], names[-1]) if names and report.by[0] in TIMES else None


def _table(report: UsageReport) -> _Table:
    """Return the newest groups of a report by time, of another the ones with most tokens."""
    items = list(report.items)
    if len(items) > _MOST:
        if report.by[0] in TIMES:
            items = items[-_MOST:]
        else:
            items = sorted(items, key=_total, reverse=True)[:_MOST]
    most = max(map(_total, items), default=0) or 1
    groups = [_Group(item, round(_total(item) / most * _WIDTH, 2)) for item in items]
    return _Table(report, groups, len(report.items) - len(items), usage_chart.chart(report))


def _total(item: UsageItem) -> int:
    return item.totals.total_tokens or 0
