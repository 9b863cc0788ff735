"""The price book of a command."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pathlib import Path

    from runreel.prices.price_book import PriceBook

prices = click.option(
    "--prices",
    type=click.Path(exists=True, dir_okay=False),
    metavar="BOOK",
    help="Price book to use. Default: your own one, then the package genai-prices.",
)


def price_book(path: str | Path | None) -> PriceBook:
    """Return the price book in a file; None is the own one, and then the installed snapshot.

    Raises:
        UsageError: if it cannot be read, or the configuration is not valid.
        BadPrices: if a line of it is not valid.
    """
    from runreel.cli import configuration
    from runreel.query import price_books

    if path is not None:
        return price_books.load(path)
    return price_books.default(configuration.own_price_book())
