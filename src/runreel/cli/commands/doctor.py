"""``runreel doctor``: health checks of the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from runreel.cli import options

if TYPE_CHECKING:
    from runreel.api.reel import Reel
    from runreel.cli.render.output import Output

_UNREACHABLE = 3


@options.command("""
runreel doctor
runreel doctor --json
runreel --db postgresql://me@host/log doctor
""")
@options.output()
@options.reel()
def doctor_command(reel: Reel, *, output: Output) -> None:
    """Check the health of the database and say what to do.

    Checks the database and its settings, files and permissions, tables and triggers, abandoned
    recordings, clocks, and packages whose model calls `watch` does not record; changes nothing.
    `verify` checks whether the log is intact.

    Exit code 1: a check failed; 3: the database cannot be reached.
    """
    from runreel.cli.render.list_views import CHECKS
    from runreel.doctor import check_health
    from runreel.model.timestamps import to_micros

    found = check_health(reel.db, now=to_micros(output.as_of))
    output.items(CHECKS, found.checks)
    if not found.reached:
        raise click.exceptions.Exit(_UNREACHABLE)
    if found.is_bad:
        raise click.exceptions.Exit(1)
