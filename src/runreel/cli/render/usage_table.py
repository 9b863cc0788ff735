"""Print a usage report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runreel.cli.render import json_views, shapes, tables, terminal
from runreel.cli.render.output import ListView
from runreel.cli.render.tables import Column, number, number_column
from runreel.model.usage import UsageItem
from runreel.projection.usage_periods import LABEL, TIMES

if TYPE_CHECKING:
    from collections.abc import Callable

    from runreel.model.usage import UsageReport, UsageTotals

_DETAILS = ("cached", "reasoning", "cache_write")


def print_usage(report: UsageReport) -> None:
    """Print a report as a table, with its totals and their coverage."""
    if not report.totals.runs:
        return
    total = UsageItem(("TOTAL", *("" for _ in report.by[1:])), report.totals)
    columns = list_view(report.by, report.totals).columns
    tables.print_table(columns, [*report.items, total])
    terminal.write((_coverage(report), "dim"))


def list_view(by: tuple[str, ...], totals: UsageTotals | None = None) -> ListView[UsageItem]:
    """The list view of the items of a report grouped ``by``.

    With ``totals``, its table has no column for details that no run reported.
    """
    groups = [
        Column(
            group if group.startswith(LABEL) else group.upper(),
            _key(index),
            min_width=10,
            cut_middle=True,
        )
        for index, group in enumerate(by)
    ]
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
    shape = dict.fromkeys(by, shapes.GROUP) | shapes.TOTALS
    return ListView("runs", shape, [*groups, *counts], lambda item: json_views.usage_item(by, item))


def _detail(name: str, drop_priority: int) -> Column[UsageItem]:
    def value(item: UsageItem) -> int | None:
        found: int | None = getattr(item.totals, name)
        return found

    return number_column(name.replace("_", " ").upper(), value, drop_priority)


def _key(index: int) -> Callable[[UsageItem], str | None]:
    return lambda item: item.key[index]


def totals_row(report: UsageReport) -> dict[str, Any]:
    """Convert a report to one JSON object."""
    return {
        "items": [json_views.usage_item(report.by, item) for item in report.items],
        "totals": json_views.fill(shapes.TOTALS, report.totals),
        "tz": report.tz,
    }


def _coverage(report: UsageReport) -> str:
    known = f"Usage known for {number(report.totals.known)} of {number(report.totals.runs)} runs."
    return f"{known} Time zone: {report.tz}." if set(report.by) & set(TIMES) else known
