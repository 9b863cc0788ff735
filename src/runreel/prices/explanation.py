"""Why an entry of a price book prices a model, and others do not."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runreel.prices.entries import normal_tier

if TYPE_CHECKING:
    from datetime import date

    from runreel.prices.entries import PriceEntry
    from runreel.prices.price_book import PriceBook
    from runreel.prices.validity import DatedEntry

CHOSEN = "chosen"
OTHER_TIER = "other_tier"
NOT_YET = "not_yet"
ENDED = "ended"
LESS_EXACT = "less_exact"
VERDICTS = (CHOSEN, OTHER_TIER, NOT_YET, ENDED, LESS_EXACT)


class Candidate(NamedTuple):
    """An entry about a model, and why it is chosen or not.

    ``until`` is the day on which it ends, also by a later entry. ``verdict``: ``chosen``,
    ``other_tier``, ``not_yet`` and ``ended`` (the date), or ``less_exact``: another entry is for
    more exactly this model, starts later, or is in a book that is asked before.
    """

    book: PriceBook
    entry: PriceEntry
    until: date | None
    verdict: str


def candidates(book: PriceBook, model: str, tier: str | None, day: date) -> list[Candidate]:
    """Return all entries about a model in the order in which they are tried."""
    chosen = book.find(model, tier, day)
    return [
        Candidate(one, dated.entry, dated.until, _verdict(dated, chosen.entry, tier, day))
        for one in book.books
        for dated in one.matching(model)
    ]


def why(candidate: Candidate, model: str) -> str:
    """Return in words why an entry is about the model, and why it is chosen or not."""
    exact = candidate.entry.model == model
    about = "exactly this model" if exact else "a pattern that the model matches"
    return f"{about}; {_WORDS[candidate.verdict]}"


_WORDS = {
    CHOSEN: "the first one of this tier that is valid on this day",
    OTHER_TIER: "of another service tier",
    NOT_YET: "not valid yet on this day",
    ENDED: "not valid any more on this day",
    LESS_EXACT: "not the first one that is valid on this day",
}


def _verdict(dated: DatedEntry, chosen: PriceEntry | None, tier: str | None, day: date) -> str:
    if dated.entry is chosen:
        return CHOSEN
    if dated.entry.tier != normal_tier(tier):
        return OTHER_TIER
    if dated.valid_at(day):
        return LESS_EXACT
    return ENDED if dated.until is not None and dated.until <= day else NOT_YET
