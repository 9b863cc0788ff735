"""Print a usage report in the layout that was asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from runreel.cli.render import terminal, usage_chart, usage_pivot, usage_table
from runreel.model.errors import UsageError
from runreel.projection import period_names

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    from runreel.cli.render.output import Output
    from runreel.cli.render.report_layout import ReportLayout
    from runreel.model.usage import UsageItem, UsageReport

_BOM = "\N{ZERO WIDTH NO-BREAK SPACE}"
# What --sort accepts, and the field of the totals.
_COLUMNS = {
    "runs": "runs",
    "known": "known",
    "unknown": "unknown",
    "input": "input_text_tokens",
    "completion": "completion_tokens",
    "total": "total_tokens",
    "cached": "cached",
    "cache_write": "cache_write",
    "reasoning": "reasoning",
}
_COST_COLUMNS = {name: name for name in ("cost", "priced", "unpriced")}


def check(layout: ReportLayout, output: Output, *, costs: bool) -> None:
    """Check that the options fit together, before the database is read.

    Raises:
        UsageError: if they do not.
    """
    if layout.chart and not output.is_table:
        raise UsageError("--chart draws on a terminal", hint=f"Leave out -o {output.format}.")
    if layout.chart and layout.pivot is not None:
        raise UsageError("--chart and --pivot exclude each other")
    if layout.measure is not None and layout.pivot is None and not layout.chart:
        raise UsageError("--measure is for --pivot and --chart")
    if layout.measure == "cost" and not costs:
        raise UsageError("--measure cost needs --cost")
    if layout.bom and output.format != "csv":
        raise UsageError("--bom is for -o csv")


def groupings(by: tuple[str, ...], layout: ReportLayout) -> tuple[str, ...]:
    """Return the groupings of the report: those of the rows, then that of a pivot's columns."""
    if layout.pivot is None:
        return by
    return (*(one for one in by if one != layout.pivot), layout.pivot)


def print_report(report: UsageReport, layout: ReportLayout, output: Output) -> None:
    """Print a report.

    Raises:
        UsageError: if the column to sort by does not exist.
    """
    if layout.bom:
        terminal.write_raw(_BOM)
    if layout.pivot is not None:
        pivot = usage_pivot.pivot(report, layout)
        usage_pivot.print_pivot(pivot, output)
        _notice_left_out(pivot.left_out)
        return
    count = len(report.items)
    report = _arranged(report, layout)
    if layout.chart:
        usage_chart.print_chart(report, layout.measure or "total")
    elif output.format == "json":
        output.object(usage_table.totals_row(report))
    elif output.is_table:
        usage_table.print_usage(report)
    else:
        costs = report.prices is not None
        output.lines(usage_table.list_view(report.by, costs=costs), report.items)
    _notice_left_out(count - len(report.items))


def _notice_left_out(count: int) -> None:
    """Say how many groups ``-n`` leaves out, if any."""
    if count:
        terminal.write_notice((f"{terminal.counted(count, 'more group')}; -n 0 prints all.", "dim"))


def _arranged(report: UsageReport, layout: ReportLayout) -> UsageReport:
    items = list(report.items)
    if layout.sort is not None:
        items.sort(key=_order(report, layout.sort))
    return replace(report, items=tuple(items[: layout.limit or None]))


def _order(report: UsageReport, column: str) -> Callable[[UsageItem], tuple[bool, object]]:
    if column in report.by:
        index = report.by.index(column)
        return lambda item: period_names.order(item.key[index])
    known = _COLUMNS if report.prices is None else _COLUMNS | _COST_COLUMNS
    field = column if column in known.values() else known.get(column)
    if field is None:
        names = ", ".join((*report.by, *known))
        raise UsageError(f"--sort: there is no column {column!r}", hint=f"Choose from {names}.")

    def order(item: UsageItem) -> tuple[bool, object]:
        value: int | Decimal | None = getattr(item.totals, field)
        return value is None, -(value or 0)

    return order
