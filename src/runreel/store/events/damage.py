"""Checks of the tables that describe the database, and snapshots to read it in."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING

from runreel.store.drivers.errors import damage_reason
from runreel.store.schema.migrations import VERSION_TABLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.store.connection import Connection

_META = {"database_id", "projection_version"}
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def file_problems(connection: Connection) -> Iterator[str]:
    """Yield the problems that the database finds in its own file."""
    return connection.driver.admin.file_problems(connection)


def meta_problems(connection: Connection) -> Iterator[str]:
    """Yield the problems of the tables that describe the database."""
    found = dict(connection.all("SELECT key, value FROM runreel_meta ORDER BY key"))
    for key in sorted(_META - found.keys(), key=repr):
        yield f"runreel_meta has no {key}"
    for key in found.keys() - _META:
        yield f"runreel_meta has a row {key!r} that is not runreel's"
    database_id = found.get("database_id")
    if database_id is not None and not _ID.fullmatch(
        database_id if isinstance(database_id, str) else ""
    ):
        yield f"the database's id is damaged: {database_id!r}"
    revisions = connection.all(f"SELECT version_num FROM {VERSION_TABLE}")
    if len(revisions) != 1:
        yield f"{VERSION_TABLE} has {len(revisions)} rows"


def require_reason(error: Exception) -> str:
    """Return the damage that caused a driver's error; raise any other error again."""
    reason = damage_reason(error)
    if reason is None:
        raise error
    return reason


@contextlib.contextmanager
def snapshot(connection: Connection) -> Iterator[None]:
    """Let all reads inside see one moment, unless ``restart_snapshot`` is called."""
    connection.execute(connection.driver.dialect.begin_snapshot)
    try:
        yield
    finally:
        _end(connection)


def restart_snapshot(connection: Connection) -> None:
    """Replace a snapshot in which a read failed by a new one."""
    _end(connection)
    connection.execute(connection.driver.dialect.begin_snapshot)


def _end(connection: Connection) -> None:
    # SQLite rolls back by itself after some errors, and the connection may be closed.
    with contextlib.suppress(Exception):
        connection.execute("ROLLBACK")
