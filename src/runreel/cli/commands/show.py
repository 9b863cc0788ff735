"""``runreel show``: show one run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from runreel.cli import options, price_options, selection
from runreel.cli.render import terminal

if TYPE_CHECKING:
    from datetime import datetime

    from runreel.api.reel import Reel
    from runreel.cli.render.output import Output


@options.command("""
runreel show latest
runreel show demo-20251231 --content
runreel show latest --at 12 --json
runreel show run-1 run-2 -o jsonl
runreel show latest --at 2025-12-31T18:30
""")
@options.one_or_more_runs
@click.option(
    "--content",
    is_flag=True,
    help="Include its story: requests, reasoning, text so far, tool calls with results, errors.",
)
@click.option(
    "--at",
    type=selection.SEQ_OR_TIME,
    metavar="SEQ|TIME",
    help="State after row SEQ, or at TIME.",
)
@price_options.prices
@selection.tz
@options.output()
@options.reel()
def show_command(  # noqa: PLR0913 - options of the command
    reel: Reel,
    runs: tuple[str, ...],
    at: int | datetime | None,
    *,
    content: bool,
    prices: str | None,
    output: Output,
) -> None:
    """Show runs: their result, usage and timing.

    A number given to --at is the SEQ of a row; anything else is a time on the clock of the run,
    which is that of its source if the run was imported. A dash means unknown, not zero.

    With --content, each step of the story has the time since the run was asked, or began. JSON also
    has the text of the last answer, its parts, citations and reasoning, and the last request.
    JSON always has what the run cost; --prices names the price book.
    """
    from runreel.cli.cost_options import LazyPricing
    from runreel.cli.render import priced_runs, run_detail, shown_views
    from runreel.query import run_history

    shown = (run_history.show(reel.db, run, at, with_content=content) for run in runs)
    if output.is_table:
        for number, one in enumerate(shown):
            if number:
                terminal.write("")
            run_detail.print_run(one.summary, one.result, one.story if content else None)
        return
    view = shown_views.view(priced_runs.RunPrices(LazyPricing(prices)), content=content)
    if len(runs) == 1:
        output.object(view.value(next(shown)))
    else:
        output.items(view, shown)
