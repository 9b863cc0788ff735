"""The JSON of runs with what they cost."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from runreel.cli.render import json_views, list_views, shapes_cost
from runreel.cli.render.output import ListView
from runreel.codec import object_shapes

if TYPE_CHECKING:
    from collections.abc import Callable

    from runreel.cli.render.json_views import JsonObject
    from runreel.model.runs import RunSummary
    from runreel.query.run_pricing import Pricing

SHAPE = {**object_shapes.RUN, **shapes_cost.RUN_COST}


class RunPrices:
    """What runs cost; the price book is read for the first run that reported usage."""

    def __init__(self, pricing: Callable[[], Pricing]) -> None:
        self._read = pricing

    @cached_property
    def _pricing(self) -> Pricing:
        return self._read()

    def value(self, run: RunSummary) -> JsonObject:
        """The JSON object of a run."""
        cost = currency = None
        if run.usage is not None:
            from runreel.query import run_pricing

            found = run_pricing.cost(self._pricing, run)
            cost, currency = found.cost, found.currency
        return {
            **json_views.run(run),
            "cost": json_views.plain(cost),
            "currency": currency,
        }


def list_view(prices: RunPrices) -> ListView[RunSummary]:
    """The list view of runs."""
    return ListView(list_views.RUNS.noun, SHAPE, list_views.RUNS.columns, prices.value)
