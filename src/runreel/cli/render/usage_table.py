"""Print a usage report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runreel.cli.render import json_views, shapes, tables, terminal
from runreel.cli.render.output import ListView
from runreel.cli.render.tables import Column, number
from runreel.cli.usage_groups import GROUPS, TIME_GROUPS
from runreel.model.usage import UsageItem

if TYPE_CHECKING:
    from collections.abc import Callable

    from runreel.model.usage import UsageReport


def print_usage(report: UsageReport) -> None:
    """Print a report as a table, with its totals and their coverage."""
    if not report.totals.runs:
        return
    total = UsageItem(("TOTAL", *("" for _ in report.by[1:])), report.totals)
    tables.print_table(list_view(report.by).columns, [*report.items, total])
    terminal.write((_coverage(report), "dim"))


def list_view(by: tuple[str, ...]) -> ListView[UsageItem]:
    """The list view of the items of a report grouped ``by``."""
    columns: list[Column[UsageItem]] = [
        Column(
            group.upper() if group in GROUPS else group, _key(index), min_width=10, cut_middle=True
        )
        for index, group in enumerate(by)
    ]
    columns += (
        Column("RUNS", lambda item: number(item.totals.runs), right=True),
        Column("KNOWN", lambda item: number(item.totals.known), right=True, drop_priority=4),
        Column("UNKNOWN", lambda item: number(item.totals.unknown), right=True, drop_priority=3),
        Column(
            "INPUT", lambda item: number(item.totals.input_text_tokens), right=True, drop_priority=1
        ),
        Column(
            "COMPLETION",
            lambda item: number(item.totals.completion_tokens),
            right=True,
            drop_priority=2,
        ),
        Column("TOTAL", lambda item: number(item.totals.total_tokens), right=True),
    )
    shape = dict.fromkeys(by, shapes.GROUP) | shapes.TOTALS
    return ListView("runs", shape, columns, lambda item: json_views.usage_item(by, item))


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
    return f"{known} Time zone: {report.tz}." if set(report.by) & set(TIME_GROUPS) else known
