"""One number of each group of a usage report."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from runreel.cli.render import tables
from runreel.prices.pricing import decimal_text

if TYPE_CHECKING:
    from runreel.model.usage import UsageItem


class Measured(NamedTuple):
    """The exact value of a group, None if it is unknown; ``unit`` is the currency of a cost."""

    key: tuple[str | None, ...]
    value: Fraction | None
    unit: str | None


def measured(item: UsageItem, measure: str) -> Measured:
    """Return the value of a group: its ``runs``, ``total`` tokens or ``cost``."""
    totals = item.totals
    if measure == "cost":
        cost = None if totals.cost is None else Fraction(totals.cost)
        # A period without runs costs nothing.
        return Measured(item.key, cost if totals.runs else Fraction(), totals.currency)
    value = totals.runs if measure == "runs" else totals.total_tokens
    return Measured(item.key, None if value is None else Fraction(value), None)


def amount(one: Measured) -> str:
    """The value as people read it, with its currency."""
    if one.value is None:
        return tables.UNKNOWN
    whole, dot, part = decimal_text(one.value).partition(".")
    text = f"{int(whole):,}{dot}{part}"
    return text if one.unit is None else f"{text} {one.unit}"
