"""``runreel budget``: compare what runs cost with what they may."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

import click

from runreel.cli import cost_options, options, price_options, selection

if TYPE_CHECKING:
    from runreel.api.reel import Reel
    from runreel.cli.render.output import Output
    from runreel.model.run_filter import Filters

_OVER, _CANNOT_TELL = 1, 5


@options.command("""
runreel budget --max 500 --currency USD
runreel budget --max 20 --currency USD --on today --by label:team --warn 80%
runreel budget --max 40000 --currency RUB --by model --tolerate 1% --json
""")
@click.option(
    "--max", "max_", required=True, metavar="AMOUNT", help="What each group may cost, as 500.00."
)
@click.option(
    "--currency", required=True, metavar="CODE", help="Currency of the budget, as USD or RUB."
)
@click.option(
    "--by",
    multiple=True,
    metavar="GROUP",
    type=options.TEXT,
    help="Groups with a budget each, as in `runreel usage` (repeatable). Default: all runs.",
)
@click.option("--warn", metavar="N%", help="Warn from this share of the budget on.")
@click.option(
    "--tolerate",
    default="0",
    metavar="N|N%",
    help="Runs without a known cost to let pass: a number, or a share of the runs.",
)
@price_options.prices
@cost_options.as_of
@cost_options.rates
@selection.filters
@options.output()
@options.reel()
def budget_command(  # noqa: PLR0913 - options of the command
    reel: Reel,
    /,
    *,
    max_: str,
    currency: str,
    by: tuple[str, ...],
    warn: str | None,
    tolerate: str,
    prices: str | None,
    as_of: str | None,
    rates: str | None,
    output: Output,
    **filters: Unpack[Filters],
) -> None:
    """Compare what runs cost with a budget; by default this month's.

    Only costs in the currency of the budget count, others too with --rates. The forecast is the
    cost at the end of the period if it goes on as so far.

    Exit code 1: a group is over its budget; 5: this is unknown, because more runs than tolerated
    have no known price or usage. Otherwise 0, also if a group is close to its budget.
    """
    from runreel.cli import time_arguments
    from runreel.cli.render import budget_view
    from runreel.model.budget import OVER, UNKNOWN
    from runreel.query import budgets

    limits = budgets.limits(max_, currency, warn, tolerate)
    pricing = cost_options.LazyPricing(prices, as_of or "then", rates)()
    budget = budgets.check(
        reel.db,
        limits,
        tuple(dict.fromkeys(by)),
        filters,
        pricing,
        tz=time_arguments.requested_zone(),
        now=time_arguments.now(),
    )
    if output.is_table:
        budget_view.print_budget(budget)
    elif output.format == "json":
        output.object(budget_view.value(budget))
    else:
        output.lines(budget_view.list_view(budget.by), budget.items)
    cost_options.warn_of_old_prices(budget.prices, output.as_of.date())
    code = {OVER: _OVER, UNKNOWN: _CANNOT_TELL}.get(budget.state)
    if code is not None:
        raise click.exceptions.Exit(code)
