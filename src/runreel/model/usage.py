"""Token usage, added up over runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, weakref_slot=True)
class UsageTotals:
    """Tokens of ``known`` runs among ``runs``; the rest reported none. None where none is known."""

    runs: int = 0
    known: int = 0
    input_text_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None

    @property
    def unknown(self) -> int:
        """Runs that reported no usage."""
        return self.runs - self.known


@dataclass(frozen=True, slots=True, weakref_slot=True)
class UsageItem:
    """The totals of one group; ``key`` has a value (or None) for each grouping, in their order."""

    key: tuple[str | None, ...]
    totals: UsageTotals


@dataclass(frozen=True, slots=True, weakref_slot=True)
class UsageReport:
    """Usage by groups; ``tz`` is the time zone that days, weeks and months are of."""

    by: tuple[str, ...]
    items: tuple[UsageItem, ...]
    totals: UsageTotals
    tz: str
