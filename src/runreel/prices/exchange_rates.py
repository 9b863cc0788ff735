"""Exchange rates by day, from a file of JSON lines."""

from __future__ import annotations

import hashlib
from bisect import bisect
from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from runreel.model.errors import BadPrices
from runreel.prices import fields, json_lines
from runreel.prices.fields import Fields
from runreel.prices.json_lines import BadFields, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Pair = tuple[str, str]

RATE_KEYS = ("from", "to", "date", "rate")
_DAY = timedelta(days=1)


class ExchangeRate(NamedTuple):
    """One unit of ``source`` is ``rate`` units of ``target`` on the UTC day ``day``."""

    source: str
    target: str
    day: date
    rate: Decimal
    line: int = 0


class ExchangeRates:
    """Rates by pair of currencies and day; ``digest`` is the SHA-256 of the file.

    A rate is that of its day only, and of its direction only.
    """

    def __init__(self, name: str, rates: Iterable[ExchangeRate], digest: str) -> None:
        self.name = name
        self.digest = digest
        self._rates = _by_pair(rates)
        self._by_day = {
            (pair, one.day): one.rate for pair, days in self._rates.items() for one in days
        }

    @property
    def targets(self) -> frozenset[str]:
        """The currencies to which there are rates."""
        return frozenset(target for _, target in self._rates)

    def rate(self, source: str, target: str, day: date) -> Fraction | None:
        """Return what one unit of ``source`` is in ``target`` on a day; None if it is not given."""
        if source == target:
            return Fraction(1)
        found = self._by_day.get(((source, target), day))
        return None if found is None else Fraction(found)

    def why_missing(self, source: str, target: str, day: date) -> str:
        """Return what the file lacks for a rate that is not given; it names the line before."""
        days = self._rates.get((source, target), [])
        before = bisect(days, day, key=lambda one: one.day)
        after = f", after line {days[before - 1].line}" if before else ""
        return f"{self.name}: no rate from {source} to {target} for {day}{after}"


def read_rate(value: dict[str, object], line: int) -> ExchangeRate:
    """Convert the object of a line to a rate.

    Raises:
        BadFields: if it is not valid.
    """
    found = Fields(value, RATE_KEYS)
    rate = ExchangeRate(
        found.required("from", fields.currency, ""),
        found.required("to", fields.currency, ""),
        found.required("date", fields.day, date.min),
        found.required("rate", _rate, Decimal(1)),
        line,
    )
    if not found.problems and rate.source == rate.target:
        found.problems.append("`from` and `to` are the same currency")
    found.finish()
    return rate


def read_rates(name: str, data: bytes) -> ExchangeRates:
    """Parse the JSON lines of a file called ``name``.

    Raises:
        BadPrices: if a line is not valid, or a rate is given twice; it has all problems.
    """
    rates, problems = parse_rates(data)
    if problems:
        raise BadPrices(name, tuple(map(str, problems)))
    return ExchangeRates(name, rates, hashlib.sha256(data).hexdigest())


def parse_rates(data: bytes) -> tuple[list[ExchangeRate], list[Problem]]:
    """Parse the JSON lines of a file of rates; return its rates, and all problems by line."""
    rates, problems = json_lines.parse(data, read_rate)
    for days in _by_pair(rates).values():
        for one, after in pairwise(days):
            if one.day == after.day:
                which = f"the rate from {one.source} to {one.target} of {one.day}"
                problems.append(Problem(after.line, f"gives {which} again, as line {one.line}"))
    return rates, sorted(problems)


def gaps(rates: Iterable[ExchangeRate]) -> list[Problem]:
    """Return the days without a rate, between the first and the last one of each pair.

    A problem names the line of the first rate after the gap.
    """
    found = []
    for (source, target), days in _by_pair(rates).items():
        for one, after in pairwise(days):
            first, last = one.day + _DAY, after.day - _DAY
            if first <= last:
                which = f"{first}" if first == last else f"{first} to {last}"
                gap = f"no rate from {source} to {target} for {which}, after line {one.line}"
                found.append(Problem(after.line, gap))
    return sorted(found)


def _by_pair(rates: Iterable[ExchangeRate]) -> dict[Pair, Sequence[ExchangeRate]]:
    pairs: defaultdict[Pair, list[ExchangeRate]] = defaultdict(list)
    for one in rates:
        pairs[one.source, one.target].append(one)
    return {
        pair: sorted(found, key=lambda one: (one.day, one.line)) for pair, found in pairs.items()
    }


def _rate(key: str, value: object) -> Decimal:
    rate = fields.decimal(key, value)
    if not rate:
        raise BadFields(f"`{key}` is 0")
    return rate
