"""Usage reports with costs: a group for each currency, and one for what has no price."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

from runreel.model.usage import CurrencyCost, UsageItem, UsageReport, UsageTotals
from runreel.prices.pricing import decimal_text
from runreel.projection.usage_periods import sum_groups

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from runreel.model.usage import PricesUsed
    from runreel.projection.run_costs import PricedRun, RunUsage

    # The values of a run's groups, with its currency last.
    Group = tuple[Any, ...]


class GroupCost(NamedTuple):
    """The usage and the exact cost of the runs of one group in one currency.

    ``key`` has the values of the group as ``usage_periods.sum_groups`` takes them. Without a
    currency they have no cost. ``counts`` are the first fields of ``UsageTotals``.
    """

    key: tuple[Any, ...]
    currency: str | None
    counts: Sequence[int | None]
    amount: Fraction | None


class CostSums:
    """Adds up the costs of runs by group, exactly."""

    def __init__(self) -> None:
        self._counts: dict[Group, list[int | None]] = {}
        # By denominator, as sums of fractions with equal ones are sums of integers.
        self._amounts: defaultdict[Group, defaultdict[int, int]]
        self._amounts = defaultdict(lambda: defaultdict(int))

    def add(self, key: tuple[Any, ...], run: RunUsage, total: int | None, cost: PricedRun) -> None:
        """Add a run; ``total`` are its total tokens."""
        group = (*key, cost.currency)
        counts = self._counts.setdefault(group, [0, 0, *[None] * 6])
        counts[0] = (counts[0] or 0) + 1
        if cost.amount is not None:
            self._amounts[group][cost.amount.denominator] += cost.amount.numerator
        if run.counts is None:
            return
        given, made, *details = run.counts
        _add(counts, (0, 1, given, made, total, *details))

    def add_group(self, group: GroupCost) -> None:
        """Add the sums of a group."""
        key = (*group.key, group.currency)
        counts = self._counts.setdefault(key, [0, 0, *[None] * 6])
        _add(counts, group.counts)
        if group.amount is not None:
            self._amounts[key][group.amount.denominator] += group.amount.numerator

    def add_decimal(
        self,
        key: tuple[Any, ...],
        currency: str | None,
        counts: Iterable[int | None],
        number: int | None,
        digits: int,
    ) -> None:
        """Add the sums of a group, whose amount is ``number`` / 10 ** ``digits``."""
        group = (*key, currency)
        _add(self._counts.setdefault(group, [0, 0, *[None] * 6]), counts)
        if number is not None:
            self._amounts[group][10**digits] += number

    def groups(self) -> Iterator[GroupCost]:
        """Yield the groups so far."""
        for (*key, currency), counts in self._counts.items():
            amounts = self._amounts.get((*key, currency))
            parts = (Fraction(*reversed(part)) for part in (amounts or {}).items())
            amount = None if currency is None else sum(parts, Fraction())
            yield GroupCost(tuple(key), currency, counts, amount)


def _add(sums: list[int | None], counts: Iterable[int | None]) -> None:
    for index, count in enumerate(counts):
        if count is not None:
            sums[index] = (sums[index] or 0) + count


def report(
    by: Sequence[str], groups: Iterable[GroupCost], *, tz_name: str, prices: PricesUsed
) -> UsageReport:
    """Build a report; groups of the same key and currency are summed."""
    rows = (((*one.key, one.currency), (*one.counts, one.amount)) for one in groups)
    found = sum_groups(by, rows)
    items = tuple(UsageItem(key[:-1], _totals(sums, key[-1])) for key, sums in found)
    by_currency = sum_groups((), ((key[-1:], sums) for key, sums in found))
    costs = tuple(
        CurrencyCost(currency, _decimal(sums[-1]), sums[0])
        for (currency,), sums in by_currency
        if currency is not None
    )
    return UsageReport(tuple(by), items, _whole(by_currency, costs), tz_name, costs, prices)


def _whole(
    by_currency: Iterable[tuple[Group, list[Any]]], costs: Sequence[CurrencyCost]
) -> UsageTotals:
    """Return the totals of all runs, with the cost if it is in one currency."""
    total = sum_groups((), (((), sums[:-1]) for _, sums in by_currency))
    counts = total[0][1] if total else [0, 0]
    priced = sum(one.runs for one in costs)
    cost, currency = (costs[0].cost, costs[0].currency) if len(costs) == 1 else (None, None)
    unpriced = counts[0] - priced
    return replace(
        UsageTotals(*counts), cost=cost, currency=currency, priced=priced, unpriced=unpriced
    )


def _totals(sums: Sequence[Any], currency: str | None) -> UsageTotals:
    *counts, amount = sums
    if currency is None:
        return replace(UsageTotals(*counts), priced=0, unpriced=counts[0])
    cost = _decimal(amount)
    return replace(UsageTotals(*counts), cost=cost, currency=currency, priced=counts[0], unpriced=0)


def _decimal(amount: Fraction) -> Decimal:
    return Decimal(decimal_text(amount))
