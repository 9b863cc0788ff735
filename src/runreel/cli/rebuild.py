"""``runreel rebuild``: the projections, made anew or compared."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from runreel.cli import options, terminal
from runreel.words.errors import RunNotFound

if TYPE_CHECKING:
    from runreel.cli.output import Output
    from runreel.reel import Reel


@click.command(
    "rebuild",
    epilog=options.examples("""
runreel rebuild
runreel rebuild --check
runreel rebuild latest demo-20251231 --check --json
"""),
)
@options.runs_argument
@click.option("--check", is_flag=True, help="Compare only and change nothing; 1 on a difference.")
@options.output()
@options.reel()
def rebuild_command(reel: Reel, runs: tuple[str, ...], *, check: bool, output: Output) -> None:
    """Make the projections anew from the log.

    Of the runs that are named, or of all. Prints where the projections were not what the log
    says: nothing, if all is well. A column `*` is a row that is missing or too many.
    """
    from runreel.cli import progress
    from runreel.cli.kinds import DIFFERENCES

    as_of = datetime.now(UTC)
    chosen = [_resolved(reel, run) for run in runs] or None
    with progress.bar("Checking" if check else "Rebuilding") as step:
        found = reel.rebuild(chosen, check=check, progress=step)
    output.items(DIFFERENCES, found, as_of=as_of)
    if found and check:
        raise click.exceptions.Exit(1)
    if found:
        terminal.note("The projections were mended.")


def _resolved(reel: Reel, run: str) -> str:
    try:
        return reel.resolve(run)
    except RunNotFound:
        # A projection without a run in the log is one of the things to be found.
        return run
