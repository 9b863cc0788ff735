"""``runreel doctor``: whether the log is well kept."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from runreel.cli import options

if TYPE_CHECKING:
    from runreel.cli.output import Output
    from runreel.reel import Reel

_UNREACHED = 3


@click.command(
    "doctor",
    epilog=options.examples("""
runreel doctor
runreel doctor --json
runreel --db postgresql://me@host/log doctor
"""),
)
@options.output()
@options.reel()
def doctor_command(reel: Reel, *, output: Output) -> None:
    """Look whether the log is well kept, and say what to do.

    Looks at the database and its settings, files and permissions, tables and guards, forgotten
    recordings and clocks, and changes nothing. Whether the log is intact is what `verify` tells.
    Exit code 1 if something is bad, 3 if the database cannot be reached.
    """
    from runreel.cli.kinds import CHECKS
    from runreel.doctor import examine
    from runreel.words.times import to_micros

    as_of = datetime.now(UTC)
    found = examine(reel.db, now=to_micros(as_of))
    output.items(CHECKS, found.checks, as_of=as_of)
    if not found.reached:
        raise click.exceptions.Exit(_UNREACHED)
    if found.is_bad:
        raise click.exceptions.Exit(1)
