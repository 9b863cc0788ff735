"""What a run cost, in a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.model.errors import RunreelError
from runreel.query import price_books, run_pricing
from runreel.system import wall_clock

if TYPE_CHECKING:
    from runreel.model.runs import RunSummary

_REASONS = {
    "no_model": "no price of its model is known",
    "no_tier": "no price of its service tier is known",
    "no_date": "no price of its day is known",
    "no_usage": "no usage was reported",
    "bad_usage": "the numbers of tokens contradict each other",
    "several_currencies": "its calls have prices in several currencies",
}


def cost_text(run: RunSummary) -> str:
    """Return the exact cost of a run with its currency, or why there is none.

    The first call reads the prices of genai-prices, which takes a while.
    """
    if run.usage is None:
        return f"unpriced: {_REASONS['no_usage']}"
    try:
        pricing = run_pricing.pricing_of(price_books.load(), now=wall_clock.now())
        found = run_pricing.cost(pricing, run)
    except RunreelError as error:
        return f"unpriced: {error}"
    if found.cost is None:
        return f"unpriced: {_REASONS.get(found.reason or '', 'no price is known')}"
    return f"{found.cost:,f} {found.currency}"
