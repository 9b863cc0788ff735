"""``runreel backup``: copy the database and verify the copy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from runreel.cli import options
from runreel.cli.render import terminal

if TYPE_CHECKING:
    from runreel.api.reel import Reel
    from runreel.cli.render.output import Output


@options.command("""
runreel backup log-2025-12-31.db
runreel backup /mnt/backups/log.db --json
""")
@click.argument("file", type=click.Path(), metavar="FILE")
@options.output()
@options.reel()
def backup_command(reel: Reel, *, file: str, output: Output) -> None:
    """Copy the log into a new file; writers are not blocked.

    The copy is a consistent snapshot without erased bytes. It is verified before FILE appears, and
    only its owner can read it. To restore it, replace the database file with it. For SQLite; on
    Postgres use pg_dump. Exit code 1: the log is not intact, or the copy was damaged and has been
    discarded.
    """
    from runreel.audit.backup import backup
    from runreel.cli.render import json_views, progress, shapes

    with progress.bar("Copying and verifying", in_bytes=True) as step:
        copied = backup(reel.db, Path(file), progress=step)
    report = json_views.fill(shapes.BACKUP, copied, file=file, bytes=copied.size)
    output.object(
        report,
        (
            (name.capitalize(), f"{value:,}" if isinstance(value, int) else file)
            for name, value in report.items()
        ),
    )
    if copied.wrong:
        terminal.write_notice(
            "The log is not intact, and so the copy is not: see `runreel verify`."
        )
        raise click.exceptions.Exit(1)
