"""Print price books."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runreel.cli.render import shapes_prices
from runreel.cli.render.output import ListView
from runreel.cli.render.tables import Column
from runreel.prices import explanation
from runreel.prices.entry_lines import entry_object

if TYPE_CHECKING:
    from datetime import date

    from runreel.cli.render.json_views import JsonObject
    from runreel.cli.render.tables import Fact
    from runreel.prices.entries import PriceEntry, Prices
    from runreel.prices.explanation import Candidate
    from runreel.prices.price_book import PriceBook
    from runreel.query.price_checks import FileProblem

_REASONS = {
    "no_model": "no entry is about this model",
    "no_tier": "no entry is about this model in this service tier",
    "no_date": "no entry about this model is valid on this day",
}


class BookEntry(NamedTuple):
    """An entry with its book."""

    book: PriceBook
    entry: PriceEntry


def price_object(book: PriceBook, entry: PriceEntry) -> JsonObject:
    """The JSON object of an entry."""
    return {**entry_object(entry), "book": book.name, "line": entry.line}


def _price_column(title: str, field: str, priority: int = 0) -> Column[BookEntry]:
    def cell(item: BookEntry) -> str | None:
        price = getattr(item.entry.prices, field)
        return None if price is None else f"{price:f}"

    return Column(title, cell, right=True, drop_priority=priority)


def _date_text(day: date | None) -> str | None:
    return None if day is None else str(day)


_MODEL: Column[BookEntry] = Column(
    "MODEL", lambda item: item.entry.model, min_width=12, cut_middle=True
)
_ENTRY_COLUMNS: tuple[Column[BookEntry], ...] = (
    Column("TIER", lambda item: item.entry.tier, drop_priority=1),
    Column("FROM", lambda item: _date_text(item.entry.valid_from)),
    Column("CURRENCY", lambda item: item.entry.currency),
    Column("PER", lambda item: f"{item.entry.unit:,}", right=True, drop_priority=1),
    _price_column("INPUT", "input"),
    _price_column("OUTPUT", "output"),
    _price_column("CACHED", "cached", 2),
    _price_column("CACHE WRITE", "cache_write", 3),
    _price_column("REASONING", "reasoning", 3),
    Column("BOOK", lambda item: item.book.name, min_width=8, drop_priority=4, cut_middle=True),
)
PRICES: ListView[BookEntry] = ListView(
    "prices",
    shapes_prices.PRICE,
    (_MODEL, *_ENTRY_COLUMNS),
    lambda item: price_object(item.book, item.entry),
)
PROBLEMS: ListView[FileProblem] = ListView(
    "problems",
    shapes_prices.PRICE_PROBLEM,
    (
        Column("FILE", lambda item: item.file, min_width=12, cut_middle=True),
        Column("LINE", lambda item: item.line or None, right=True),
        Column("LEVEL", lambda item: (item.level, "red" if item.level == "error" else "yellow")),
        Column("PROBLEM", lambda item: item.problem, min_width=20),
    ),
    lambda item: item._asdict() | {"line": item.line or None},
)


def candidate_columns(model: str) -> list[Column[Candidate]]:
    """The columns of the entries about a model."""
    columns: list[Column[Candidate]] = [
        Column("MODEL", lambda item: item.entry.model, min_width=12, cut_middle=True),
        Column("TIER", lambda item: item.entry.tier),
        Column("FROM", lambda item: _date_text(item.entry.valid_from)),
        Column("ENDS", lambda item: _date_text(item.until)),
        Column("LINE", lambda item: item.entry.line, right=True),
        Column("BOOK", lambda item: item.book.name, min_width=8, drop_priority=1, cut_middle=True),
        Column("WHY", lambda item: explanation.why(item, model), min_width=20),
    ]
    return columns


class ShownPrice(NamedTuple):
    """The entry that prices a model on a day, and all entries about the model."""

    book: PriceBook
    model: str
    tier: str | None
    day: date
    candidates: list[Candidate]
    left_out: str | None

    @property
    def chosen(self) -> Candidate | None:
        """The entry that is used."""
        found = (one for one in self.candidates if one.verdict == explanation.CHOSEN)
        return next(found, None)

    @property
    def reason(self) -> str | None:
        """Why there is no price."""
        return self.book.find(self.model, self.tier, self.day).reason

    @property
    def books(self) -> str:
        """The names of the books."""
        return ", ".join(book.name for book in self.book.books)


def shown_object(shown: ShownPrice) -> JsonObject:
    """The JSON object of a price that is explained."""
    chosen = shown.chosen
    return {
        "model": shown.model,
        "tier": shown.tier,
        "date": str(shown.day),
        "price": None if chosen is None else price_object(chosen.book, chosen.entry),
        "reason": shown.reason,
        "candidates": [
            {
                "price": price_object(one.book, one.entry),
                "ends": _date_text(one.until),
                "verdict": one.verdict,
                "why": explanation.why(one, shown.model),
            }
            for one in shown.candidates
        ],
        "book": shown.books,
        "digest": shown.book.digest,
    }


def shown_facts(shown: ShownPrice) -> list[Fact]:
    """The lines of a price that is explained."""
    facts: list[Fact] = [
        ("Model", shown.model),
        ("Service tier", shown.tier or "default"),
        ("Day", f"{shown.day} (UTC)"),
    ]
    chosen = shown.chosen
    if chosen is None:
        why = _REASONS[shown.reason or "no_model"]
        facts.append(("Price", (f"none: {shown.left_out or why}", "yellow")))
    else:
        facts += _entry_facts(chosen, shown.model)
    return [*facts, ("Price books", shown.books), ("Digest", shown.book.digest)]


def _entry_facts(chosen: Candidate, model: str) -> list[Fact]:
    entry = chosen.entry
    since, until = entry.valid_from or "the beginning", chosen.until
    where = f"line {entry.line} of {chosen.book.name}"
    valid = f"from {since}" if until is None else f"from {since} to before {until}"
    facts: list[Fact] = [
        ("Entry", f"{entry.model}, {where}"),
        ("Why", explanation.why(chosen, model)),
        ("Valid", valid),
        ("Prices", f"{entry.currency} per {entry.unit:,} tokens"),
        *_price_facts(entry.prices, "  "),
    ]
    for above, prices in entry.thresholds:
        facts.append((f"  above {above:,} input tokens", _threshold_text(prices._asdict())))
    return [*facts, ("Source", entry.source), ("Provider", entry.provider)]


def _price_facts(prices: Prices, indent: str) -> list[Fact]:
    facts: list[Fact] = []
    for name, price in prices._asdict().items():
        base = "output" if name == "reasoning" else "input"
        text = f"as {base}" if price is None else f"{price:f}"
        facts.append((f"{indent}{name.replace('_', ' ')}", text))
    return facts


def _threshold_text(prices: dict[str, object]) -> str:
    given = ((name.replace("_", " "), price) for name, price in prices.items() if price is not None)
    return ", ".join(f"{name} {price:f}" for name, price in given)
