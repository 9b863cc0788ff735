"""The options of commands about costs."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import timedelta
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from runreel.cli import price_options
from runreel.codec.escaping import escape_line

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from runreel.model.usage import PricesUsed
    from runreel.query.run_pricing import Pricing

_OLD = timedelta(days=30)
_FILE = click.Path(exists=True, dir_okay=False)


@dataclass(frozen=True, slots=True)
class LazyPricing:
    """The options about prices; a call reads the files that they name."""

    prices: str | None = None
    as_of: str = "then"
    rates: str | None = None
    currency: str | None = None

    def __call__(self) -> Pricing:
        """Return how to price runs.

        Raises:
            UsageError: if a file cannot be read.
            BadPrices: if a line of a file is not valid.
        """
        from runreel.cli import time_arguments
        from runreel.query.run_pricing import pricing_of

        book = price_options.price_book(self.prices)
        return pricing_of(
            book,
            as_of=self.as_of,
            rates=self.rates,
            currency=self.currency,
            now=time_arguments.now(),
        )


_NAMES = tuple(field.name for field in fields(LazyPricing))

as_of = click.option(
    "--as-of",
    type=click.Choice(["then", "now"]),
    help="Prices of the day on which each run started (then, the default), or of today.",
)
rates = click.option(
    "--rates",
    type=_FILE,
    metavar="FILE",
    help="Daily exchange rates, to convert all costs to one currency.",
)


def warn_of_old_prices(used: PricesUsed, today: date) -> None:
    """Print a notice if the newest entry of the price book is old."""
    if used.newest is not None and today - used.newest > _OLD:
        from runreel.cli.render import terminal

        days = (today - used.newest).days
        terminal.write_notice(
            f"The newest entry of {escape_line(used.book)} is {days} days old."
            " `runreel prices import` adds newer ones."
        )


def costs(command: Callable[..., object]) -> Callable[..., object]:
    """Add --cost and the options about prices, as the argument ``pricing``: None without any."""

    @wraps(command)
    def run(*args: Any, cost: bool, **options: Any) -> object:
        given = {name: options.pop(name) for name in _NAMES}
        chosen = {name: value for name, value in given.items() if value is not None}
        pricing = LazyPricing(**chosen) if cost or chosen else None
        return command(*args, pricing=pricing, **options)

    for option in reversed(
        (
            click.option("--cost", is_flag=True, help="Show what the runs cost, by currency."),
            price_options.prices,
            as_of,
            rates,
            click.option(
                "--currency",
                metavar="CODE",
                help="Currency to convert to, if the rates have several.",
            ),
        )
    ):
        run = option(run)
    return run
