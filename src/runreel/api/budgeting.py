"""The part of a ``Reel`` that says what runs cost, and may cost."""

from __future__ import annotations

# Types of signatures are imported at run time because `checked` resolves them.
# ruff: noqa: TC001, TC003
import os
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Unpack

from runreel.model.arguments import checked
from runreel.model.budget import Budget
from runreel.model.run_filter import Filters
from runreel.model.runs import Difference
from runreel.store.database import Database
from runreel.system import wall_clock


class BudgetMixin:
    """Compares costs with budgets."""

    db: Database

    @checked
    def budget(  # noqa: PLR0913 - options of the budget
        self,
        amount: Decimal | int | str,
        currency: str,
        by: str | Sequence[str] = (),
        *,
        warn: str | None = None,
        tolerate: int | str = 0,
        tz: str | None = None,
        prices: str | os.PathLike[str] | None = None,
        as_of: str = "then",
        rates: str | os.PathLike[str] | None = None,
        **filters: Unpack[Filters],
    ) -> Budget:
        """Compare what runs cost with a budget: ``state`` of the result is the worst of its groups.

        Each group of ``by`` may cost ``amount`` in ``currency``; without groups, all runs together.
        Without ``since``, ``until`` and ``on`` they are the runs of this month. ``warn`` is a share
        such as ``"80%"``. ``tolerate`` is how many runs of a group may have no known cost: a number
        or a share such as ``"1%"``. The other arguments are those of ``usage``.

        Raises:
            UsageError: if an argument is invalid, or a file cannot be read.
            BadPrices: if a line of a file is not valid, or the exchange rate of a day is missing.
        """
        from runreel.query import budgets, price_books, run_pricing

        limits = budgets.limits(amount, currency, warn, tolerate)
        book, now = price_books.load(prices), wall_clock.now()
        pricing = run_pricing.pricing_of(book, as_of=as_of, rates=rates, now=now)
        groups = (by,) if isinstance(by, str) else tuple(by)
        return budgets.check(self.db, limits, groups, filters, pricing, tz=tz, now=now)

    @checked
    def rebuild_costs(
        self,
        *,
        prices: str | os.PathLike[str] | None = None,
        check: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> list[Difference]:
        """Store what all runs cost at the prices of a book; return what was stored wrongly before.

        Reports on many runs then take little time, and add the costs of new runs by themselves.
        With ``check`` nothing is changed. ``progress`` receives the runs done and the total.

        Raises:
            UsageError: if the price book cannot be read.
            BadPrices: if a line of it is not valid.
            LogError: if the log cannot be written.
        """
        from runreel.query import price_books, run_pricing, stored_costs

        pricing = run_pricing.pricing_of(price_books.load(prices), now=wall_clock.now())
        found = stored_costs.rebuilt(self.db, pricing, check_only=check, progress=progress)
        return list(found)
