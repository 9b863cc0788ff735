"""``runreel timeline``: where the time of a run went."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from runreel.cli import options, selection

if TYPE_CHECKING:
    from runreel.api.reel import Reel
    from runreel.cli.render.output import Output


@options.command("""
runreel timeline latest
runreel timeline demo-20251231 --idle 0.2
runreel timeline latest -o jsonl
""")
@options.run_argument
@click.option(
    "--idle",
    type=click.FloatRange(min=0),
    default=1.0,
    metavar="SECONDS",
    help="A longer pause in a stream is a step of its own.",
)
@selection.tz
@options.output()
@options.reel()
def timeline_command(reel: Reel, *, run: str, idle: float, output: Output) -> None:
    """Show where the time of a run went.

    Steps are the request until the server sends anything, the wait for the first text, the stream,
    the tools that the program executes, and pauses. They cover the run without overlap. Times are
    those of the recording; if the run was imported, stderr says what they are.
    """
    from runreel.cli.render import timeline_view
    from runreel.query import run_steps

    found = run_steps.steps(reel.db, reel.resolve(run), idle=idle)
    if output.format in ("jsonl", "csv"):
        output.items(timeline_view.STEPS, found.steps)
    elif output.is_table:
        timeline_view.print_timeline(found)
    else:
        output.object(timeline_view.value(found))
