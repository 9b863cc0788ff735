"""When the entries of a price book are valid, and where they overlap."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from runreel.prices.json_lines import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from runreel.prices.entries import PriceEntry


class DatedEntry(NamedTuple):
    """An entry and the date before which it ends, also by a later entry; None has no end."""

    entry: PriceEntry
    until: date | None

    def valid_at(self, day: date) -> bool:
        """Return whether the entry is valid on this UTC day."""
        since = self.entry.valid_from
        return (since is None or since <= day) and (self.until is None or day < self.until)


def dated(entries: Iterable[PriceEntry]) -> tuple[list[DatedEntry], list[Problem]]:
    """Return the entries with their ends, by provider, model, tier and start; and the overlaps.

    A later start ends an entry without an end of its own. A problem names the later of two lines.
    """
    found: list[DatedEntry] = []
    problems: list[Problem] = []
    for group in _groups(entries):
        for entry, after in pairwise(group):
            found.append(DatedEntry(entry, entry.valid_until or after.valid_from))
            why = _overlap(entry, after)
            if why is not None:
                early, late = sorted((entry.line, after.line))
                problems.append(Problem(late, f"overlaps line {early}: {why}"))
        found.append(DatedEntry(group[-1], group[-1].valid_until))
    return found, sorted(problems)


class Addition(NamedTuple):
    """What an import adds to a price book: the new entries, or the problems that prevent it.

    ``known`` is the number of entries that the book has already. ``changed_from`` is the first day
    for which the book has given another price until now; None if there is none.
    """

    entries: list[PriceEntry]
    known: int
    problems: list[Problem]
    changed_from: date | None


def addition(own: Sequence[PriceEntry], offered: Iterable[PriceEntry], today: date) -> Addition:
    """Compare the entries of a file with those of the own book, which are never changed."""
    known = {entry.facts for entry in own}
    offered = list(offered)
    new = [entry for entry in offered if entry.facts not in known]
    problems = []
    changed: list[date] = []
    for group in _groups([*own, *(entry._replace(line=-entry.line) for entry in new)]):
        for entry, after in pairwise(group):
            why = _overlap(entry, after)
            if why is not None:
                problems.append(_import_problem(entry, after, why))
            elif entry.line > 0 > after.line and _changes_past(entry, after, today):
                changed.append(after.valid_from or date.min)
    return Addition(new, len(offered) - len(new), sorted(problems), min(changed, default=None))


def _import_problem(entry: PriceEntry, after: PriceEntry, why: str) -> Problem:
    """A problem of an import, whose lines are negative here."""
    early, late = sorted((entry.line, after.line), key=lambda line: (line < 0, abs(line)))
    other = f"line {early} of your price book" if early > 0 else f"line {-early}"
    return Problem(-late, f"overlaps {other}, and entries are never changed: {why}")


def _changes_past(entry: PriceEntry, after: PriceEntry, today: date) -> bool:
    start = after.valid_from
    return (
        start is not None and start < today and DatedEntry(entry, entry.valid_until).valid_at(start)
    )


def _groups(entries: Iterable[PriceEntry]) -> list[list[PriceEntry]]:
    """Return the entries of each provider, model and tier by their start."""
    groups: defaultdict[tuple[str | None, str, str | None], list[PriceEntry]] = defaultdict(list)
    for entry in entries:
        groups[entry.subject].append(entry)
    return [sorted(group, key=_start) for group in groups.values()]


def _start(entry: PriceEntry) -> tuple[date, int]:
    return entry.valid_from or date.min, abs(entry.line)


def _overlap(entry: PriceEntry, after: PriceEntry) -> str | None:
    """Return how an entry overlaps the next one of its provider, model and tier."""
    if entry.valid_from == after.valid_from:
        start = "without `valid_from`" if entry.valid_from is None else f"from {entry.valid_from}"
        return f"both are about {_name(entry)} {start}"
    until, next_start = entry.valid_until, after.valid_from
    if until is not None and next_start is not None and until > next_start:
        since = entry.valid_from or "the beginning"
        return f"the entry from {since} is valid until {until}, the next one from {next_start}"
    return None


def _name(entry: PriceEntry) -> str:
    return f"{entry.model!r}" if entry.tier is None else f"{entry.model!r} in tier {entry.tier!r}"
