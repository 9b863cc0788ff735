"""``runreel usage``: count tokens by group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

import click

from runreel.cli import options, selection
from runreel.projection.usage_periods import COLUMNS, TIMES

if TYPE_CHECKING:
    from runreel.api.reel import Reel
    from runreel.cli.render.output import Output
    from runreel.model.run_filter import Filters


@options.command("""
runreel usage
runreel usage --by model --by month --since 2025-01-01
runreel usage --by label:team --tz Europe/Moscow --json
""")
@click.option(
    "--by",
    multiple=True,
    default=("day",),
    metavar="GROUP",
    type=options.TEXT,
    help=f"{', '.join((*TIMES, *COLUMNS))} or label:K (repeatable).",
)
@selection.filters
@options.output(empty=True)
@options.reel()
def usage_command(
    reel: Reel, /, by: tuple[str, ...], *, output: Output, **filters: Unpack[Filters]
) -> None:
    """Count tokens by day, model, assistant and more.

    A run counts at the time it started. Its usage is the last one that its source reported; runs
    without usage are counted as unknown, not as zero. Of several model calls in a run, those that
    reported usage are summed. Filters work as in `runreel runs`.
    """
    from runreel.cli import time_arguments
    from runreel.cli.render import usage_table

    report = reel.usage(tuple(dict.fromkeys(by)), tz=time_arguments.requested_zone(), **filters)
    if output.format == "json":
        output.object(usage_table.totals_row(report))
    elif output.is_table:
        usage_table.print_usage(report)
    else:
        output.lines(usage_table.list_view(report.by), report.items)
    output.found("runs", report.totals.runs)
