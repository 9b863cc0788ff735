"""A SQLAlchemy engine on a Postgres database, for queries of users; runreel itself uses none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import NullPool

from runreel.store.drivers.postgres.connecting import connect

if TYPE_CHECKING:
    from runreel.store.database_url import Url


def read_only_engine(url: Url) -> Engine:
    """Return an engine whose connections cannot write, and see one snapshot each."""
    return create_engine(
        "postgresql+psycopg://",
        creator=lambda: connect(url, autocommit=False),
        # An idle connection would be shared with forked children.
        poolclass=NullPool,
        hide_parameters=True,
        # Set for each transaction: settings of a session get lost behind a pooler.
        execution_options={"postgresql_readonly": True, "isolation_level": "REPEATABLE READ"},
    )
