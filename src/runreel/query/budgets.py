"""Budgets: compares what runs cost with what they may cost."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal, DecimalException
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

from runreel.model.budget import OVER, STATES, UNKNOWN, WARN, WITHIN, Budget, BudgetItem
from runreel.model.errors import UsageError
from runreel.model.run_filter import run_filter
from runreel.prices.currencies import CURRENCIES
from runreel.query import costs, run_pricing
from runreel.system.zones import zone

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from runreel.model.run_filter import Filters
    from runreel.query.run_pricing import Pricing
    from runreel.store.database import Database

# What forecasts are rounded to, from 1 on and below.
_CENT, _SMALL = Decimal("0.01"), Decimal("0.000001")
_TIMES = ("since", "until", "on")
_limit = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?)(%?)").fullmatch


class Limits(NamedTuple):
    """What a group may cost, the share of it from which to warn, and how many runs may be unknown.

    ``tolerate`` is a number of runs, or a share of the runs of the group if ``tolerate_share``.
    """

    max: Fraction
    currency: str
    warn: Fraction | None = None
    tolerate: Fraction = Fraction()
    tolerate_share: bool = False


@dataclass(slots=True)
class _Group:
    cost: Fraction = field(default_factory=Fraction)
    runs: int = 0
    priced: int = 0
    unpriced: int = 0
    other: int = 0


def limits(
    amount: Decimal | int | str, currency: str, warn: str | None, tolerate: str | int
) -> Limits:
    """Check the limits of a budget: ``warn`` is as ``80%``, ``tolerate`` as ``3`` or ``1%``.

    Raises:
        UsageError: if one is invalid.
    """
    try:
        most = Decimal(amount)
    except (DecimalException, ValueError):
        most = Decimal("NaN")
    if not most.is_finite() or most < 0:
        raise UsageError(f"invalid amount {str(amount)!r}", hint="Write a number such as 500.00.")
    if currency not in CURRENCIES:
        raise UsageError(
            f"unknown currency {currency!r}", hint="Use a code of ISO 4217 such as USD or RUB."
        )
    share = None if warn is None else _number("warn", warn, percent=True)
    few, is_share = _number("tolerate", str(tolerate), percent=None)
    return Limits(Fraction(most), currency, share and share[0], few, is_share)


def _number(name: str, text: str, *, percent: bool | None) -> tuple[Fraction, bool]:
    found = _limit(text)
    if found is None or (percent and not found[2]) or (not found[2] and "." in found[1]):
        example = "80%" if percent else "3 or 1%"
        raise UsageError(f"invalid {name} {text!r}", hint=f"Write it as {example}.")
    number = Fraction(found[1])
    return (number / 100, True) if found[2] else (number, False)


def check(  # noqa: PLR0913 - parts of the report
    database: Database,
    limits_: Limits,
    by: Sequence[str],
    filters: Filters,
    pricing: Pricing,
    *,
    tz: str | None,
    now: datetime,
) -> Budget:
    """Compare the cost of each group with the budget; by default, of the month of ``now``.

    Raises:
        UsageError: if a grouping, the time zone or a filter is invalid.
        BadPrices: if the exchange rate of a day is missing.
    """
    time_zone, _ = zone(tz)
    if all(filters.get(name) is None for name in _TIMES):
        filters = {**filters, "on": "this-month"}
    within = run_filter(filters, now=now, zone=time_zone)
    if pricing.rates is not None:
        pricing = pricing._replace(currency=limits_.currency)
    report = costs.report(database, by, filters, pricing, tz=tz, now=now)
    groups: defaultdict[tuple[Any, ...], _Group] = defaultdict(_Group)
    if not by:
        groups[()] = _Group()
    for item in report.items:
        _add(groups[item.key], item.totals, limits_.currency)
    factor = _left(within.since, within.until, now)
    items = tuple(_item(key, group, limits_, factor) for key, group in groups.items())
    worst = max((item.state for item in items), key=STATES.index, default=WITHIN)
    assert report.prices is not None  # noqa: S101 - the report has costs
    return Budget(
        tuple(by),
        items,
        worst,
        run_pricing.decimal(limits_.max),
        limits_.currency,
        within.since,
        within.until,
        report.tz,
        report.prices,
    )


def _add(group: _Group, totals: Any, currency: str) -> None:
    group.runs += totals.runs
    group.unpriced += totals.unpriced
    if totals.currency == currency:
        group.cost += Fraction(totals.cost)
        group.priced += totals.runs
    elif totals.currency is not None:
        group.other += totals.runs


def _left(since: datetime | None, until: datetime | None, now: datetime) -> Fraction | None:
    """Return what to multiply costs by for the whole period; None if its end is not to come."""
    if since is None or until is None or not since < now < until:
        return None
    return Fraction((until - since) / (now - since))


def _item(
    key: tuple[Any, ...], group: _Group, limits_: Limits, factor: Fraction | None
) -> BudgetItem:
    tolerated = limits_.tolerate * (group.runs if limits_.tolerate_share else 1)
    share = group.cost / limits_.max if limits_.max else Fraction(int(group.cost > 0))
    if group.cost > limits_.max:
        state = OVER
    elif group.unpriced > tolerated:
        state = UNKNOWN
    elif limits_.warn is not None and share >= limits_.warn:
        state = WARN
    else:
        state = WITHIN
    known = group.priced > 0 or group.unpriced == 0
    return BudgetItem(
        key,
        state,
        run_pricing.decimal(group.cost) if known else None,
        _rounded(share, Decimal("0.0001")) if known else None,
        _forecast(group.cost * factor) if known and factor is not None else None,
        group.runs,
        group.priced,
        group.unpriced,
        group.other,
    )


def _forecast(cost: Fraction) -> Decimal:
    return _rounded(cost, _SMALL if 0 < cost < 1 else _CENT)


def _rounded(number: Fraction, unit: Decimal) -> Decimal:
    return Decimal(round(number / Fraction(unit))) * unit
