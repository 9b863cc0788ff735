"""Options of the layout of a usage report."""

from __future__ import annotations

import functools
from dataclasses import fields
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import click

from runreel.cli import options
from runreel.cli.render.report_layout import MEASURES, ReportLayout

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
R = TypeVar("R")

_OPTIONS = (
    click.option(
        "--fill", is_flag=True, help="Also list hours, days and longer periods without runs."
    ),
    click.option(
        "--sort",
        metavar="COLUMN",
        type=options.TEXT,
        help="Sort by a column: numbers from the largest, texts from A. Default: by group.",
    ),
    click.option(
        "-n",
        "--limit",
        type=options.COUNT,
        metavar="N",
        default=0,
        help="Print at most N groups; 0: all. The totals are of all.",
    ),
    click.option(
        "--pivot",
        metavar="GROUP",
        type=options.TEXT,
        help="A column for each value of GROUP, as for --by.",
    ),
    click.option(
        "--measure",
        type=click.Choice(MEASURES),
        help="What --pivot and --chart show. Default: total (tokens).",
    ),
    click.option("--chart", is_flag=True, help="Draw bars instead of a table."),
    click.option("--bom", is_flag=True, help="Begin CSV with a byte order mark, for Excel."),
)


def layout(function: Callable[P, R]) -> Callable[P, R]:
    """Add the options of the layout; pass them as ``layout``."""

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        found = {field.name: kwargs.pop(field.name) for field in fields(ReportLayout)}
        kwargs["layout"] = ReportLayout(**found)  # type: ignore[arg-type]
        return function(*args, **kwargs)

    command: Callable[P, R] = wrapper
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
