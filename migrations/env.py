"""Runs the migrations: for runreel itself, or for Alembic's own command line."""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING, Any

from alembic import context

from runreel.store import engine as engines
from runreel.store.connection import Connection as Log
from runreel.store.schema import VERSION_TABLE, alchemy
from runreel.store.tables import metadata
from runreel.store.urls import parse_url, sqlite_path

if TYPE_CHECKING:
    from sqlalchemy import Connection

config = context.config
options: dict[str, Any] = {
    "target_metadata": metadata,
    "version_table": VERSION_TABLE,
    # Whoever calls owns the transaction; SQLite's driver would begin a deferred one.
    "transactional_ddl": False,
    "transaction_per_migration": False,
}


def run(connection: Connection) -> None:
    context.configure(connection=connection, **options)
    context.run_migrations()


def run_alone() -> None:
    url = config.get_main_option("sqlalchemy.url") or os.environ.get("RUNREEL_DB")
    if not url:
        raise SystemExit("Name the database: RUNREEL_DB=... alembic upgrade head")
    parsed = parse_url(url)
    path = sqlite_path(parsed)
    if path is not None:
        engines.make_private(path)
    engine = engines.create(parsed, durability="full")
    with closing(Log(engine.connect())) as log, alchemy(log) as connection, log.transaction():
        run(connection)
    engine.dispose()


if context.is_offline_mode():
    told = os.environ.get("RUNREEL_DB", "runreel.db")
    url = config.attributes.get("url") or parse_url(told)
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
