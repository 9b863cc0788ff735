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
runreel timeline run-1 run-2 -o jsonl
""")
@options.one_or_more_runs
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
def timeline_command(reel: Reel, *, runs: tuple[str, ...], idle: float, output: Output) -> None:
    """Show where the time of runs went.

    Steps are the request until the server sends anything, the wait for the first text, the stream,
    the tools that the program executes, and pauses. They cover a run without overlap. Times are
    those of the recording; if the run was imported, stderr says what they are.
    """
    from runreel.cli.render import terminal, timeline_view
    from runreel.codec.escaping import escape_line
    from runreel.query import run_steps

    run_ids = list(dict.fromkeys(map(reel.resolve, runs)))
    several = len(run_ids) > 1
    found = (run_steps.steps(reel.db, run_id, idle=idle) for run_id in run_ids)
    if output.is_table:
        for number, one in enumerate(found):
            if number:
                terminal.write("")
            if several:
                terminal.write((escape_line(one.run_id), "bold"))
            timeline_view.print_timeline(one)
    elif output.format == "json":
        if several:
            output.items(timeline_view.RUNS, found)
        else:
            output.object(timeline_view.value(next(found)))
    elif several:
        pairs = ((one.run_id, step) for one in found for step in one.steps)
        output.items(timeline_view.STEPS_OF_RUNS, pairs)
    else:
        output.items(timeline_view.STEPS, next(found).steps)
