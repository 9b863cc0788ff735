"""Comparison of texts without regard to case, for every script, with the offsets of the original.

Full case folding maps a character on its own to one or several: ``ß`` to ``ss``, ``İ`` to an ``i``
with a combining dot. So folded texts can be longer, and an offset in one has to be mapped back.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    Span = tuple[int, int]

# The characters that fold to several are in these ranges.
_EXPANDING = (
    *((0xDF, 0xDF), (0x130, 0x149), (0x1F0, 0x1F0), (0x390, 0x3B0), (0x587, 0x587)),
    *((0x1E96, 0x1E9E), (0x1F50, 0x1FFC), (0xFB00, 0xFB17)),
)


def fold(text: str) -> str:
    """Return a text in which characters that differ by case alone are the same."""
    return text.casefold()


def spans(text: str, wanted: str) -> Iterator[Span]:
    """Yield where ``wanted`` occurs in ``text`` in any case, in order and without overlaps.

    An occurrence has whole characters: ``s`` is no part of ``ß``.
    """
    folded, part = fold(text), fold(wanted)
    if not part:
        return
    longer = _Longer(text) if len(folded) > len(text) else None
    at = folded.find(part)
    while at >= 0:
        start, end = (at, at + len(part)) if longer is None else longer.original(at, len(part))
        if start is not None and end is not None:
            yield start, end
            at += len(part) - 1
        at = folded.find(part, at + 1)


def exact_spans(text: str, wanted: str) -> Iterator[Span]:
    """Yield where ``wanted`` occurs in ``text``, in order and without overlaps."""
    at = text.find(wanted) if wanted else -1
    while at >= 0:
        yield at, at + len(wanted)
        at = text.find(wanted, at + len(wanted))


class _Longer:
    """Maps offsets of a folded text to those of a text with characters that fold to several."""

    def __init__(self, text: str) -> None:
        # Where each such character begins and ends in the folded text, and ends in the other.
        self._starts: list[int] = []
        self._ends: list[tuple[int, int]] = []
        added = 0
        for found in _expanding().finditer(text):
            start = found.start() + added
            added += len(fold(found[0])) - 1
            self._starts.append(start)
            self._ends.append((found.end() + added, found.end()))

    def original(self, start: int, length: int) -> tuple[int | None, int | None]:
        """Return the offsets of a span; None for one that is inside of a character."""
        return self._offset(start), self._offset(start + length)

    def _offset(self, folded: int) -> int | None:
        place = bisect_left(self._starts, folded) - 1
        if place < 0:
            return folded
        end, original = self._ends[place]
        return None if folded < end else original + folded - end


@cache
def _expanding() -> re.Pattern[str]:
    chars = (chr(code) for first, last in _EXPANDING for code in range(first, last + 1))
    return re.compile(f"[{''.join(char for char in chars if len(fold(char)) > 1)}]")
