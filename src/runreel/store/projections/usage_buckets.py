"""The rows of the usage rollups: their keys, their counts, and the runs that they sum up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from runreel.model.columns import USAGE_BY_TIME
from runreel.model.timestamps import from_micros

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# Spans in quarters of an hour: the days of every time zone start on a quarter.
QUARTER, HOUR, DAY = 1, 4, 96
MICROS = 900_000_000
# Columns with few distinct values; a thread, for one, has about as many rows here as runs.
DIMENSIONS = ("source", "status", "assistant_id", "model")
SPANS = {"": (QUARTER, HOUR), **dict.fromkeys(DIMENSIONS, (QUARTER, HOUR, DAY))}
# The first start and the one after the last; None is unbounded.
Starts = tuple[int | None, int | None]
_MINUTE = len("1970-01-01T00:00")
_NAMES = {QUARTER: "quarter", HOUR: "hour", DAY: "day"}

# A sum of 64-bit counts may need more bits, and SQLite fails then. The sums of these two parts
# never do.
TOKEN_LIMB = 1_000_000_000
TOKENS = ("input_text_tokens", "completion_tokens", "total_tokens")
DETAILS = ("cached_tokens", "cache_write_tokens", "reasoning_tokens")
COUNTS = USAGE_BY_TIME[USAGE_BY_TIME.index("slot") + 1 :]
# Of these, how many there are without details: runs, known, and two parts for each of TOKENS.
PLAIN = 2 + 2 * len(TOKENS)
SUMS = ", ".join(f"sum({name})" for name in COUNTS)


class UsageContribution(NamedTuple):
    """The columns of a row of ``runs`` that determine its buckets, and its usage."""

    recording: str
    started_at: int
    source: str
    status: str
    assistant_id: str | None
    model: str | None
    input_text_tokens: int | None
    completion_tokens: int | None
    total_tokens: int | None
    cached_tokens: int | None
    cache_write_tokens: int | None
    reasoning_tokens: int | None


class RollupBucket(NamedTuple):
    """The runs that started within ``span`` quarters from ``start`` on, counted since 1970.

    They have one value of a dimension, or none if ``named`` is 0. Dimension ``""`` is all runs.
    """

    dimension: str
    span: int
    start: int
    value: str
    named: int

    @property
    def name(self) -> str:
        """Its table, time and value, for messages."""
        time = from_micros(self.start * MICROS).isoformat(timespec="minutes")
        when = f"{_NAMES[self.span]} {time[:_MINUTE]}Z"
        if not self.dimension:
            return f"usage_by_time {when}"
        value = f"= {self.value!r}" if self.named else "unknown"
        return f"usage_by_value {when} {self.dimension} {value}"


class RollupMismatch(NamedTuple):
    """A bucket whose stored counts are wrong: see ``COUNTS``."""

    bucket: RollupBucket
    stored: tuple[int, ...]
    expected: tuple[int, ...]


def sums_of(counts: Sequence[Any]) -> Iterator[int | None]:
    """Yield the sum of each of TOKENS, and of each of DETAILS, for values of ``COUNTS``.

    A sum is None if no run reported it.
    """
    # Postgres returns sums of integers as another type.
    numbers = [int(part or 0) for part in counts]
    for at in range(2, PLAIN, 2):
        yield numbers[at] * TOKEN_LIMB + numbers[at + 1] if numbers[1] else None
    for at in range(PLAIN, len(COUNTS), 3):
        yield numbers[at + 1] * TOKEN_LIMB + numbers[at + 2] if numbers[at] else None


def covering(starts: Starts, longest: int, shortest: int) -> Iterator[tuple[int, Starts]]:
    """Yield spans with their starts that cover all: the longest, then the shortest at the ends."""
    first, last = starts
    begin = None if first is None else -(-first // longest) * longest
    end = None if last is None else last // longest * longest
    if begin is not None and end is not None and begin >= end:
        yield shortest, starts
        return
    yield longest, (begin, end)
    if first != begin:
        yield shortest, (first, begin)
    if last != end:
        yield shortest, (end, last)


# A row of ``runs`` before and after a change; None where there is no row.
ContributionChange = tuple[UsageContribution | None, UsageContribution | None]
