"""Answers as tables: drawn and cut to the width on a terminal, plain and whole elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from rich.cells import cell_len, set_cell_size

from runreel.cli import terminal
from runreel.cli.safe import safe_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

T = TypeVar("T")
Cell = tuple[str, str | None]
Grid = list[list[Cell]]

UNKNOWN = "-"
# So many rows share their columns' widths; more would have to be held in memory.
_CHUNK = 1000
_NARROWEST = 8
_GAP = 2


@dataclass(frozen=True, slots=True)
class Column(Generic[T]):
    """One column; ``cell`` answers a text, with a style or without, or None for unknown.

    ``long`` columns are the ones to be cut where the terminal is narrow.
    """

    title: str
    cell: Callable[[T], str | int | Cell | None]
    right: bool = False
    long: bool = False


def show(columns: Sequence[Column[Any]], rows: Iterable[Any]) -> int:
    """Print a table; how many rows it has."""
    count, cut, left = 0, False, iter(rows)
    while chunk := list(islice(left, _CHUNK)):
        grid = [[_cell(column.cell(row)) for column in columns] for row in chunk]
        if terminal.is_terminal():
            cut |= _fit(columns, grid)
            terminal.out_rich(_drawn(columns, grid))
        else:
            for line in _plain(columns, grid, title=not count):
                terminal.out(*line)
        count += len(chunk)
    if cut:
        terminal.note(("Shortened to the width of the terminal; --json has it whole.", "dim"))
    return count


def show_facts(facts: Iterable[tuple[str, str | Cell | None]]) -> None:
    """Print names and their values, one below the other."""
    told = [(name, _cell(value)) for name, value in facts]
    width = max((len(name) for name, _ in told), default=0) + _GAP
    for name, value in told:
        terminal.out((name.ljust(width), "dim"), value)


def number(value: int | None) -> str | None:
    """A number as people read it."""
    return None if value is None else f"{value:,}"


def _cell(value: str | int | Cell | None) -> Cell:
    if value is None:
        return UNKNOWN, "dim"
    text, style = value if isinstance(value, tuple) else (str(value), None)
    return safe_line(text), style


def _plain(
    columns: Sequence[Column[Any]], grid: Grid, *, title: bool
) -> Iterator[list[terminal.Piece]]:
    if title:
        grid = [[(column.title, "bold") for column in columns], *grid]
    widths = _widths(columns, grid)
    for row in grid:
        line: list[terminal.Piece] = []
        for column, (text, style), width in zip(columns, row, widths, strict=True):
            blank = " " * (width - cell_len(text))
            if line:
                line.append(" " * _GAP)
            line += [blank, (text, style)] if column.right else [(text, style), blank]
        # No blanks at the end of a line.
        yield line if columns[-1].right else line[:-1]


def _widths(columns: Sequence[Column[Any]], grid: Grid) -> list[int]:
    return [
        max([len(column.title), *(cell_len(row[place][0]) for row in grid)])
        for place, column in enumerate(columns)
    ]


def _fit(columns: Sequence[Column[Any]], grid: Grid) -> bool:
    """Cut the long columns until the table fits the terminal; whether anything was cut."""
    widths = _widths(columns, grid)
    room = terminal.width() - 2 - _GAP * (len(columns) - 1)
    cut = {place for place, column in enumerate(columns) if column.long}
    for _ in range(sum(widths) - room):
        widest = max(cut, key=widths.__getitem__, default=None)
        if widest is None or widths[widest] <= _NARROWEST:
            break
        widths[widest] -= 1
    shortened = False
    ellipsis = "…" if terminal.takes_unicode() else "."
    for row in grid:
        for place in cut:
            text, style = row[place]
            if cell_len(text) > widths[place]:
                row[place] = set_cell_size(text, widths[place] - 1).rstrip() + ellipsis, style
                shortened = True
    return shortened


def _drawn(columns: Sequence[Column[Any]], grid: Grid) -> Any:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    edges = box.SIMPLE_HEAD if terminal.takes_unicode() else box.ASCII2
    table = Table(box=edges, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(
            Text(column.title), justify="right" if column.right else "left", no_wrap=True
        )
    for row in grid:
        table.add_row(*(Text(text, style or "") for text, style in row))
    return table
