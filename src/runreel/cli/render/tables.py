"""Answers as tables: drawn and cut to the width on a terminal, plain and whole elsewhere."""

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
# So many rows share their columns' widths; more would have to be held in memory.
_CHUNK = 1000
_GAP = 2


@dataclass(frozen=True, slots=True)
class Column(Generic[T]):
    """One column; ``cell`` answers a text, with a style or without, or None for unknown.

    Where the terminal is narrow, its cells may be cut to ``shortest`` characters (0: never), in
    the ``middle`` or at the end, and it is left out if it is ``spare``: the highest number first,
    of equal ones the last. The title of times names their zone.
    """

    title: str
    cell: Callable[[T], str | int | TableCell | None]
    right: bool = False
    min_width: int = 0
    drop_priority: int = 0
    cut_middle: bool = False
    is_time: bool = False


def print_table(columns: Sequence[Column[Any]], rows: Iterable[Any]) -> int:
    """Print a table; how many rows it has."""
    count, cut, left = 0, False, iter(rows)
    shown = list(columns)
    while chunk := list(islice(left, _CHUNK)):
        if terminal.is_terminal():
            grid = _grid(shown, chunk, most=terminal.width())
            places = _without_spare_columns(shown, grid)
            shown = [shown[place] for place in places]
            grid, pieces = _fitted(shown, [[row[place] for place in places] for row in grid])
            cut |= pieces
            # Rather wider than the terminal than with half a number.
            terminal.write_rich(_drawn(shown, grid), columns=_width(_widths(shown, grid)))
        else:
            for line in _plain(columns, _grid(columns, chunk), title=not count):
                terminal.write(*line)
        count += len(chunk)
    if cut or len(shown) < len(columns):
        _print_cut_notice([_title(column) for column in columns if column not in shown])
    return count


def print_fields(facts: Iterable[tuple[str, str | TableCell | None]]) -> None:
    """Print names and their values, one below the other."""
    told = [(name, _cell(value)) for name, value in facts]
    width = max((len(name) for name, _ in told), default=0) + _GAP
    for name, value in told:
        terminal.write((name.ljust(width), "dim"), value)


def number(value: int | None) -> str | None:
    """A number as people read it."""
    return None if value is None else f"{value:,}"


def _grid(columns: Sequence[Column[Any]], rows: Iterable[Any], *, most: int | None = None) -> Grid:
    """The cells as texts; those that may be cut are held to some more than ``most`` characters."""
    return [
        [
            _cell(column.cell(row), most if column.min_width and not column.cut_middle else None)
            for column in columns
        ]
        for row in rows
    ]


def _title(column: Column[Any]) -> str:
    # Labels make titles, and anybody makes labels.
    return escape_line(
        f"{column.title} ({time_arguments.zone()[1]})" if column.is_time else column.title
    )


def _cell(value: str | int | TableCell | None, most: int | None = None) -> TableCell:
    if value is None:
        return UNKNOWN, "dim"
    text, style = value if isinstance(value, tuple) else (str(value), None)
    if most is not None and len(text) > most:
        text = text[:most].rstrip(JOINERS) + _ellipsis()
    return escape_line(text), style


def _ellipsis() -> str:
    return "\N{HORIZONTAL ELLIPSIS}" if terminal.takes_unicode() else "~"


def _plain(
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


def _text(piece: terminal.StyledText) -> str:
    return piece if isinstance(piece, str) else piece[0]


def _widths(columns: Sequence[Column[Any]], grid: Grid) -> list[int]:
    return [
        max([cell_len(_title(column)), *(cell_len(row[place][0]) for row in grid)])
        for place, column in enumerate(columns)
    ]


def _width(widths: Iterable[int]) -> int:
    """How wide a table of such columns is."""
    told = list(widths)
    return sum(told) + _GAP * (len(told) - 1)


def _without_spare_columns(columns: Sequence[Column[Any]], grid: Grid) -> list[int]:
    """The places of the columns that the terminal has room for."""
    widths = _widths(columns, grid)
    kept = list(range(len(columns)))
    while True:
        needed = [min(widths[place], columns[place].min_width or widths[place]) for place in kept]
        spare = [place for place in kept if columns[place].drop_priority]
        if not spare or _width(needed) <= terminal.width():
            return kept
        kept.remove(max(spare, key=lambda place: (columns[place].drop_priority, place)))


def _fitted(columns: Sequence[Column[Any]], grid: Grid) -> tuple[Grid, bool]:
    """The cells, those that may be cut until the table fits the terminal; whether any was."""
    most = terminal.width()
    widths = [
        min(width, most) if column.min_width else width
        for column, width in zip(columns, _widths(columns, grid), strict=True)
    ]
    for _ in range(_width(widths) - most):
        slack = [
            place for place, column in enumerate(columns) if 0 < column.min_width < widths[place]
        ]
        if not slack:
            break
        widths[max(slack, key=widths.__getitem__)] -= 1
    fitted = [
        [
            _short(cell, width, middle=column.cut_middle)
            for cell, width, column in zip(row, widths, columns, strict=True)
        ]
        for row in grid
    ]
    return fitted, fitted != grid


def _short(cell: TableCell, width: int, *, middle: bool) -> TableCell:
    text, style = cell
    if cell_len(text) <= width:
        return cell
    # Ids that begin alike often differ in their end, and others in their beginning.
    end = _end(text, (width - 1) // 2) if middle else ""
    begin = _begin(text, width - 1 - cell_len(end))
    return begin + _ellipsis() + end, style


def _begin(text: str, width: int) -> str:
    return set_cell_size(text[:width], width).rstrip(f" {JOINERS}")


def _end(text: str, width: int) -> str:
    start = len(text) - width
    while start < len(text) and (
        cell_len(text[start:]) > width or text[start] in JOINERS or combining(text[start])
    ):
        start += 1
    return text[start:]


def _print_cut_notice(hidden: list[str]) -> None:
    left_out = f" Left out: {', '.join(hidden)}." if hidden else ""
    terminal.write_notice(("Shortened to fit; -o json has it whole." + left_out, "dim"))


def _drawn(columns: Sequence[Column[Any]], grid: Grid) -> Any:
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
