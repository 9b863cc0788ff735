"""The cost of one request."""

from __future__ import annotations

from datetime import UTC, date, datetime
from fractions import Fraction
from functools import lru_cache
from math import lcm
from operator import mul
from typing import TYPE_CHECKING, NamedTuple

from runreel.prices.entries import each_price

if TYPE_CHECKING:
    from decimal import Decimal

    from runreel.prices.entries import PriceEntry, Prices
    from runreel.prices.price_book import PriceBook

NO_USAGE = "no_usage"
BAD_USAGE = "bad_usage"


class TokenCounts(NamedTuple):
    """The tokens of one request; None is not reported.

    ``input`` includes ``cached`` and ``cache_write``, and ``output`` includes ``reasoning``.
    """

    input: int | None
    output: int | None
    cached: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None


class Tokens(NamedTuple):
    """The tokens of one request by what they cost; the kinds do not overlap."""

    input: int
    output: int
    cached: int
    cache_write: int
    reasoning: int


class CostPart(NamedTuple):
    """``tokens`` of one kind at ``price`` per unit of the entry; ``cost`` is exact."""

    kind: str
    tokens: int
    price: Decimal
    cost: Fraction


class Cost(NamedTuple):
    """The exact cost of a request in ``currency``, and the entry and book that it comes from.

    ``prices`` are those of the entry, or of its threshold that the request exceeds.
    """

    amount: Fraction
    currency: str
    tokens: Tokens
    prices: Prices
    entry: PriceEntry
    book: PriceBook

    @property
    def parts(self) -> tuple[CostPart, ...]:
        """The parts of the cost, by kind of tokens; they add up to ``amount``."""
        each = zip(Tokens._fields, self.tokens, each_price(self.prices), strict=True)
        return tuple(
            CostPart(kind, tokens, price, Fraction(price) * tokens / self.entry.unit)
            for kind, tokens, price in each
        )


class Unpriced(NamedTuple):
    """Why a request has no cost: a reason of ``price_book.Found``, or one about its usage.

    ``no_usage``: the input or output tokens are unknown; ``bad_usage``: the counts contradict each
    other.
    """

    reason: str


def price_of(
    book: PriceBook,
    counts: TokenCounts | None,
    model: str | None,
    tier: str | None,
    at: datetime | date,
) -> Cost | Unpriced:
    """Return the cost of a request, or why it has none; never 0 for what is unknown.

    ``at`` is the time of the request; its UTC day counts. Cached, cache-write and reasoning tokens
    that are not reported are part of the others and cost what these cost.
    """
    if counts is None or counts.input is None or counts.output is None:
        return Unpriced(NO_USAGE)
    cached, written, reasoning = (count or 0 for count in counts[2:])
    plain = counts.input - cached - written, counts.output - reasoning
    if min(*plain, cached, written, reasoning) < 0:
        return Unpriced(BAD_USAGE)
    found = book.find(model, tier, _day(at))
    if found.entry is None or found.book is None:
        return Unpriced(str(found.reason))
    tokens = Tokens(*plain, cached, written, reasoning)
    prices = found.entry.prices_for(counts.input)
    scaled, scale = _scaled(prices, found.entry.unit)
    amount = Fraction(sum(map(mul, tokens, scaled)), scale)
    return Cost(amount, found.entry.currency, tokens, prices, found.entry, found.book)


def decimal_text(amount: Fraction) -> str:
    """Return an exact amount as the shortest decimal string; ``Fraction`` reads it.

    Raises:
        ValueError: if it has no exact decimal form, which no cost is.
    """
    rest, digits = amount.denominator, 0
    for prime in (2, 5):
        power = 0
        while rest % prime == 0:
            rest, power = rest // prime, power + 1
        digits = max(digits, power)
    if rest != 1:
        raise ValueError(f"{amount} has no exact decimal form")
    whole, part = divmod(abs(amount.numerator) * 10**digits // amount.denominator, 10**digits)
    sign = "-" if amount < 0 else ""
    return f"{sign}{whole}.{part:0{digits}d}" if digits else f"{sign}{whole}"


@lru_cache(maxsize=4096)
def _scaled(prices: Prices, unit: int) -> tuple[tuple[int, ...], int]:
    """Return the prices of each kind of tokens as whole numbers, and what to divide costs by."""
    fractions = [Fraction(price) for price in each_price(prices)]
    scale = lcm(*(price.denominator for price in fractions))
    return tuple(int(price * scale) for price in fractions), scale * unit


def _day(at: datetime | date) -> date:
    if not isinstance(at, datetime):
        return at
    # A time without a zone is UTC, as everywhere in the log.
    return at.date() if at.tzinfo in (None, UTC) else at.astimezone(UTC).date()
