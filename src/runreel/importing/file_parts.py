"""Parts of a file that hold whole runs, so that each can be imported without the others."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.importing.prescan import ImportPrescan, LastLineIndex

# Lines and bytes of a part, as far as runs end there, and of the largest that is held in memory.
LINES = 1_000
BYTES = 2_000_000
_MOST_LINES = 8_000
_MOST_BYTES = 8_000_000
# More contexts at the beginning of a file are not passed along with each part.
_MOST_CONTEXTS = 100


class FilePart(NamedTuple):
    """Consecutive lines of a file: ``lines`` of them from byte ``start`` to byte ``end``.

    ``before`` is the number of lines before it over all files, ``number`` that in its file.
    ``runs`` are those that begin in it; ``is_whole``: all of them end in it, no other run has lines
    there, and no later line of the file concerns them.
    """

    before: int
    number: int
    start: int
    end: int
    lines: int
    runs: tuple[str, ...]
    is_whole: bool


class FileParts:
    """Splits the files of an import into parts, one file after the other."""

    def __init__(self, last_lines: LastLineIndex) -> None:
        self._runs = last_lines.last_lines()
        self._places = last_lines.places or ()
        self._count = 0
        # The last line, over all files, of the runs of earlier parts.
        self._reached = 0

    def of(self, prescan: ImportPrescan, size: int) -> Iterator[FilePart]:
        """Yield the parts of the next file, of ``size`` bytes, in order."""
        before, end = prescan.lines_before, prescan.lines_before + prescan.lines
        runs: list[str] = []
        start = (before, 0, 0)
        is_whole = self._reached <= before and not prescan.last_context
        few_contexts = len(prescan.contexts) <= _MOST_CONTEXTS
        count, self._count = self._count, prescan.runs
        for run_id, last in islice(self._runs, prescan.runs - count):
            line, number, offset = self._places[count * 3 : count * 3 + 3]
            count += 1
            is_cut = few_contexts and self._reached < line and prescan.last_context < line
            if is_cut and runs and (not is_whole or _is_enough(start, line, offset)):
                yield _part(start, (line - 1, number - 1, offset), runs, is_whole=is_whole)
                start, runs, is_whole = (line - 1, number - 1, offset), [], True
            runs.append(run_id)
            self._reached = max(self._reached, last)
        if end > start[0]:
            is_whole = is_whole and self._reached <= end
            yield _part(start, (end, prescan.lines, size), runs, is_whole=is_whole)


def _is_enough(start: tuple[int, int, int], line: int, offset: int) -> bool:
    return line - 1 - start[0] >= LINES or offset - start[2] >= BYTES


def _part(
    start: tuple[int, int, int], end: tuple[int, int, int], runs: list[str], *, is_whole: bool
) -> FilePart:
    lines, size = end[0] - start[0], end[2] - start[2]
    small = lines <= _MOST_LINES and size <= _MOST_BYTES
    return FilePart(*start, end[2], lines, tuple(runs), is_whole and small)
