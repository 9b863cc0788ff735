"""Wrap text to the width of a terminal with characters of any width."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rich.cells import cell_len, chop_cells

if TYPE_CHECKING:
    from collections.abc import Iterator

_WORD = re.compile(r"\s*\S+|\s+")
_TAB = 8


def wrapped(text: str, width: int | None) -> Iterator[str]:
    """Yield the lines of a text, each at most ``width`` columns wide; None leaves them as they are.

    Lines end between words, and inside a word only if it is wider than a line.
    """
    for line in text.split("\n"):
        if width is None:
            yield line
        else:
            yield from _wrap(line.expandtabs(_TAB), max(width, 1))


def _wrap(line: str, width: int) -> Iterator[str]:
    if cell_len(line) <= width:
        yield line
        return
    current, used = "", 0
    for word in _WORD.findall(line):
        size = cell_len(word)
        if used + size <= width:
            current, used = current + word, used + size
            continue
        if current:
            yield current.rstrip()
        parts = chop_cells(word.lstrip() if current else word, width) or [""]
        yield from parts[:-1]
        current = parts[-1]
        used = cell_len(current)
    yield current.rstrip()
