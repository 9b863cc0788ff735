"""``runreel runs``: which runs there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from runreel.cli import options

if TYPE_CHECKING:
    from runreel.cli.output import Output
    from runreel.reel import Reel


@click.command(
    "runs",
    epilog=options.examples("""
runreel runs --since 24h
runreel runs --status failed --model yandexgpt --json
runreel runs --label team=search -n 0 -o csv
runreel runs --after CURSOR
"""),
)
@options.filters
@click.option("-n", "--limit", type=options.COUNT, default=20, help="Maximum rows; 0 = all.")
@click.option(
    "--after", metavar="CURSOR", type=options.TEXT, help="The page after the one that told this."
)
@options.output(empty=True)
@options.reel()
def runs_command(reel: Reel, *, output: Output, **question: Any) -> None:
    """List runs, newest first.

    Times without an offset are local; --since is inclusive, --until is not. Where there are more
    runs than the limit, stderr (and `next` in JSON) tells how to go on.
    """
    from runreel.cli.kinds import RUNS

    page = reel.runs(**question)
    output.items(RUNS, page, as_of=page.as_of, next_=page.next)
