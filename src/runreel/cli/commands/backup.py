"""``runreel backup``: a copy of the log that is whole and intact."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from runreel.cli import options
from runreel.cli.render import terminal

if TYPE_CHECKING:
    from runreel.api.reel import Reel
    from runreel.cli.render.output import Output


@click.command(
    "backup",
    epilog=options.examples("""
runreel backup log-2025-12-31.db
runreel backup /mnt/backups/log.db --json
"""),
)
@click.argument("file", type=click.Path(), metavar="FILE")
@options.output()
@options.reel()
def backup_command(reel: Reel, *, file: str, output: Output) -> None:
    """Copy the log into a new file while it is written to.

    The copy is a snapshot of the log without erased bytes. It is verified before it gets its
    name, and only its owner can read it. To restore it, put it in the place of the log. For
    SQLite; on Postgres use pg_dump. Exit code 1: the log is not intact, or the copy is damaged and
    was discarded.
    """
    from runreel.audit.backup import backup
    from runreel.cli.render import progress, tables

    with progress.bar("Copying and verifying", in_bytes=True) as step:
        made = backup(reel.db, Path(file), progress=step)
    told = {
        "file": file,
        "bytes": made.size,
        "runs": made.runs,
        "events": made.events,
        "wrong": made.wrong,
    }
    if output.is_table:
        tables.print_fields(
            (name.capitalize(), value if isinstance(value, str) else f"{value:,}")
            for name, value in told.items()
        )
    else:
        output.object(told)
    if made.wrong:
        terminal.write_notice(
            "The copy is what the log is, and that is not intact: see `runreel verify`."
        )
        raise click.exceptions.Exit(1)
