"""``runreel recover``: recordings that nobody has closed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from runreel.cli import options
from runreel.words.errors import UsageError

if TYPE_CHECKING:
    from runreel.cli.output import Output
    from runreel.reel import Reel


@click.command(
    "recover",
    epilog=options.examples("""
runreel recover --list
runreel recover --list --json
"""),
)
@click.option("--list", "list_", is_flag=True, help="List them and change nothing.")
@options.output(empty=True)
@options.reel()
def recover_command(reel: Reel, *, list_: bool, output: Output) -> None:
    """Find recordings that a dead process left open.

    A dash under PROCESS: it ran on another host and cannot be seen from here.
    """
    from runreel.cli.kinds import OPEN_RECORDINGS

    if not list_:
        raise UsageError(
            "closing recordings is not available in this version",
            hint="`runreel recover --list` shows which are open.",
        )
    output.items(OPEN_RECORDINGS, reel.recoverable(), as_of=datetime.now(UTC))
