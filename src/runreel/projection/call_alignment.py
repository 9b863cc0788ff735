"""The tool calls of two runs, aligned: which of them belong together, and how they differ."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from runreel.codec.json_text import sorted_bytes
from runreel.model.run_diff import ADDED, CHANGED, REMOVED, SAME, CallChange
from runreel.projection.json_diff import value_changes
from runreel.projection.word_diff import changed_blocks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runreel.model.run_diff import ValueChange
    from runreel.model.story import ToolCallStep
    from runreel.projection.word_diff import Block

Key = tuple[str, bytes]
# Number of pairs of calls up to which the longest common sequence is computed.
_MAX_PAIRS = 1_000_000


def aligned(a: Sequence[ToolCallStep], b: Sequence[ToolCallStep]) -> Iterator[CallChange]:
    """Yield all calls in order: equal ones together, and changed ones of the same name."""
    keys_a, keys_b = [_key(call) for call in a], [_key(call) for call in b]
    at_a = at_b = 0
    for a0, a1, b0, b1 in [*_blocks(keys_a, keys_b), (len(a), len(a), len(b), len(b))]:
        for one, other in zip(a[at_a:a0], b[at_b:b0], strict=True):
            yield _pair(one, other)
        yield from _changed(a[a0:a1], list(b[b0:b1]))
        at_a, at_b = a1, b1


def _key(call: ToolCallStep) -> Key:
    return call.name or "", sorted_bytes(call.arguments)


def _blocks(a: list[Key], b: list[Key]) -> Iterator[Block]:
    """Yield the parts that differ, by the longest common sequence."""
    if len(a) * len(b) > _MAX_PAIRS:
        yield from changed_blocks(a, b)
        return
    x0 = y0 = 0
    for x, y in [*_common(a, b), (len(a), len(b))]:
        if (x0, y0) != (x, y):
            yield x0, x, y0, y
        x0, y0 = x + 1, y + 1


def _common(a: list[Key], b: list[Key]) -> Iterator[tuple[int, int]]:
    """Yield the places of the longest common sequence."""
    # Its length in the rest from each pair on.
    lengths = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for x in range(len(a) - 1, -1, -1):
        below, row = lengths[x + 1], lengths[x]
        for y in range(len(b) - 1, -1, -1):
            row[y] = below[y + 1] + 1 if a[x] == b[y] else max(below[y], row[y + 1])
    x = y = 0
    while x < len(a) and y < len(b):
        if a[x] == b[y]:
            yield x, y
            x, y = x + 1, y + 1
        elif lengths[x + 1][y] >= lengths[x][y + 1]:
            x += 1
        else:
            y += 1


def _changed(a: Sequence[ToolCallStep], b: list[ToolCallStep]) -> Iterator[CallChange]:
    """Yield calls that have no equal: those of the same name belong together."""
    for call in a:
        place = next((n for n, other in enumerate(b) if other.name == call.name), None)
        if place is None:
            yield CallChange(REMOVED, call.name, call.seq, None)
            continue
        yield from (CallChange(ADDED, other.name, None, other.seq) for other in b[:place])
        yield _pair(call, b[place])
        del b[: place + 1]
    yield from (CallChange(ADDED, other.name, None, other.seq) for other in b)


def _pair(a: ToolCallStep, b: ToolCallStep) -> CallChange:
    arguments = tuple(value_changes(a.arguments, b.arguments))
    result = tuple(_result_changes(a, b))
    change = CHANGED if arguments or result else SAME
    return CallChange(change, a.name, a.seq, b.seq, arguments, result)


def _result_changes(a: ToolCallStep, b: ToolCallStep) -> Iterator[ValueChange]:
    has_a, has_b = ({} if one.result_seq is None else {"": one.result} for one in (a, b))
    for change in value_changes(has_a, has_b):
        # Results are compared as members of an object, so that none differs from null.
        yield replace(change, pointer=change.pointer.removeprefix("/"))
