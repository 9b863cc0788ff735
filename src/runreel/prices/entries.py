"""The entries of a price book."""

from __future__ import annotations

from datetime import date, datetime  # noqa: TC003 - for typing.get_type_hints
from decimal import Decimal  # noqa: TC003 - for typing.get_type_hints
from typing import NamedTuple

# Services report these for requests of the usual kind.
_DEFAULT_TIERS = frozenset(("default", "standard"))


def normal_tier(tier: str | None) -> str | None:
    """Return the service tier as price books name it; None is the default tier."""
    return None if tier in _DEFAULT_TIERS else tier


class Prices(NamedTuple):
    """Prices per unit; ``cached`` and the others cost what input or output costs if None."""

    input: Decimal
    output: Decimal
    cached: Decimal | None = None
    cache_write: Decimal | None = None
    reasoning: Decimal | None = None


class ThresholdPrices(NamedTuple):
    """Prices per unit; None is the price of the entry."""

    input: Decimal | None = None
    output: Decimal | None = None
    cached: Decimal | None = None
    cache_write: Decimal | None = None
    reasoning: Decimal | None = None


class Threshold(NamedTuple):
    """The prices of requests with more than ``above`` input tokens."""

    above: int
    prices: ThresholdPrices


class PriceEntry(NamedTuple):
    """The prices of a model in a service tier, from ``valid_from`` to before ``valid_until``.

    ``model`` is a shell pattern, prices are per ``unit`` tokens, dates are UTC. ``tier`` None is
    the default tier; ``valid_from`` None is the beginning, and ``valid_until`` None has no end.
    ``line`` is the line in the book, from 1.
    """

    provider: str | None
    model: str
    tier: str | None
    unit: int
    currency: str
    valid_from: date | None
    valid_until: date | None
    prices: Prices
    thresholds: tuple[Threshold, ...] = ()
    source: str | None = None
    entered_at: datetime | None = None
    line: int = 0

    @property
    def subject(self) -> tuple[str | None, str, str | None]:
        """What the entry is about: provider, model and tier."""
        return self.provider, self.model, self.tier

    @property
    def facts(self) -> tuple[object, ...]:
        """All but where and when it was entered: entries with equal facts are the same entry."""
        return self[:9]

    def prices_for(self, input_tokens: int) -> Prices:
        """Return the prices of a request with this number of input tokens."""
        found = self.prices
        for above, prices in self.thresholds:
            if input_tokens > above:
                each = zip(self.prices, prices, strict=True)
                found = Prices._make(base if price is None else price for base, price in each)
        return found


def each_price(prices: Prices) -> tuple[Decimal, Decimal, Decimal, Decimal, Decimal]:
    """Return the prices of all kinds of tokens, in the order of the fields."""
    given, made, cached, written, reasoning = prices
    return (
        given,
        made,
        given if cached is None else cached,
        given if written is None else written,
        made if reasoning is None else reasoning,
    )
