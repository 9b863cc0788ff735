"""The difference of two texts by words, in bounded time.

The longest common parts of two texts of many equal words take cubic time to find. Here words that
occur once in both texts divide them first, and only short parts in between are compared in full.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from difflib import SequenceMatcher
from itertools import accumulate
from typing import TYPE_CHECKING, TypeVar

from runreel.model.run_diff import TextChange

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

H = TypeVar("H", bound="Hashable")
# The start and end of a part of both sequences.
Block = tuple[int, int, int, int]

# Scripts without spaces between words are compared by characters.
_WORD = re.compile(
    "[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]|\\w+|\\s+|[^\\w\\s]"
)
# Pairs of words: of a part that is compared in full, and of all such parts together.
_MAX_PART = 90_000
_MAX_PAIRS = 6_000_000
# Numbers of words: if no word occurs once, a run of some may.
_ANCHORS = (1, 6, 24)


def text_changes(a: str, b: str) -> tuple[TextChange, ...]:
    """Return what to replace in ``a`` to get ``b``, in order."""
    if a == b:
        return ()
    lines_a, lines_b = a.splitlines(keepends=True), b.splitlines(keepends=True)
    starts_a, starts_b = _starts(lines_a), _starts(lines_b)
    budget = [_MAX_PAIRS]
    found: list[Block] = []
    for a0, a1, b0, b1 in changed_blocks(lines_a, lines_b, budget):
        start_a, start_b = starts_a[a0], starts_b[b0]
        words_a, words_b = (
            _WORD.findall(a[start_a : starts_a[a1]]),
            _WORD.findall(b[start_b : starts_b[b1]]),
        )
        places_a, places_b = _starts(words_a), _starts(words_b)
        found += [
            (
                start_a + places_a[x0],
                start_a + places_a[x1],
                start_b + places_b[y0],
                start_b + places_b[y1],
            )
            for x0, x1, y0, y1 in changed_blocks(words_a, words_b, budget)
        ]
    joined = _joined(found, a)
    return tuple(TextChange((a0, a1), (b0, b1), a[a0:a1], b[b0:b1]) for a0, a1, b0, b1 in joined)


def changed_blocks(
    a: Sequence[H], b: Sequence[H], budget: list[int] | None = None
) -> Iterator[Block]:
    """Yield the parts of two sequences that differ, in order.

    ``budget`` holds the number of pairs that may still be compared in full; parts beyond it are
    different as a whole.
    """
    budget = [_MAX_PAIRS] if budget is None else budget
    waiting: list[Block] = [(0, len(a), 0, len(b))]
    while waiting:
        a0, a1, b0, b1 = _trimmed(a, b, waiting.pop())
        if a0 == a1 and b0 == b1:
            continue
        pairs = (a1 - a0) * (b1 - b0)
        if not pairs:
            yield a0, a1, b0, b1
        elif pairs <= _MAX_PART and pairs <= budget[0]:
            budget[0] -= pairs
            yield from _compared(a[a0:a1], b[b0:b1], a0, b0)
        elif parts := _divided(a, b, (a0, a1, b0, b1)):
            waiting += reversed(parts)
        else:
            yield a0, a1, b0, b1


def _trimmed(a: Sequence[H], b: Sequence[H], block: Block) -> Block:
    """Leave out what is equal at the start and at the end of a part."""
    a0, a1, b0, b1 = block
    while a0 < a1 and b0 < b1 and a[a0] == b[b0]:
        a0, b0 = a0 + 1, b0 + 1
    while a0 < a1 and b0 < b1 and a[a1 - 1] == b[b1 - 1]:
        a1, b1 = a1 - 1, b1 - 1
    return a0, a1, b0, b1


def _compared(a: Sequence[H], b: Sequence[H], a0: int, b0: int) -> Iterator[Block]:
    matcher = SequenceMatcher(None, a, b, autojunk=False)
    for tag, x0, x1, y0, y1 in matcher.get_opcodes():
        if tag != "equal":
            yield a0 + x0, a0 + x1, b0 + y0, b0 + y1


def _divided(a: Sequence[H], b: Sequence[H], block: Block) -> list[Block]:
    """Return the parts between what occurs once on both sides; empty if nothing does."""
    a0, a1, b0, b1 = block
    for length in _ANCHORS:
        anchors = _anchors(a[a0:a1], b[b0:b1], length)
        if anchors:
            starts = [(a0, b0), *((a0 + x + 1, b0 + y + 1) for x, y in anchors)]
            ends = [*((a0 + x, b0 + y) for x, y in anchors), (a1, b1)]
            return [(x0, x1, y0, y1) for (x0, y0), (x1, y1) in zip(starts, ends, strict=True)]
    return []


def _anchors(a: Sequence[H], b: Sequence[H], length: int) -> list[tuple[int, int]]:
    """Return where runs of ``length`` items stand that occur once on both sides, in order."""
    runs_a, runs_b = list(_runs(a, length)), list(_runs(b, length))
    in_a, in_b = Counter(runs_a), Counter(runs_b)
    places = {run: y for y, run in enumerate(runs_b) if in_b[run] == 1}
    return _rising(
        [(x, places[run]) for x, run in enumerate(runs_a) if in_a[run] == 1 and run in places]
    )


def _runs(items: Sequence[H], length: int) -> Iterator[tuple[H, ...]]:
    return zip(*(items[start:] for start in range(length)), strict=False)


def _rising(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the longest selection of pairs, sorted by their first, whose second rises."""
    tails: list[int] = []
    last: list[int] = []
    before: list[int] = []
    for number, (_, place) in enumerate(pairs):
        length = bisect_left(tails, place)
        before.append(last[length - 1] if length else -1)
        tails[length : length + 1] = [place]
        last[length : length + 1] = [number]
    found: list[tuple[int, int]] = []
    number = last[-1] if last else -1
    while number >= 0:
        found.append(pairs[number])
        number = before[number]
    return found[::-1]


def _starts(parts: Sequence[str]) -> list[int]:
    return [0, *accumulate(map(len, parts))]


def _joined(blocks: list[Block], a: str) -> list[Block]:
    """Join changes with nothing but a space between them."""
    found: list[Block] = []
    for block in blocks:
        if (
            found
            and len(a[found[-1][1] : block[0]]) <= 1
            and not a[found[-1][1] : block[0]].strip()
        ):
            a0, _, b0, _ = found[-1]
            found[-1] = (a0, block[1], b0, block[3])
        else:
            found.append(block)
    return found
