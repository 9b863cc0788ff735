"""Budgets: what groups of runs cost, of what they may."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - for typing.get_type_hints
from decimal import Decimal  # noqa: TC003 - as above

from runreel.model.usage import PricesUsed  # noqa: TC001 - as above

# From the best to the worst; of several groups, the worst counts.
WITHIN, WARN, UNKNOWN, OVER = "within", "warn", "unknown", "over"
STATES = (WITHIN, WARN, UNKNOWN, OVER)


@dataclass(frozen=True, slots=True, weakref_slot=True)
class BudgetItem:
    """A group of runs and its ``cost`` in the currency of the budget.

    ``cost`` is of the runs whose cost is known; if there are only others, ``cost``, ``share`` and
    ``forecast`` are None. ``share`` is the part of the budget that is used, 1 being all of it.
    ``forecast`` is the cost at the end of the period if it goes on so, None without an end that is
    still to come. ``unpriced`` runs have no known cost, ``other`` ones a cost in another currency.
    ``state`` is ``within``, ``warn`` (within, but close to the budget), ``over``, or ``unknown``:
    more runs are unpriced than tolerated, and the known cost is not over.
    """

    key: tuple[str | None, ...]
    state: str
    cost: Decimal | None
    share: Decimal | None
    forecast: Decimal | None
    runs: int
    priced: int
    unpriced: int
    other: int


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Budget:
    """Groups of runs, each with a budget of ``max``; ``state`` is the worst of theirs.

    The runs started from ``since`` on and before ``until``; None is unbounded.
    """

    by: tuple[str, ...]
    items: tuple[BudgetItem, ...]
    state: str
    max: Decimal
    currency: str
    since: datetime | None
    until: datetime | None
    tz: str
    prices: PricesUsed
