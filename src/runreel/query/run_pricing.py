"""How runs are priced, and what decides the cost of a run."""

from __future__ import annotations

from datetime import UTC, date
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from runreel.codec import json_text
from runreel.model.errors import UsageError
from runreel.model.results import CallUsage
from runreel.model.timestamps import from_micros
from runreel.model.usage import RunCost
from runreel.prices.pricing import TokenCounts, decimal_text
from runreel.projection.run_costs import RunUsage, cost_of, usage_of
from runreel.query import price_books

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence
    from datetime import datetime
    from fractions import Fraction

    from runreel.model.runs import RunSummary
    from runreel.prices.exchange_rates import ExchangeRates
    from runreel.prices.price_book import PriceBook
    from runreel.projection.run_costs import PricedRun

THEN, NOW = "then", "now"
# The columns of ``runs`` that decide its cost.
COLUMNS = (
    *("started_at", "model", "billed_model", "service_tier", "call_usage", "total_tokens"),
    *("input_text_tokens", "completion_tokens"),
    *("cached_tokens", "cache_write_tokens", "reasoning_tokens"),
)


class Pricing(NamedTuple):
    """How to price runs: at the prices of their start (``then``) or of today (``now``).

    ``today`` is a UTC day. With ``rates``, costs are converted to ``currency`` (None: the only one
    that it converts to).
    """

    book: PriceBook
    today: date
    as_of: str = THEN
    rates: ExchangeRates | None = None
    currency: str | None = None

    def day(self, started_at: int) -> date:
        """Return the UTC day whose prices a run has that started at this time, in µs."""
        return self.today if self.as_of == NOW else from_micros(started_at).date()

    def cost(self, run: RunUsage) -> PricedRun:
        """Return the cost of a run, not converted."""
        return cost_of(self.book, run, self.day(run.started_at))

    @property
    def target(self) -> str | None:
        """The currency to convert to, None without rates.

        Raises:
            UsageError: if the rates convert to several, and none is named.
        """
        if self.rates is None:
            return None
        targets = sorted(self.rates.targets)
        if self.currency is None and len(targets) != 1:
            raise UsageError(
                f"{self.rates.name} converts to {', '.join(targets) or 'no currency'}",
                hint="Name one of them as the currency.",
            )
        return self.currency or targets[0]


def pricing_of(
    book: PriceBook,
    *,
    as_of: str = THEN,
    rates: str | os.PathLike[str] | None = None,
    currency: str | None = None,
    now: datetime,
) -> Pricing:
    """Return how to price runs; ``rates`` is a file of exchange rates.

    Raises:
        UsageError: if the file cannot be read, or ``as_of`` is invalid.
        BadPrices: if a line of it is not valid.
    """
    if as_of not in (THEN, NOW):
        raise UsageError(f"invalid as_of {as_of!r}", hint="Choose from then, now.")
    found = None if rates is None else price_books.rates(rates)
    return Pricing(book, now.astimezone(UTC).date(), as_of, found, currency)


def cost(pricing: Pricing, run: RunSummary) -> RunCost:
    """Return the cost of one run, not converted."""
    found = pricing.cost(usage_of(run))
    amount = None if found.amount is None else decimal(found.amount)
    return RunCost(amount, found.currency, found.reason)


def decimal(amount: Fraction) -> Decimal:
    """Return an exact amount as an exact decimal."""
    return Decimal(decimal_text(amount))


def usage_of_row(row: Sequence[Any]) -> tuple[RunUsage, int | None]:
    """Return what decides the cost of a run, and its total tokens, of values of ``COLUMNS``."""
    started_at, model, billed, tier, calls, total, *counts = row
    each = () if calls is None else msgspec.convert(json_text.loads(calls), tuple[CallUsage, ...])
    known = None if total is None else TokenCounts(*counts)
    return RunUsage(started_at, billed or model, tier, known, each), total
