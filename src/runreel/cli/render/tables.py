"""Print tables: shortened to the width of a terminal, plain and complete elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from unicodedata import combining

from rich.cells import cell_len, set_cell_size

from runreel.cli import time_arguments
from runreel.cli.render import terminal
from runreel.cli.render.escaping import escape_line
from runreel.cli.render.joiners import JOINERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

T = TypeVar("T")
TableCell = tuple[str, str | None]
Grid = list[list[TableCell]]

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


def print_table(columns: Sequence[Column[Any]], rows: Iterable[Any]) -> int:
    """Print a table; return its number of rows."""
    count, any_cut, remaining = 0, False, iter(rows)
    shown = list(columns)
    while chunk := list(islice(remaining, _CHUNK)):
        if terminal.is_terminal():
            grid = _grid(shown, chunk, max_width=terminal.width())
            indexes = _columns_that_fit(shown, grid)
            shown = [shown[index] for index in indexes]
            grid, cut = _fit(shown, [[row[index] for index in indexes] for row in grid])
            any_cut |= cut
            # Numbers are never cut: the table may be wider than the terminal.
            terminal.write_rich(_rich_table(shown, grid), columns=_width(_widths(shown, grid)))
        else:
            for line in _plain_lines(columns, _grid(columns, chunk), title=not count):
                terminal.write(*line)
        count += len(chunk)
    if any_cut or len(shown) < len(columns):
        _print_cut_notice([_title(column) for column in columns if column not in shown])
    return count


def print_fields(facts: Iterable[tuple[str, str | TableCell | None]]) -> None:
    """Print names and their values, one per line."""
    cells = [(name, _cell(value)) for name, value in facts]
    width = max((len(name) for name, _ in cells), default=0) + _GAP
    for name, value in cells:
        terminal.write((name.ljust(width), "dim"), value)


def number(value: int | None) -> str | None:
    """Format a number with thousands separators."""
    return None if value is None else f"{value:,}"


def _grid(
    columns: Sequence[Column[Any]], rows: Iterable[Any], *, max_width: int | None = None
) -> Grid:
    """The cells as texts; those that may be cut at the end are limited to ``max_width``."""
    return [
        [
            _cell(
                column.cell(row), max_width if column.min_width and not column.cut_middle else None
            )
            for column in columns
        ]
        for row in rows
    ]


def _title(column: Column[Any]) -> str:
    # A title may be a label key, which is untrusted text.
    return escape_line(
        f"{column.title} ({time_arguments.zone()[1]})" if column.is_time else column.title
    )


def _cell(value: str | int | TableCell | None, max_width: int | None = None) -> TableCell:
    if value is None:
        return UNKNOWN, "dim"
    text, style = value if isinstance(value, tuple) else (str(value), None)
    if max_width is not None and len(text) > max_width:
        text = text[:max_width].rstrip(JOINERS) + _ellipsis()
    return escape_line(text), style


def _ellipsis() -> str:
    return "\N{HORIZONTAL ELLIPSIS}" if terminal.takes_unicode() else "~"


def _plain_lines(
    columns: Sequence[Column[Any]], grid: Grid, *, title: bool
) -> Iterator[list[terminal.StyledText]]:
    if title:
        grid = [[(_title(column), "bold") for column in columns], *grid]
    widths = _widths(columns, grid)
    for row in grid:
        line: list[terminal.StyledText] = []
        for column, (text, style), width in zip(columns, row, widths, strict=True):
            blank = " " * (width - cell_len(text))
            if line:
                line.append(" " * _GAP)
            line += [blank, (text, style)] if column.right else [(text, style), blank]
        while line and not _text(line[-1]).strip():
            line.pop()
        yield line


def _text(styled: terminal.StyledText) -> str:
    return styled if isinstance(styled, str) else styled[0]


def _widths(columns: Sequence[Column[Any]], grid: Grid) -> list[int]:
    return [
        max([cell_len(_title(column)), *(cell_len(row[index][0]) for row in grid)])
        for index, column in enumerate(columns)
    ]


def _width(widths: Iterable[int]) -> int:
    """The width of a table with columns of these widths."""
    columns = list(widths)
    return sum(columns) + _GAP * (len(columns) - 1)


def _columns_that_fit(columns: Sequence[Column[Any]], grid: Grid) -> list[int]:
    """The indexes of the columns that fit the terminal."""
    widths = _widths(columns, grid)
    kept = list(range(len(columns)))
    while True:
        needed = [min(widths[index], columns[index].min_width or widths[index]) for index in kept]
        spare = [index for index in kept if columns[index].drop_priority]
        if not spare or _width(needed) <= terminal.width():
            return kept
        kept.remove(max(spare, key=lambda index: (columns[index].drop_priority, index)))


def _fit(columns: Sequence[Column[Any]], grid: Grid) -> tuple[Grid, bool]:
    """Shorten cells until the table fits the terminal; also return whether any was shortened."""
    max_width = terminal.width()
    widths = [
        min(width, max_width) if column.min_width else width
        for column, width in zip(columns, _widths(columns, grid), strict=True)
    ]
    for _ in range(_width(widths) - max_width):
        slack = [
            index for index, column in enumerate(columns) if 0 < column.min_width < widths[index]
        ]
        if not slack:
            break
        widths[max(slack, key=widths.__getitem__)] -= 1
    fitted = [
        [
            _shorten(cell, width, middle=column.cut_middle)
            for cell, width, column in zip(row, widths, columns, strict=True)
        ]
        for row in grid
    ]
    return fitted, fitted != grid


def _shorten(cell: TableCell, width: int, *, middle: bool) -> TableCell:
    text, style = cell
    if cell_len(text) <= width:
        return cell
    # Similar ids may differ at the start or at the end, so both are kept.
    end = _tail(text, (width - 1) // 2) if middle else ""
    begin = _head(text, width - 1 - cell_len(end))
    return begin + _ellipsis() + end, style


def _head(text: str, width: int) -> str:
    return set_cell_size(text[:width], width).rstrip(f" {JOINERS}")


def _tail(text: str, width: int) -> str:
    start = len(text) - width
    while start < len(text) and (
        cell_len(text[start:]) > width or text[start] in JOINERS or combining(text[start])
    ):
        start += 1
    return text[start:]


def _print_cut_notice(hidden: list[str]) -> None:
    left_out = f" Left out: {', '.join(hidden)}." if hidden else ""
    terminal.write_notice(("Shortened to fit; -o json prints everything." + left_out, "dim"))


def _rich_table(columns: Sequence[Column[Any]], grid: Grid) -> Any:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(
        box=box.SIMPLE_HEAD if terminal.takes_unicode() else box.ASCII2,
        show_edge=False,
        pad_edge=False,
        padding=(0, _GAP - 1, 0, 0),
        header_style="bold",
    )
    for column in columns:
        table.add_column(
            Text(_title(column)), justify="right" if column.right else "left", no_wrap=True
        )
    for row in grid:
        table.add_row(*(Text(text, style or "") for text, style in row))
    return table
