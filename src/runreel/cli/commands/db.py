"""``runreel db``: manage the database."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from runreel.cli import options
from runreel.cli.render import terminal
from runreel.model.errors import UsageError
from runreel.store.drivers.postgres.partitions import LEAST, MOST

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from runreel.api.reel import Reel
    from runreel.cli.render.output import Output


_partitions = click.option(
    "--partitions",
    metavar="N",
    type=click.IntRange(LEAST, MOST),
    help="Split the event log into N partitions by run (Postgres).",
)
_role_option = partial(click.option, metavar="NAME", type=options.TEXT)


@click.group(
    "db",
    epilog=options.examples("""
runreel db status
runreel --db postgresql://me@host/log db upgrade
"""),
)
def db_command() -> None:
    """Manage the database."""


_command = partial(options.command, group=db_command)


@_command("""
runreel db upgrade
runreel --db postgresql://me@host/log db upgrade
runreel --db postgresql://me@host/log db upgrade --partitions 16
""")
@_partitions
@options.reel(create=True)
def upgrade(reel: Reel, partitions: int | None) -> None:
    """Create or migrate the tables.

    SQLite files are also migrated by `record`, `import` and programs that record, with a notice;
    commands that only read never migrate. Postgres is only migrated by this command, and its
    encoding must be UTF8. Concurrent upgrades are safe: one migrates, the others wait for it.
    Exits with 1 if the tables or their triggers differ from those of the migrations.

    With --partitions, the event log on Postgres is split into N partitions by run. A log that has
    events is rewritten: until that is done it takes twice the space and blocks its users. The
    number cannot be changed later.
    """
    from runreel.store.schema import comparison

    before, after = reel.db.upgrade(partitions=partitions)
    if before == after:
        terminal.write(f"{reel.url_shown}: already at revision {after}.")
    else:
        terminal.write(f"{reel.url_shown}: revision {before or 'none'} -> {after}.")
    if partitions is not None:
        terminal.write(f"Partitions: {partitions}.")
    with reel.db.reading() as connection:
        not_compared = comparison.not_compared(connection)
        found = comparison.differences(connection)
    if not_compared is not None:
        terminal.write_notice(f"Not compared: the tables and their triggers; {not_compared}.")
    for difference in found:
        terminal.write_notice(f"Schema differs: {difference}.")
    if found:
        raise click.exceptions.Exit(1)


@_command("runreel db current")
@options.output()
@options.reel()
def current(reel: Reel, *, output: Output) -> None:
    """Print the revision of the tables; a dash if there are none."""
    revision = reel.db.current()
    if output.is_table:
        terminal.write(revision or "-")
    else:
        output.object({"revision": revision})


@_command("""
runreel db sql
runreel --db postgresql://me@host/log db sql | psql
""")
@_partitions
@options.reel()
def sql(reel: Reel, partitions: int | None) -> None:
    """Print the DDL for this kind of database without connecting to one."""
    terminal.write(reel.db.sql(partitions=partitions), end="")


@_command("""
runreel db grants > roles.sql
runreel --db postgresql://me@host/log db grants --reader analyst | psql log
""")
@_role_option("--owner", default="runreel_owner", help="Owns the tables and migrates them.")
@_role_option("--recorder", default="runreel_recorder", help="Appends to the log.")
@_role_option("--reader", default="runreel_reader", help="Reads.")
@_role_option("--redactor", default="runreel_redactor", help="Records, redacts and prunes.")
@_role_option("--schema", default="public", help="Schema of the tables.")
@options.reel()
def grants(reel: Reel, /, **names: str) -> None:
    """Print the SQL of least-privilege roles without connecting to a database.

    For Postgres. Roles that do not exist are created, without a login; grant them to login roles.
    """
    from runreel.store.schema import roles as store

    if not reel.db.url.postgres:
        raise UsageError(
            "SQLite has no roles: a user who can write the file can change everything in it",
            hint="Only the owner can read the file. Roles need --db postgresql://...",
        )
    terminal.write_raw(store.roles_sql(store.Roles(**names)))


@_command("runreel db status --json")
@options.output()
@options.reel()
def status(reel: Reel, *, output: Output) -> None:
    """Show sizes, rows, settings and revision."""
    report = {"database": reel.url_shown, **reel.db.status()}
    output.object(report, _facts(report))


def _facts(report: Mapping[str, object]) -> Iterator[tuple[str, str | None]]:
    for name, value in report.items():
        if isinstance(value, dict):
            for key, inner in value.items():
                yield f"{name.capitalize()}: {key}", _format(inner)
        else:
            yield name.replace("_", " ").capitalize(), _format(value)


def _format(value: object) -> str | None:
    if value is None:
        return None
    return f"{value:,}" if type(value) is int else str(value)
