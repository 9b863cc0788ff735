"""Print a usage report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runreel.cli.render import json_views, shapes, shapes_cost, tables, terminal
from runreel.cli.render.group_columns import group_columns
from runreel.cli.render.output import ListView
from runreel.cli.render.tables import Column, number, number_column
from runreel.codec.escaping import escape_line
from runreel.model.usage import UsageItem
from runreel.projection.usage_periods import TIMES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from decimal import Decimal

    from runreel.model.usage import UsageReport, UsageTotals

_DETAILS = ("cached", "reasoning", "cache_write")


def print_usage(report: UsageReport) -> None:
    """Print a report as a table, with its totals and their coverage."""
    if not report.totals.runs:
        return
    total = UsageItem(("TOTAL", *("" for _ in report.by[1:])), report.totals)
    costs = report.prices is not None
    columns = list_view(report.by, report.totals, costs=costs).columns
    tables.print_table(columns, [*report.items, total])
    for line in footer(report):
        terminal.write((line, "dim"))


def footer(report: UsageReport) -> list[str]:
    """The lines below a report: for how many runs usage and costs are known, and from what."""
    return [_coverage(report), *_costs(report)]


def list_view(
    by: tuple[str, ...], totals: UsageTotals | None = None, *, costs: bool = False
) -> ListView[UsageItem]:
    """The list view of the items of a report grouped ``by``, with or without ``costs``.

    With ``totals``, its table has no column for details that no run reported.
    """
    groups = group_columns(by, UsageItem)
    counts: list[Column[UsageItem]] = [
        number_column("RUNS", lambda item: item.totals.runs),
        number_column("KNOWN", lambda item: item.totals.known, 4),
        number_column("UNKNOWN", lambda item: item.totals.unknown, 3),
        number_column("INPUT", lambda item: item.totals.input_text_tokens, 1),
        number_column("COMPLETION", lambda item: item.totals.completion_tokens, 2),
        number_column("TOTAL", lambda item: item.totals.total_tokens),
    ]
    counts += [
        _detail(name, priority)
        for priority, name in enumerate(_DETAILS, 5)
        if totals is None or getattr(totals, name) is not None
    ]
    if costs:
        counts += [
            Column("COST", lambda item: amount(item.totals.cost), right=True),
            Column("CURRENCY", lambda item: item.totals.currency),
            number_column("UNPRICED", lambda item: item.totals.unpriced),
        ]
    fields = shapes_cost.PRICED_TOTALS if costs else shapes.TOTALS
    shape = dict.fromkeys(by, shapes.GROUP) | fields
    return ListView(
        "runs", shape, [*groups, *counts], lambda item: json_views.usage_item(by, item, fields)
    )


def _detail(name: str, drop_priority: int) -> Column[UsageItem]:
    def value(item: UsageItem) -> int | None:
        found: int | None = getattr(item.totals, name)
        return found

    return number_column(name.replace("_", " ").upper(), value, drop_priority)


def totals_row(report: UsageReport) -> dict[str, Any]:
    """Convert a report to one JSON object."""
    fields = shapes.TOTALS if report.prices is None else shapes_cost.PRICED_TOTALS
    found: dict[str, Any] = {
        "items": [json_views.usage_item(report.by, item, fields) for item in report.items],
        "totals": json_views.fill(fields, report.totals),
        "tz": report.tz,
    }
    if report.prices is not None:
        found["costs"] = [json_views.fill(shapes_cost.CURRENCY_COST, c) for c in report.costs]
        found["prices"] = json_views.prices(report.prices)
    return found


def amount(cost: Decimal | None) -> str | None:
    """Return an exact amount with thousands separators, None for None."""
    return None if cost is None else f"{cost:,f}"


def _costs(report: UsageReport) -> Iterator[str]:
    """Yield what costs sum up to by currency, and what they come from."""
    prices, totals = report.prices, report.totals
    if prices is None:
        return
    sums = ", ".join(f"{amount(one.cost)} {one.currency}" for one in report.costs)
    of_runs = f"{number(totals.priced)} of {number(totals.runs)} runs"
    yield f"Cost known for {of_runs}: {sums or tables.UNKNOWN}."
    when = "the start of each run" if prices.as_of == "then" else "today"
    yield f"Prices of {when}: {escape_line(prices.book)} ({prices.digest[:12]})."
    if prices.rates is not None:
        days = f" of {prices.rates_from} to {prices.rates_until}" if prices.rates_from else ""
        yield f"Converted to {prices.currency} with the rates{days} in {escape_line(prices.rates)}."


def _coverage(report: UsageReport) -> str:
    known = f"Usage known for {number(report.totals.known)} of {number(report.totals.runs)} runs."
    return f"{known} Time zone: {report.tz}." if set(report.by) & set(TIMES) else known
