"""The cost of a run: its usage at the prices of one day, by model call where these are known."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from runreel.model.results import UsageDetails
from runreel.model.timestamps import to_micros
from runreel.prices.pricing import Cost, TokenCounts, price_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from runreel.model.results import CallUsage
    from runreel.model.runs import RunSummary
    from runreel.prices.price_book import PriceBook

SEVERAL_CURRENCIES = "several_currencies"


class RunUsage(NamedTuple):
    """What decides the cost of a run: ``started_at`` is in µs, ``model`` is the billed one."""

    started_at: int
    model: str | None
    service_tier: str | None
    counts: TokenCounts | None
    calls: tuple[CallUsage, ...] = ()


class PricedRun(NamedTuple):
    """The exact cost of a run in ``currency``; without one both are None, and ``reason`` says why.

    Reasons are those of ``prices.pricing.Unpriced``, and ``several_currencies``.
    """

    amount: Fraction | None
    currency: str | None
    reason: str | None = None


def usage_of(run: RunSummary) -> RunUsage:
    """Return what decides the cost of a run."""
    details = run.usage_details or UsageDetails()
    counts = None
    if run.usage is not None:
        counts = TokenCounts(
            run.usage.input_text_tokens,
            run.usage.completion_tokens,
            details.cached_tokens,
            details.cache_write_tokens,
            details.reasoning_tokens,
        )
    model = run.billed_model or run.model
    started_at = to_micros(run.started_at)
    return RunUsage(started_at, model, run.service_tier, counts, run.call_usage)


def cost_of(book: PriceBook, run: RunUsage, day: date) -> PricedRun:
    """Return the cost of a run at the prices of a UTC day.

    Thresholds count for each model call. A run has no cost if one of its calls has none.
    """
    amounts: defaultdict[str, Fraction] = defaultdict(Fraction)
    for model, tier, counts in _requests(run):
        found = price_of(book, counts, model, tier, day)
        if not isinstance(found, Cost):
            return PricedRun(None, None, found.reason)
        amounts[found.currency] += found.amount
    if len(amounts) > 1:
        return PricedRun(None, None, SEVERAL_CURRENCIES)
    ((currency, amount),) = amounts.items()
    return PricedRun(amount, currency)


def _requests(run: RunUsage) -> Iterable[tuple[str | None, str | None, TokenCounts | None]]:
    if not run.calls:
        return [(run.model, run.service_tier, run.counts)]
    return [
        (call.model or run.model, call.service_tier, TokenCounts(*call[2:])) for call in run.calls
    ]
