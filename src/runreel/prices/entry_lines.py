"""The entries of a price book as JSON lines."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING

from runreel.model.timestamps import rfc3339
from runreel.prices import fields
from runreel.prices.entries import PriceEntry, Prices, Threshold, ThresholdPrices, normal_tier
from runreel.prices.fields import Fields
from runreel.prices.json_lines import BadFields

if TYPE_CHECKING:
    from collections.abc import Iterable

KEYS = (
    "provider",
    "model",
    "tier",
    "unit",
    "currency",
    "valid_from",
    "valid_until",
    "input",
    "output",
    "cached",
    "cache_write",
    "reasoning",
    "thresholds",
    "source",
    "entered_at",
)
# What `runreel prices list` adds; ignored, so that its lines are lines of a price book.
_PLACE = ("book", "line")
_ABOVE = "above"
_ZERO = Decimal(0)


def read_entry(value: dict[str, object], line: int) -> PriceEntry:
    """Convert the object of a line to an entry.

    Raises:
        BadFields: if it is not valid.
    """
    found = Fields(value, (*KEYS, *_PLACE))
    # Without a date, today's prices would become those of all earlier runs.
    found.given("valid_from")
    entry = PriceEntry(
        provider=found.optional("provider", fields.text),
        model=found.required("model", fields.text, ""),
        tier=normal_tier(found.optional("tier", fields.text)),
        unit=found.required("unit", _unit, 1),
        currency=found.required("currency", fields.currency, ""),
        valid_from=found.optional("valid_from", fields.day),
        valid_until=found.optional("valid_until", fields.day),
        prices=Prices(
            found.required("input", fields.decimal, _ZERO),
            found.required("output", fields.decimal, _ZERO),
            *(found.optional(key, fields.decimal) for key in Prices._fields[2:]),
        ),
        thresholds=found.optional("thresholds", _thresholds) or (),
        source=found.optional("source", fields.text),
        entered_at=found.optional("entered_at", fields.time),
        line=line,
    )
    since, until = entry.valid_from, entry.valid_until
    if since is not None and until is not None and until <= since:
        found.problems.append("`valid_until` is not after `valid_from`")
    found.finish()
    return entry


def _unit(key: str, value: object) -> int:
    unit = rest = fields.count(key, value)
    # Other units would give costs without an exact decimal.
    for prime in (2, 5):
        while rest and rest % prime == 0:
            rest //= prime
    if rest != 1:
        raise BadFields(f"`{key}` must be a number of tokens such as 1, 1000 or 1000000")
    return unit


def _thresholds(key: str, value: object) -> tuple[Threshold, ...]:
    if not isinstance(value, list):
        raise BadFields(f"`{key}` must be a list of objects with `above`")
    found = sorted(_threshold(key, item) for item in value)
    if len({threshold.above for threshold in found}) < len(found):
        raise BadFields(f"`{key}` has one `above` twice")
    return tuple(found)


def _threshold(key: str, value: object) -> Threshold:
    if not isinstance(value, dict):
        raise BadFields(f"`{key}` must be a list of objects with `above`")
    found = Fields(value, (_ABOVE, *Prices._fields))
    if _ABOVE not in value:
        found.problems.append(f"`{_ABOVE}` is missing")
    above = found.optional(_ABOVE, fields.count) or 0
    prices = ThresholdPrices(*(found.optional(name, fields.decimal) for name in Prices._fields))
    if not any(value.get(name) is not None for name in Prices._fields):
        found.problems.append("no price is given")
    if found.problems:
        raise BadFields(*(f"`{key}`: {problem}" for problem in found.problems))
    return Threshold(above, prices)


def entry_object(entry: PriceEntry) -> dict[str, object]:
    """The JSON object of an entry, with all keys."""
    values: dict[str, object] = {
        **entry._asdict(),
        **_prices_object(entry.prices),
        "valid_from": _date_text(entry.valid_from),
        "valid_until": _date_text(entry.valid_until),
        "thresholds": [
            {_ABOVE: above, **{k: v for k, v in _prices_object(prices).items() if v is not None}}
            for above, prices in entry.thresholds
        ],
        "entered_at": rfc3339(entry.entered_at),
    }
    return {key: values[key] for key in KEYS}


def entry_lines(entries: Iterable[PriceEntry]) -> bytes:
    """The lines of a price book with these entries."""
    lines = (json.dumps(entry_object(entry), ensure_ascii=False) for entry in entries)
    return "".join(f"{line}\n" for line in lines).encode()


def _prices_object(prices: Prices | ThresholdPrices) -> dict[str, str | None]:
    named = prices._asdict().items()
    return {name: None if price is None else f"{price:f}" for name, price in named}


def _date_text(value: object) -> str | None:
    return None if value is None else str(value)
