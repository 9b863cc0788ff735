"""``runreel rebuild``: the projections, made anew or compared."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from runreel.cli import jsonify, options, progress, terminal
from runreel.cli.output import Kind
from runreel.cli.tables import Column
from runreel.words.errors import RunNotFound

if TYPE_CHECKING:
    from runreel.cli.output import Output
    from runreel.reel import Reel
    from runreel.words.log import Difference


def _shown(value: object) -> str | None:
    return value if value is None or isinstance(value, str) else jsonify.text(jsonify.plain(value))


def _resolved(reel: Reel, run: str) -> str:
    try:
        return reel.resolve(run)
    except RunNotFound:
        # A projection without a run in the log is one of the things to be found.
        return run


DIFFERENCES: Kind[Difference] = Kind(
    "differences",
    jsonify.difference,
    ("run_id", "column", "stored", "rebuilt"),
    (
        Column("RUN", lambda found: found.run_id, long=True),
        Column("COLUMN", lambda found: found.column),
        Column("STORED", lambda found: _shown(found.stored), long=True),
        Column("REBUILT", lambda found: _shown(found.rebuilt), long=True),
    ),
)


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
    as_of = datetime.now(UTC)
    chosen = [_resolved(reel, run) for run in runs] or None
    with progress.bar("Checking" if check else "Rebuilding") as step:
        found = reel.rebuild(chosen, check=check, progress=step)
    output.items(DIFFERENCES, found, as_of=as_of)
    if found and check:
        raise click.exceptions.Exit(1)
    if found:
        terminal.note("The projections were mended.")
