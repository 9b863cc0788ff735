"""The prices of a model of genai-prices, as entries of a price book."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from runreel.prices.entries import PriceEntry, Prices, Threshold, ThresholdPrices

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genai_prices.types import (
        ConditionalPrice,
        ModelInfo,
        ModelPrice,
        PriceVariant,
        Tier,
        TieredPrices,
    )

    Amount = Decimal | TieredPrices | None
    Context = dict[str, str] | None
    Dated = tuple[Prices, tuple[Threshold, ...]]

_UNIT = 1_000_000
_CURRENCY = "USD"
# In the order of the fields of Prices.
_KEYS = (
    "input_mtok",
    "output_mtok",
    "cache_read_mtok",
    "cache_write_mtok",
    "output_reasoning_mtok",
)
# A fee for each request: the tokens alone do not give the cost.
_REQUESTS = "requests_kcount"
_TIER, _DEFAULT = "service_tier", "default"
_BATCH = {"processing": "batch"}
_DAY = timedelta(days=1)


def why_left_out(model: ModelInfo) -> str | None:
    """Return why a price book cannot have the prices of a model; None if it can."""
    if any(hasattr(one.constraint, "start_time") for one in _conditions(model)):
        return "its price depends on the time of day"
    if any(_amounts(prices)[-1] is not None for prices in _all_prices(model)):
        return "it has a price for each request"
    return None


def model_entries(
    model: ModelInfo, pattern: str, provider: str, source: str | None
) -> Iterator[PriceEntry]:
    """Yield the entries of a model under a pattern: each tier, and each change of its prices."""
    for tier, context in _contexts(model):
        found = _timeline(model, context)
        for number, (start, dated) in enumerate(found):
            if dated is None:
                continue
            # A later start ends an entry, but the end of all prices has no entry.
            after = found[number + 1] if number + 1 < len(found) else None
            until = after[0] if after is not None and after[1] is None else None
            yield PriceEntry(
                provider, pattern, tier, _UNIT, _CURRENCY, start, until, *dated, source
            )


def _contexts(model: ModelInfo) -> Iterator[tuple[str | None, Context]]:
    """Yield the tiers of a model, and what selects their prices in the package."""
    yield None, None
    found = (variant.when for variant in _variants(model))
    tiers = {when[_TIER] for when in found if set(when) == {_TIER}}
    for tier in sorted(tiers - {_DEFAULT}):
        yield tier, {_TIER: tier}
    if any(variant.when == _BATCH for variant in _variants(model)):
        yield "batch", _BATCH


def _timeline(model: ModelInfo, context: Context) -> list[tuple[date | None, Dated | None]]:
    """Return the prices from each day on which they change; None where there are none."""
    days = {getattr(one.constraint, "start_date", None) for one in _conditions(model)}
    starts = sorted(day for day in days if day is not None)
    before = starts[0] - _DAY if starts else date.max
    found: list[tuple[date | None, Dated | None]] = []
    for start, day in ((None, before), *((start, start) for start in starts)):
        dated = _prices_on(model, context, day)
        if not found or found[-1][1] != dated:
            found.append((start, dated))
    return found


def _prices_on(model: ModelInfo, context: Context, day: date) -> Dated | None:
    """Return the prices on a day; None if there are none."""
    at = datetime.combine(day, time(), UTC)
    if context is not None and not any(_is_active(one, context, at) for one in _variants(model)):
        return None
    amounts = _amounts(model.get_prices(at, context))[:-1]
    given, made, *others = (_base(amount) for amount in amounts)
    if given is None or made is None:
        return None
    starts = {tier.start for amount in amounts for tier in _tiers(amount)}
    thresholds = (
        Threshold(start, ThresholdPrices(*(_above(amount, start) for amount in amounts)))
        for start in sorted(starts)
    )
    return Prices(given, made, *others), tuple(thresholds)


def _variants(model: ModelInfo) -> list[PriceVariant]:
    return model.price_variants or []


def _is_active(variant: PriceVariant, context: Context, at: datetime) -> bool:
    constraint = variant.constraint
    return variant.when == context and (constraint is None or constraint.active(at))


def _conditions(model: ModelInfo) -> list[ConditionalPrice | PriceVariant]:
    prices = model.prices if isinstance(model.prices, list) else []
    return [*prices, *_variants(model)]


def _all_prices(model: ModelInfo) -> list[ModelPrice]:
    standard = model.prices
    return [one.prices for one in standard] if isinstance(standard, list) else [standard]


def _amounts(prices: ModelPrice) -> list[Amount]:
    return [getattr(prices, key) for key in (*_KEYS, _REQUESTS)]


def _tiers(amount: Amount) -> list[Tier]:
    return [] if amount is None or isinstance(amount, Decimal) else amount.tiers


def _base(amount: Amount) -> Decimal | None:
    return amount if amount is None or isinstance(amount, Decimal) else amount.base


def _above(amount: Amount, start: int) -> Decimal | None:
    """Return the price of a request with more than ``start`` tokens, None if it is the base."""
    prices = [tier.price for tier in _tiers(amount) if tier.start <= start]
    return prices[-1] if prices else None
