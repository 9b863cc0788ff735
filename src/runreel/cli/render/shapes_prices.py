"""The JSON objects of price books."""

from __future__ import annotations

from runreel.codec.schema_parts import (
    COUNT,
    MAYBE_COUNT,
    MAYBE_TIME,
    STRING,
    TEXT,
    Schema,
    Shape,
    array,
    closed,
    described,
    enum,
    maybe,
    ref,
)
from runreel.prices.entry_lines import KEYS
from runreel.prices.explanation import VERDICTS

_DECIMAL: Schema = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?$"}
_MAYBE_DECIMAL: Schema = {"type": ["string", "null"], "pattern": r"^[0-9]+(\.[0-9]+)?$"}
_DATE: Schema = {"type": ["string", "null"], "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}
_PRICES = ("input", "output", "cached", "cache_write", "reasoning")
_THRESHOLD = closed({"above": COUNT, **dict.fromkeys(_PRICES, _DECIMAL)}, *_PRICES)
_VALUES: Shape = {
    "provider": TEXT,
    "model": described(STRING, "A shell pattern."),
    "tier": described(TEXT, "Service tier; null is the default tier."),
    "unit": described(COUNT, "Number of tokens that the prices are for."),
    "currency": described(STRING, "ISO 4217."),
    "valid_from": described(_DATE, "First day, UTC; null is the beginning."),
    "valid_until": described(_DATE, "Day after the last one, UTC; null has no end of its own."),
    "input": _DECIMAL,
    "output": _DECIMAL,
    "cached": described(_MAYBE_DECIMAL, "Null costs what input costs."),
    "cache_write": described(_MAYBE_DECIMAL, "Null costs what input costs."),
    "reasoning": described(_MAYBE_DECIMAL, "Null costs what output costs."),
    "thresholds": described(array(_THRESHOLD), "Prices of requests with more input tokens."),
    "source": TEXT,
    "entered_at": MAYBE_TIME,
}
_PLACE: Shape = {"book": STRING, "line": described(COUNT, "Counts from 1.")}
PRICE: Shape = {**{key: _VALUES[key] for key in KEYS}, **_PLACE}
CANDIDATE: Shape = {
    "price": ref("price"),
    "ends": described(_DATE, "Day on which it ends, also by a later entry."),
    "verdict": described(
        enum(*VERDICTS), "less_exact: another valid entry is tried before this one."
    ),
    "why": STRING,
}
SHOWN_PRICE: Shape = {
    "model": STRING,
    "tier": TEXT,
    "date": described(_DATE, "Day of the request, UTC."),
    "price": described(maybe(ref("price")), "The entry that is used; null if there is none."),
    "reason": described(
        enum("no_model", "no_tier", "no_date", None), "Why there is none: what no entry is for."
    ),
    "candidates": described(array(closed(CANDIDATE)), "Entries in the order they are tried."),
    "book": described(STRING, "The price books, in the order they are asked."),
    "digest": described(STRING, "SHA-256 of the price books."),
}
PRICE_PROBLEM: Shape = {
    "file": STRING,
    "line": described(MAYBE_COUNT, "Counts from 1; null is the file as a whole."),
    "level": described(enum("error", "notice"), "A notice does not change the exit code."),
    "problem": STRING,
}
ADDED_PRICES: Shape = {
    "book": described(STRING, "Your own price book."),
    "added": COUNT,
    "known": described(COUNT, "Entries that the book had already."),
    "changed_from": described(
        _DATE, "First past day for which the book gave other prices before; null if none."
    ),
    "digest": described(STRING, "SHA-256 of the book."),
}
