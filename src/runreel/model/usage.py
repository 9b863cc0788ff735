"""Token usage summed over runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, weakref_slot=True)
class UsageTotals:
    """Token sums over ``runs`` runs, of which ``known`` reported usage; None if none did.

    ``cached`` and ``cache_write`` tokens are part of the input, ``reasoning`` tokens part of the
    completion; each is None if no run reported it.
    """

    runs: int = 0
    known: int = 0
    input_text_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    cached: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None

    @property
    def unknown(self) -> int:
        """Number of runs that reported no usage."""
        return self.runs - self.known


@dataclass(frozen=True, slots=True, weakref_slot=True)
class UsageItem:
    """The totals of one group; ``key`` has one value or None for each grouping, in order."""

    key: tuple[str | None, ...]
    totals: UsageTotals


@dataclass(frozen=True, slots=True, weakref_slot=True)
class UsageReport:
    """Usage by group; ``tz`` is the time zone of its periods."""

    by: tuple[str, ...]
    items: tuple[UsageItem, ...]
    totals: UsageTotals
    tz: str
