"""Runs the migrations: for runreel itself, or for Alembic's own command line."""

from __future__ import annotations

import os
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from alembic import context
from alembic.util import CommandError

from runreel.model.errors import RunreelError
from runreel.store.database_url import parse_url
from runreel.store.drivers.errors import our_errors
from runreel.store.drivers.factory import create_driver
from runreel.store.pool import Pool
from runreel.store.schema.migrations import VERSION_TABLE, alchemy, current
from runreel.store.schema.tables import metadata

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from runreel.store.database_url import Url

config = context.config
options: dict[str, Any] = {
    "target_metadata": metadata,
    "version_table": VERSION_TABLE,
    # The caller owns the transaction; SQLite's driver would begin a deferred one.
    "transactional_ddl": False,
    "transaction_per_migration": False,
}


def run(connection: Connection) -> None:
    context.configure(connection=connection, **options)
    context.run_migrations()


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Raise runreel's errors as Alembic's, which its command line prints without a traceback."""
    try:
        yield
    except RunreelError as error:
        raise CommandError(f"{error}. {error.hint or ''}".rstrip()) from error


def run_alone() -> None:
    url = config.get_main_option("sqlalchemy.url") or os.environ.get("RUNREEL_DB")
    if not url:
        raise SystemExit("Name the database: RUNREEL_DB=... alembic upgrade head")
    with one_line_errors():
        parsed = parse_url(url)
        with our_errors(parsed):
            migrate(parsed)


def migrate(url: Url) -> None:
    driver = create_driver(url, durability="full")
    driver.create_file(allowed=True)
    with (
        closing(Pool(driver).connect()) as log,
        alchemy(log) as connection,
        log.transaction(),
    ):
        driver.catalogue.prepare_migration(log)
        if current(log) is None:
            driver.catalogue.prepare_creation(log)
        run(connection)


if context.is_offline_mode():
    with one_line_errors():
        given = os.environ.get("RUNREEL_DB", "runreel.db")
        url = config.attributes.get("url") or parse_url(given)
    context.configure(
        dialect_name="postgresql" if url.postgres else "sqlite",
        output_buffer=config.attributes.get("output"),
        literal_binds=True,
        **options,
    )
    context.run_migrations()
elif "connection" in config.attributes:
    run(config.attributes["connection"])
else:
    run_alone()
