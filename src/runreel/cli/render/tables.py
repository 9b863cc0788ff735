"""Print tables: shortened to the width of a terminal, plain and complete elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Generic, TypeVar
from unicodedata import combining

from rich.cells import cell_len, set_cell_size

from runreel.cli import time_arguments
from runreel.cli.render import terminal
from runreel.codec.escaping import escape_line
from runreel.codec.joiners import JOINERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

T = TypeVar("T")
TableCell = tuple[str, str | None]
# A name and its value.
Fact = tuple[str, str | int | TableCell | None]

UNKNOWN = "-"
# Rows per chunk. Column widths are computed per chunk, so that a long list is not held in memory.
_CHUNK = 1000
_GAP = 2


@dataclass(frozen=True, slots=True)
class Column(Generic[T]):
    """One column; ``cell`` returns a text, with or without a style, or None for unknown.

    On a narrow terminal, cells may be cut to ``min_width`` characters (0: never), in the middle
    if ``cut_middle``, else at the end. Columns with a ``drop_priority`` above 0 are then left out:
    the highest first, among equal ones the last. The title of a time column names the time zone.
    """

    title: str
    cell: Callable[[T], str | int | TableCell | None]
    right: bool = False
    min_width: int = 0
    drop_priority: int = 0
    cut_middle: bool = False
    is_time: bool = False

    @property
    def heading(self) -> str:
        """The title as it is printed."""
        zone = f" ({time_arguments.zone()[1]})" if self.is_time else ""
        # A title may be a label key, which is untrusted text.
        return escape_line(self.title + zone)


def number_column(
    title: str, value: Callable[[T], int | None], drop_priority: int = 0
) -> Column[T]:
    """A column of numbers with thousands separators."""
    return Column(title, lambda item: number(value(item)), right=True, drop_priority=drop_priority)


def time_column(
    title: str,
    value: Callable[[T], datetime | None],
    drop_priority: int = 0,
    *,
    precise: bool = False,
) -> Column[T]:
    """A column of times, to the second or (``precise``) millisecond."""
    return Column(
        title,
        lambda item: time_arguments.local_time(value(item), precise=precise),
        is_time=True,
        drop_priority=drop_priority,
    )


def print_table(columns: Sequence[Column[T]], rows: Iterable[T]) -> int:
    """Print a table; return its number of rows."""
    limit = terminal.width() if terminal.is_terminal() else None
    count, any_cut, shown, remaining = 0, False, list(columns), iter(rows)
    while chunk := list(islice(remaining, _CHUNK)):
        drawn = [_DrawnColumn(column, chunk, limit) for column in shown]
        if limit is not None:
            _fit(drawn, limit)
        _print_chunk(drawn, heading=limit is not None or not count, rule=limit is not None)
        any_cut |= any(one.width < one.full_width for one in drawn)
        shown = [one.column for one in drawn]
        count += len(chunk)
    if any_cut or len(shown) < len(columns):
        _print_cut_notice([column.heading for column in columns if column not in shown])
    return count


def print_fields(facts: Iterable[Fact]) -> None:
    """Print names and their values, one per line."""
    cells = [(name, _cell(value)) for name, value in facts]
    width = max((len(name) for name, _ in cells), default=0) + _GAP
    for name, value in cells:
        terminal.write((name.ljust(width), "dim"), value)


def number(value: int | None) -> str | None:
    """Format a number with thousands separators."""
    return None if value is None else f"{value:,}"


class _DrawnColumn(Generic[T]):
    """A column with its cells, ``width`` wide."""

    def __init__(self, column: Column[T], rows: Iterable[T], limit: int | None) -> None:
        self.column = column
        if not column.min_width or column.cut_middle:
            limit = None
        self._cells = [(column.heading, "bold"), *(_cell(column.cell(row), limit) for row in rows)]
        self.full_width = self.width = max(cell_len(text) for text, _ in self._cells)
        self.least_width = min(self.width, column.min_width or self.width)

    def cells(self) -> Iterator[tuple[TableCell, ...]]:
        """The heading and the cells, shortened and padded to the width."""
        for cell, style in self._cells:
            text = shorten(cell, self.width, middle=self.column.cut_middle)
            blank = (" " * (self.width - cell_len(text)), None)
            yield (blank, (text, style)) if self.column.right else ((text, style), blank)


def _fit(drawn: list[_DrawnColumn[T]], limit: int) -> None:
    """Leave out columns, and narrow others, the widest first, until the table fits.

    Numbers are never cut: the table may be wider than the terminal.
    """
    while sum(one.least_width for one in drawn) + _GAP * (len(drawn) - 1) > limit:
        spare = [one for one in drawn if one.column.drop_priority]
        if not spare:
            break
        drawn.remove(max(reversed(spare), key=lambda one: one.column.drop_priority))
    for one in drawn:
        one.width = max(one.least_width, min(one.width, limit))
    while _width(drawn) > limit:
        wide = [one for one in drawn if one.width > one.least_width]
        if not wide:
            break
        max(wide, key=lambda one: one.width).width -= 1


def _width(drawn: Sequence[_DrawnColumn[T]]) -> int:
    return sum(one.width for one in drawn) + _GAP * (len(drawn) - 1)


def _print_cut_notice(hidden: list[str]) -> None:
    left_out = f" Left out: {', '.join(hidden)}." if hidden else ""
    terminal.write_notice(("Shortened to fit; -o json prints everything." + left_out, "dim"))


def _print_chunk(drawn: Sequence[_DrawnColumn[T]], *, heading: bool, rule: bool) -> None:
    first, *lines = zip(*(one.cells() for one in drawn), strict=True)
    if heading:
        _write_line(first)
    if rule:
        terminal.write(either("\N{BOX DRAWINGS LIGHT HORIZONTAL}", "-") * _width(drawn))
    for line in lines:
        _write_line(line)


def _write_line(cells: Iterable[tuple[TableCell, ...]]) -> None:
    line: list[TableCell] = []
    for cell in cells:
        line += [(" " * _GAP, None), *cell] if line else cell
    while line and not line[-1][0].strip():
        line.pop()
    terminal.write(*line)


def _cell(value: str | int | TableCell | None, max_width: int | None = None) -> TableCell:
    if value is None:
        return UNKNOWN, "dim"
    text, style = value if isinstance(value, tuple) else (str(value), None)
    if max_width is not None and len(text) > max_width:
        text = text[:max_width].rstrip(JOINERS) + ellipsis()
    return escape_line(text), style


def ellipsis() -> str:
    """Return the sign of a cut text."""
    return either("\N{HORIZONTAL ELLIPSIS}", "~")


def either(char: str, ascii_char: str) -> str:
    """Return ``char`` if the output can encode it."""
    return char if terminal.takes_unicode() else ascii_char


def shorten(text: str, width: int, *, middle: bool = False) -> str:
    """Cut a text to ``width`` columns, at the end or in the middle, with an ellipsis."""
    if cell_len(text) <= width:
        return text
    # Similar ids may differ at the start or at the end, so both are kept.
    end = _tail(text, (width - 1) // 2) if middle else ""
    begin = _head(text, width - 1 - cell_len(end))
    return begin + ellipsis() + end


def _head(text: str, width: int) -> str:
    return set_cell_size(text[:width], width).rstrip(f" {JOINERS}")


def _tail(text: str, width: int) -> str:
    start = len(text) - width
    while start < len(text) and (
        cell_len(text[start:]) > width or text[start] in JOINERS or combining(text[start])
    ):
        start += 1
    return text[start:]
