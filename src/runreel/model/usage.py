"""Token usage summed over runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date  # noqa: TC003 - for typing.get_type_hints
from decimal import Decimal  # noqa: TC003 - as above


@dataclass(frozen=True, slots=True, weakref_slot=True)
class UsageTotals:
    """Token sums over ``runs`` runs, of which ``known`` reported usage; None if none did.

    ``cached`` and ``cache_write`` tokens are part of the input, ``reasoning`` tokens part of the
    completion; each is None if no run reported it.

    The last fields are those of a report with costs, else None. ``priced`` runs have a cost, and
    ``unpriced`` ones have none, as their price or their usage is unknown. ``cost`` is exact, and
    None if no run has one; so it is in totals of runs in several currencies.
    """

    runs: int = 0
    known: int = 0
    input_text_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    cached: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None
    cost: Decimal | None = None
    currency: str | None = None
    priced: int | None = None
    unpriced: int | None = None

    @property
    def unknown(self) -> int:
        """Number of runs that reported no usage."""
        return self.runs - self.known


@dataclass(frozen=True, slots=True, weakref_slot=True)
class UsageItem:
    """The totals of one group; ``key`` has one value or None for each grouping, in order.

    In a report with costs they are those of the runs in one currency, or of the unpriced runs.
    """

    key: tuple[str | None, ...]
    totals: UsageTotals


@dataclass(frozen=True, slots=True, weakref_slot=True)
class RunCost:
    """The exact cost of one run in ``currency``; without one both are None.

    ``reason`` then says why: ``no_model``, ``no_tier`` or ``no_date`` (the price book has no entry
    for the model, its service tier or the day), ``no_usage``, ``bad_usage`` (the counts contradict
    each other), ``several_currencies`` (of its model calls).
    """

    cost: Decimal | None
    currency: str | None
    reason: str | None = None


@dataclass(frozen=True, slots=True, weakref_slot=True)
class CurrencyCost:
    """The exact ``cost`` of ``runs`` runs in one currency."""

    currency: str
    cost: Decimal
    runs: int


@dataclass(frozen=True, slots=True, weakref_slot=True)
class PricesUsed:
    """The price book of a report, with its SHA-256.

    ``as_of`` is ``then`` (each run at the prices of its start) or ``now``. ``rates`` is the file
    with the exchange rates to ``currency``, used from ``rates_from`` to ``rates_until``; without
    conversions these are None. ``newest`` is the day of the newest entry of the book.
    """

    book: str
    digest: str
    as_of: str
    newest: date | None = None
    rates: str | None = None
    rates_digest: str | None = None
    currency: str | None = None
    rates_from: date | None = None
    rates_until: date | None = None


@dataclass(frozen=True, slots=True, weakref_slot=True)
class UsageReport:
    """Usage by group; ``tz`` is the time zone of its periods.

    With costs, ``costs`` are the totals by currency, and ``prices`` says what they come from.
    """

    by: tuple[str, ...]
    items: tuple[UsageItem, ...]
    totals: UsageTotals
    tz: str
    costs: tuple[CurrencyCost, ...] = ()
    prices: PricesUsed | None = None
