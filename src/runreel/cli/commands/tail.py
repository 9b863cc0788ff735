"""``runreel tail``: follow runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from runreel.cli import completions, options, selection
from runreel.cli.render import terminal

if TYPE_CHECKING:
    from runreel.api.reel import Reel
    from runreel.cli.render.output import Output
    from runreel.store.connection import Connection


@options.command("""
runreel tail latest
runreel tail
runreel tail demo-20251231 -n 0 -o jsonl
runreel tail latest --from 120 --timeout 30
""")
@click.argument(
    "run",
    metavar="[RUN]",
    required=False,
    type=options.RUN,
    shell_complete=completions.run_ids,
)
@click.option(
    "-n",
    "--last",
    type=options.COUNT,
    default=10,
    help="Number of last rows to begin with; 0 = all.",
)
@click.option(
    "--from",
    "start",
    type=options.SEQ,
    metavar="SEQ",
    help="Begin at this row.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="End after SECONDS without anything new.",
)
@click.option("--no-follow", "once", is_flag=True, help="Print what the log has, and end.")
@selection.tz
@options.output()
@options.reel()
def tail_command(  # noqa: PLR0913 - one for each option
    reel: Reel,
    *,
    run: str | None,
    last: int,
    start: int | None,
    timeout: float | None,
    once: bool,
    output: Output,
) -> None:
    """Follow runs: their last events, then new ones as they come.

    Ends with a last line when the recording of RUN has ended. On a terminal, the text of a run is
    printed as it grows. Without RUN, all open runs are followed, also those that open later, until
    Ctrl-C; each line begins with the run. A RUN that is not in the log yet is awaited for two
    seconds, or for the timeout.

    To continue after an interruption, give the row after the last one to --from.

    Exit code 1: nothing new came within the timeout, the process that recorded the run is gone, or
    the run was pruned meanwhile.
    """
    from runreel.cli.render import tail_view
    from runreel.query import follow, runs

    def find(connection: Connection) -> str:
        return runs.resolve(connection, run or "")

    by_default = click.get_current_context().get_parameter_source("last") is ParameterSource.DEFAULT
    limit = None if last == 0 or (start is not None and by_default) else last
    request = follow.FollowRequest(
        None if run is None else find, start, limit, timeout=timeout, once=once
    )
    items = follow.follow(reel.db, request, sleep=terminal.wait)
    end = tail_view.print_tail(output, items, several=run is None)
    raise click.exceptions.Exit(tail_view.exit_code(end))
