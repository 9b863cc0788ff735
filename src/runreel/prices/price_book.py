"""Price books, and the entry that prices a request."""

from __future__ import annotations

import fnmatch
import hashlib
import re
from collections import defaultdict
from datetime import date
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, NamedTuple

from runreel.model.errors import BadPrices
from runreel.prices import json_lines
from runreel.prices.entries import PriceEntry, normal_tier
from runreel.prices.entry_lines import read_entry
from runreel.prices.validity import DatedEntry, dated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from runreel.prices.json_lines import Problem

NO_MODEL = "no_model"
NO_TIER = "no_tier"
NO_DATE = "no_date"
_IS_PATTERN = re.compile(r"[*?\[]").search


def _no_book() -> None:
    return None


class Found(NamedTuple):
    """The entry for a request, with the book that has it, or the reason why there is none.

    Reasons: ``no_model``, or the model has no entry of the tier (``no_tier``) or of the date
    (``no_date``).
    """

    entry: PriceEntry | None
    reason: str | None = None
    book: PriceBook | None = None


class PriceBook:
    """Entries without overlaps; ``digest`` is the SHA-256 of the lines of the book.

    ``fallback`` gives a book that is asked for what this one has no price for; it is called when
    that is so, or the digest is asked for, which then is that of both digests, as lines.
    """

    def __init__(
        self,
        name: str,
        entries: Iterable[PriceEntry],
        digest: str,
        *,
        fallback: Callable[[], PriceBook | None] = _no_book,
    ) -> None:
        self.name = name
        self.entries: tuple[PriceEntry, ...] = tuple(entries)
        self.own_digest = digest
        self._fallback = fallback
        found, problems = dated(self.entries)
        if problems:
            raise BadPrices(name, tuple(map(str, problems)))
        self._by_model: defaultdict[str, list[DatedEntry]] = defaultdict(list)
        for one in found:
            self._by_model[one.entry.model].append(one)
        self._patterns = [model for model in self._by_model if _IS_PATTERN(model)]
        self._matching: dict[str, Sequence[DatedEntry]] = {}

    @cached_property
    def fallback(self) -> PriceBook | None:
        """The book that is asked next, if there is one."""
        return self._fallback()

    @property
    def books(self) -> tuple[PriceBook, ...]:
        """This book and its fallbacks, in the order in which they are asked."""
        return (self, *(self.fallback.books if self.fallback is not None else ()))

    @property
    def digest(self) -> str:
        """SHA-256 in hexadecimal; empty books have one too."""
        digests = [book.own_digest for book in self.books]
        if len(digests) == 1:
            return digests[0]
        return hashlib.sha256("".join(f"{digest}\n" for digest in digests).encode()).hexdigest()

    def matching(self, model: str) -> Sequence[DatedEntry]:
        """Return the entries of this book about a model, of all tiers and dates, the first first.

        An exact name comes before patterns, and a longer pattern before a shorter one. Then a later
        start comes first, and an earlier line.
        """
        known = self._matching.get(model)
        if known is None:
            names = {model, *(name for name in self._patterns if _compiled(name)(model))}
            found = [one for name in names for one in self._by_model.get(name, ())]
            known = sorted(found, key=lambda one: _precedence(one.entry, model))
            self._matching[model] = known
        return known

    def find(self, model: str | None, tier: str | None, day: date) -> Found:
        """Return the entry for a model and service tier on a UTC day."""
        found = self._find(model or "", normal_tier(tier), day)
        if found.entry is not None or self.fallback is None:
            return found
        other = self.fallback.find(model, tier, day)
        return found if other.entry is None and other.reason == NO_MODEL else other

    def _find(self, model: str, tier: str | None, day: date) -> Found:
        about = self.matching(model)
        of_tier = [one for one in about if one.entry.tier == tier]
        for one in of_tier:
            if one.valid_at(day):
                return Found(one.entry, book=self)
        return Found(None, NO_DATE if of_tier else NO_TIER if about else NO_MODEL)


def read_entries(data: bytes) -> tuple[list[PriceEntry], list[Problem]]:
    """Parse the JSON lines of a price book; return its entries, and all problems by line."""
    entries, problems = json_lines.parse(data, read_entry)
    return entries, sorted([*problems, *dated(entries)[1]])


def read_book(
    name: str, data: bytes, *, fallback: Callable[[], PriceBook | None] = _no_book
) -> PriceBook:
    """Parse the JSON lines of a price book called ``name``.

    Raises:
        BadPrices: if a line is not valid, or entries overlap; it has all problems.
    """
    entries, problems = read_entries(data)
    if problems:
        raise BadPrices(name, tuple(map(str, problems)))
    return PriceBook(name, entries, hashlib.sha256(data).hexdigest(), fallback=fallback)


def newest_day(entries: Sequence[PriceEntry]) -> date | None:
    """Return the day on which the newest entry was entered; without one, the latest start."""
    entered = [entry.entered_at.date() for entry in entries if entry.entered_at is not None]
    starts = (entry.valid_from for entry in entries if entry.valid_from is not None)
    return max(entered or starts, default=None)


@lru_cache(maxsize=65_536)
def _compiled(pattern: str) -> Callable[[str], object]:
    return re.compile(fnmatch.translate(pattern)).match


def _precedence(entry: PriceEntry, model: str) -> tuple[bool, int, int, int]:
    start = (entry.valid_from or date.min).toordinal()
    return entry.model != model, -len(entry.model), -start, entry.line
