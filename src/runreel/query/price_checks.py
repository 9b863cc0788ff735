"""The problems of price books and files of exchange rates."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from runreel.prices import exchange_rates
from runreel.prices.price_book import newest_day, read_entries
from runreel.query import price_books

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from pathlib import Path

    from runreel.prices.entries import PriceEntry

ERROR = "error"
NOTICE = "notice"
_OLD = timedelta(days=30)


class FileProblem(NamedTuple):
    """What is wrong with a file; line 0 is the file as a whole."""

    file: str
    line: int
    level: str
    problem: str


def check_book(path: Path, today: date) -> list[FileProblem]:
    """Return the problems of a price book, and a notice if it is old."""
    entries, problems = read_entries(price_books.read(path))
    errors = [FileProblem(str(path), one.line, ERROR, one.message) for one in problems]
    return [*errors, *_age(str(path), entries, today)]


def check_default(own: Path, today: date) -> list[FileProblem]:
    """Return the problems of the own price book and of the installed snapshot."""
    found = check_book(own, today) if own.exists() else []
    snapshot = price_books.installed_snapshot()
    if snapshot is not None:
        found += _age(snapshot.name, snapshot.entries, today)
        found += (
            FileProblem(snapshot.name, 0, NOTICE, f"{model} has no entry: {why}")
            for model, why in snapshot.left_out.items()
        )
    return found


def check_rates(path: Path) -> list[FileProblem]:
    """Return the problems of a file of exchange rates, with its gaps."""
    rates, problems = exchange_rates.parse_rates(price_books.read(path))
    problems = sorted([*problems, *exchange_rates.gaps(rates)])
    return [FileProblem(str(path), one.line, ERROR, one.message) for one in problems]


def _age(name: str, entries: Sequence[PriceEntry], today: date) -> list[FileProblem]:
    newest = newest_day(entries)
    if newest is None or today - newest <= _OLD:
        return []
    old = f"{(today - newest).days} days old: its newest entry is of {newest}"
    return [FileProblem(name, 0, NOTICE, old)]
