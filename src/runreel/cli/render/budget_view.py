"""Print a budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.cli import time_arguments
from runreel.cli.render import json_views, shapes, shapes_budget, tables, terminal, usage_table
from runreel.cli.render.group_columns import group_columns
from runreel.cli.render.output import ListView
from runreel.cli.render.tables import Column, number_column
from runreel.codec.escaping import escape_line
from runreel.model.budget import OVER, UNKNOWN, WARN, WITHIN, BudgetItem

if TYPE_CHECKING:
    from decimal import Decimal

    from runreel.cli.render.json_views import JsonObject
    from runreel.model.budget import Budget

_STYLES = {WITHIN: "green", WARN: "yellow", UNKNOWN: "yellow", OVER: "red"}


def print_budget(budget: Budget) -> None:
    """Print the groups with their share of the budget, and what it is about."""
    tables.print_table(list_view(budget.by).columns, budget.items)
    ends = (time_arguments.local_time(time) for time in (budget.since, budget.until))
    since, until = (end or tables.UNKNOWN for end in ends)
    prices = budget.prices
    most = f"{usage_table.amount(budget.max)} {budget.currency}"
    about = f"Budget {most} for runs from {since} to {until}. Time zone: {budget.tz}."
    for fact in (about, f"Prices: {escape_line(prices.book)} ({prices.digest[:12]})."):
        terminal.write((fact, "dim"))


def value(budget: Budget) -> JsonObject:
    """Convert a budget to its JSON object."""
    view = list_view(budget.by)
    return json_views.fill(
        shapes_budget.BUDGET,
        budget,
        items=list(map(view.value, budget.items)),
        prices=json_views.prices(budget.prices),
    )


def list_view(by: tuple[str, ...]) -> ListView[BudgetItem]:
    """The list view of the groups of a budget."""
    columns = group_columns(by, BudgetItem)
    columns += [
        Column("STATE", lambda item: (item.state, _STYLES[item.state])),
        Column("COST", lambda item: usage_table.amount(item.cost), right=True),
        Column("SHARE", lambda item: _percent(item.share), right=True),
        Column("FORECAST", lambda item: usage_table.amount(item.forecast), right=True),
        number_column("RUNS", lambda item: item.runs, 2),
        number_column("UNPRICED", lambda item: item.unpriced, 1),
        number_column("OTHER CURRENCY", lambda item: item.other, 3),
    ]
    shape = dict.fromkeys(by, shapes.GROUP) | shapes_budget.ITEM

    def convert(item: BudgetItem) -> JsonObject:
        keys = dict(zip(by, item.key, strict=True))
        return {**keys, **json_views.fill(shapes_budget.ITEM, item)}

    return ListView("groups", shape, columns, convert)


def _percent(share: Decimal | None) -> str | None:
    return None if share is None else f"{share * 100:.1f}%"
