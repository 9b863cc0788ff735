"""When the entries of a price book are valid, and where they overlap."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from runreel.prices.json_lines import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

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
    groups: defaultdict[tuple[str | None, str, str | None], list[PriceEntry]] = defaultdict(list)
    for entry in entries:
        groups[entry.subject].append(entry)
    found: list[DatedEntry] = []
    problems: list[Problem] = []
    for group in groups.values():
        group.sort(key=_start)
        for entry, after in pairwise(group):
            problems += _overlap(entry, after)
            found.append(DatedEntry(entry, entry.valid_until or after.valid_from))
        found.append(DatedEntry(group[-1], group[-1].valid_until))
    return found, sorted(problems)


def _start(entry: PriceEntry) -> tuple[date, int]:
    return entry.valid_from or date.min, entry.line


def _overlap(entry: PriceEntry, after: PriceEntry) -> list[Problem]:
    late, early = max(entry.line, after.line), min(entry.line, after.line)
    if entry.valid_from == after.valid_from:
        start = "without `valid_from`" if entry.valid_from is None else f"from {entry.valid_from}"
        return [Problem(late, f"overlaps line {early}: both are about {_name(entry)} {start}")]
    until, start_after = entry.valid_until, after.valid_from
    if until is not None and start_after is not None and until > start_after:
        why = f"the entry from {entry.valid_from or 'the beginning'} is valid until {until}"
        return [Problem(late, f"overlaps line {early}: {why}, the next one from {start_after}")]
    return []


def _name(entry: PriceEntry) -> str:
    return f"{entry.model!r}" if entry.tier is None else f"{entry.model!r} in tier {entry.tier!r}"
