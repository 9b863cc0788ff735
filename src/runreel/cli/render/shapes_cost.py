"""The JSON objects of costs."""

from __future__ import annotations

from runreel.cli.render import shapes
from runreel.codec.schema_parts import (
    COUNT,
    STRING,
    TEXT,
    Shape,
    array,
    closed,
    described,
    enum,
)

_COST = described(TEXT, "Exact decimal number; null if the price or the usage is unknown.")
RUN_COST: Shape = {
    "cost": described(TEXT, "Exact decimal number at the prices of its start; null if unknown."),
    "currency": TEXT,
}
ADDED: Shape = {
    "cost": _COST,
    "currency": described(TEXT, "Null for runs without a cost, and totals of several currencies."),
    "priced": described(COUNT, "Runs with a cost."),
    "unpriced": described(COUNT, "Runs without one: their price or their usage is unknown."),
}
PRICED_TOTALS: Shape = {**shapes.TOTALS, **ADDED}
CURRENCY_COST: Shape = {"currency": STRING, "cost": STRING, "runs": COUNT}
DAY = described(TEXT, "First and last UTC day of the exchange rates that were used.")
PRICES: Shape = {
    "book": STRING,
    "digest": described(STRING, "SHA-256 of the price book."),
    "as_of": described(enum("then", "now"), "Prices of the start of each run, or of today."),
    "newest": described(TEXT, "UTC day of the newest entry of the book."),
    "rates": described(TEXT, "The file with the exchange rates to `currency`."),
    "rates_digest": TEXT,
    "currency": TEXT,
    "rates_from": DAY,
    "rates_until": DAY,
}
COSTS: Shape = {
    "costs": described(array(closed(CURRENCY_COST)), "Totals by currency; only with --cost."),
    "prices": described(closed(PRICES), "What the costs come from; only with --cost."),
}
