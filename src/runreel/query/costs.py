"""What runs cost: by group, and each of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from runreel.codec import json_text
from runreel.model.errors import BadPrices, UsageError
from runreel.model.results import CallUsage
from runreel.model.run_filter import run_filter
from runreel.model.timestamps import from_micros
from runreel.model.usage import PricesUsed, RunCost
from runreel.prices.price_book import newest_day
from runreel.prices.pricing import TokenCounts, decimal_text
from runreel.projection import cost_report, period_names, usage_periods
from runreel.projection.cost_report import CostSums, GroupCost
from runreel.projection.run_costs import RunUsage, cost_of, usage_of
from runreel.query import price_books
from runreel.query.runs import with_stale
from runreel.store.events import damage
from runreel.store.projections import usage_queries
from runreel.store.schema import migrations
from runreel.system.zones import zone

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Sequence
    from fractions import Fraction

    from runreel.model.run_filter import Filters
    from runreel.model.runs import RunSummary
    from runreel.model.usage import UsageReport
    from runreel.prices.exchange_rates import ExchangeRates
    from runreel.prices.price_book import PriceBook
    from runreel.projection.run_costs import PricedRun
    from runreel.store.database import Database

THEN, NOW = "then", "now"
# The columns of ``runs`` that decide its cost.
_COLUMNS = (
    *("started_at", "model", "billed_model", "service_tier", "call_usage", "total_tokens"),
    *("input_text_tokens", "completion_tokens"),
    *("cached_tokens", "cache_write_tokens", "reasoning_tokens"),
)
_WIDTH = len(_COLUMNS)


class Pricing(NamedTuple):
    """How to price runs: at the prices of their start (``then``) or of today (``now``).

    With ``rates``, costs are converted to ``currency`` (None: the only one that it converts to).
    """

    book: PriceBook
    as_of: str = THEN
    rates: ExchangeRates | None = None
    currency: str | None = None

    def day(self, started_at: int) -> date:
        """Return the UTC day whose prices a run has that started at this time, in µs."""
        moment = datetime.now(UTC) if self.as_of == NOW else from_micros(started_at)
        return moment.date()

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


def report(
    database: Database,
    by: Sequence[str],
    filters: Filters,
    pricing: Pricing,
    *,
    tz: str | None,
) -> UsageReport:
    """Return usage and exact costs of the selected runs, by group and currency.

    Raises:
        UsageError: if a grouping, the time zone or a filter is invalid.
        BadPrices: if the exchange rate of a day is missing.
    """
    time_zone, zone_name = zone(tz)
    selected = run_filter(filters, now=datetime.now(UTC), zone=time_zone)
    columns = [usage_periods.column_of(item) for item in by if item not in usage_periods.TIMES]
    sums, offsets = CostSums(), None
    target = pricing.target
    with database.reading() as connection, damage.snapshot(connection):
        migrations.require_projections(connection)
        selected = with_stale(connection, selected)
        if any(grouping in usage_periods.TIMES for grouping in by):
            days = usage_queries.days(connection, selected)
            offsets = usage_periods.utc_offsets(time_zone, days)
        by_hour = period_names.HOUR in by
        for row in usage_queries.each_run(
            connection, _COLUMNS, columns, selected, utc_offsets=offsets, by_hour=by_hour
        ):
            run, total = _usage(row[-_WIDTH:])
            key = row[:-_WIDTH]
            if by_hour:
                key = (period_names.hour_of(key[0], time_zone), *key[1:])
            if target is not None:
                # Each day has a rate of its own.
                key = (*key, from_micros(run.started_at).date())
            sums.add(key, run, total, pricing.cost(run))
    groups: Iterable[GroupCost] = sums.groups()
    prices = _prices(pricing)
    if target is not None:
        groups, prices = _converted(groups, pricing, target, prices)
    return cost_report.report(by, groups, tz_name=zone_name, prices=prices)


def pricing_of(
    book: PriceBook,
    *,
    as_of: str = THEN,
    rates: str | os.PathLike[str] | None = None,
    currency: str | None = None,
) -> Pricing:
    """Return how to price runs; ``rates`` is a file of exchange rates.

    Raises:
        UsageError: if the file cannot be read, or ``as_of`` is invalid.
        BadPrices: if a line of it is not valid.
    """
    if as_of not in (THEN, NOW):
        raise UsageError(f"invalid as_of {as_of!r}", hint="Choose from then, now.")
    found = None if rates is None else price_books.rates(rates)
    return Pricing(book, as_of, found, currency)


def cost(pricing: Pricing, run: RunSummary) -> RunCost:
    """Return the cost of one run, not converted."""
    found = pricing.cost(usage_of(run))
    amount = None if found.amount is None else decimal(found.amount)
    return RunCost(amount, found.currency, found.reason)


def decimal(amount: Fraction) -> Decimal:
    """Return an exact amount as an exact decimal."""
    return Decimal(decimal_text(amount))


def _usage(row: Sequence[Any]) -> tuple[RunUsage, int | None]:
    """Return what decides the cost of a run, and its total tokens, of a row of ``_COLUMNS``."""
    started_at, model, billed, tier, calls, total, *counts = row
    each = () if calls is None else msgspec.convert(json_text.loads(calls), tuple[CallUsage, ...])
    known = None if total is None else TokenCounts(*counts)
    return RunUsage(started_at, billed or model, tier, known, each), total


def _prices(pricing: Pricing) -> PricesUsed:
    book = pricing.book
    return PricesUsed(book.name, book.digest, pricing.as_of, newest_day(book.entries))


def _converted(
    groups: Iterable[GroupCost], pricing: Pricing, target: str, prices: PricesUsed
) -> tuple[list[GroupCost], PricesUsed]:
    """Convert the costs of groups, whose keys end with a UTC day, with the rate of that day.

    Raises:
        BadPrices: if a rate is missing.
    """
    rates = pricing.rates
    assert rates is not None  # noqa: S101 - there is a target
    found: list[GroupCost] = []
    days: set[date] = set()
    missing: set[str] = set()
    for *key, currency, counts, amount in ((*one.key, *one[1:]) for one in groups):
        day: date = key.pop()
        if currency is None or amount is None or currency == target:
            found.append(GroupCost(tuple(key), currency, counts, amount))
            continue
        rate = rates.rate(currency, target, day)
        if rate is None:
            missing.add(rates.why_missing(currency, target, day).removeprefix(f"{rates.name}: "))
            continue
        days.add(day)
        found.append(GroupCost(tuple(key), target, counts, amount * rate))
    if missing:
        raise BadPrices(rates.name, tuple(sorted(missing)), hint="Add the rates of these days.")
    first, last = (min(days), max(days)) if days else (None, None)
    return found, replace(
        prices,
        rates=rates.name,
        rates_digest=rates.digest,
        currency=target,
        rates_from=first,
        rates_until=last,
    )
