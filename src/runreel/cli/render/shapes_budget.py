"""The JSON object of a budget."""

from __future__ import annotations

from runreel.cli.render import shapes, shapes_cost
from runreel.codec.schema_parts import (
    COUNT,
    MAYBE_TIME,
    STRING,
    TEXT,
    Shape,
    array,
    closed,
    described,
    enum,
    ref,
)
from runreel.model.budget import STATES

_STATE = enum(*STATES)
ITEM: Shape = {
    "state": described(_STATE, "`unknown`: too many runs have no known cost."),
    "cost": described(TEXT, "Exact decimal number; null if no cost is known."),
    "share": described(TEXT, "Used part of the budget, 1 being all of it; null as the cost."),
    "forecast": described(
        TEXT,
        "Cost at the end of the period if it goes on so; null if that is not to come, or as the"
        " cost.",
    ),
    "runs": COUNT,
    "priced": described(COUNT, "Runs with a cost in the currency."),
    "unpriced": described(COUNT, "Runs without a known cost."),
    "other": described(COUNT, "Runs with a cost in another currency."),
}
BUDGET_ITEM = {**closed(ITEM), "additionalProperties": shapes.GROUP}
BUDGET: Shape = {
    "state": described(_STATE, "The worst of the groups."),
    "max": STRING,
    "currency": STRING,
    "since": MAYBE_TIME,
    "until": MAYBE_TIME,
    "tz": STRING,
    "items": array(ref("budget_item")),
    "prices": closed(shapes_cost.PRICES),
}
