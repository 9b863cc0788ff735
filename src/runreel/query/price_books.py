"""Where price books are: the own one, the installed snapshot, or a named file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from runreel.model.errors import BadPrices, MissingExtra, UsageError
from runreel.prices import validity
from runreel.prices.entry_lines import entry_lines
from runreel.prices.exchange_rates import ExchangeRates, read_rates
from runreel.prices.price_book import PriceBook, read_book, read_entries
from runreel.query.price_snapshot import Snapshot, snapshot
from runreel.system import atomic_files, wall_clock
from runreel.system.append_only import locked_append
from runreel.system.default_location import not_empty

if TYPE_CHECKING:
    from runreel.prices.validity import Addition

ENVIRONMENT = "RUNREEL_PRICES"
_FILE = "prices.jsonl"
_EMPTY = "no price book"


def own_path() -> Path:
    """Return the file of the own price book: RUNREEL_PRICES, else one next to the configuration.

    Raises:
        UsageError: if RUNREEL_PRICES is empty.
    """
    given = os.environ.get(ENVIRONMENT)
    if given is not None:
        return Path(not_empty(given, ENVIRONMENT))
    from platformdirs import user_config_path

    return user_config_path("runreel", appauthor=False) / _FILE


def load(path: str | os.PathLike[str] | None = None) -> PriceBook:
    """Return the price book in a file; None is the own book, and then the snapshot.

    If neither of these two exists, the book is empty.

    Raises:
        UsageError: if the named file cannot be read.
        BadPrices: if a line of a book is not valid.
    """
    return default(own_path()) if path is None else read_book(os.fspath(path), read(Path(path)))


def default(own: Path) -> PriceBook:
    """Return the own book at this path, if it exists, and then the installed snapshot.

    Raises:
        UsageError: if the own book cannot be read.
        BadPrices: if a line of it is not valid.
    """
    if own.exists():
        return read_book(str(own), read(own), fallback=installed_snapshot)
    return installed_snapshot() or read_book(_EMPTY, b"")


def installed_snapshot() -> Snapshot | None:
    """Return the prices of genai-prices, None if it is not installed."""
    try:
        return snapshot()
    except MissingExtra:
        return None


def rates(path: str | os.PathLike[str]) -> ExchangeRates:
    """Return the exchange rates in a file.

    Raises:
        UsageError: if it cannot be read.
        BadPrices: if a line is not valid.
    """
    return read_rates(os.fspath(path), read(Path(path)))


def read(path: Path) -> bytes:
    """Return the bytes of a file.

    Raises:
        UsageError: if it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error


def add(own: Path, offered: Path) -> Addition:
    """Add the entries of a file to the own book, all or none; existing lines stay as they are.

    Entries that the book has already are not added again. ``entered_at`` is now if it is not given.

    Raises:
        BadPrices: if a line of the file is not valid, or would change an entry of the book.
        UsageError: if a file cannot be read or written.
    """
    now = wall_clock.now()
    entries, problems = read_entries(read(offered))
    if problems:
        raise BadPrices(str(offered), tuple(map(str, problems)))
    own.parent.mkdir(parents=True, exist_ok=True)
    with atomic_files.errors(own), locked_append(own) as file:
        before = file.read()
        addition = validity.addition(read_book(str(own), before).entries, entries, now.date())
        if addition.problems:
            raise BadPrices(
                str(offered),
                tuple(map(str, addition.problems)),
                hint=f"Nothing was added to {own}. A new price needs a later valid_from.",
            )
        new = (entry._replace(entered_at=entry.entered_at or now) for entry in addition.entries)
        separator = b"\n" if before and not before.endswith(b"\n") else b""
        file.write(separator + entry_lines(new))
    return addition
