"""The statistics that `runreel db status` shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.store.schema import migrations

if TYPE_CHECKING:
    from runreel.store.connection import Connection

_TABLES = ("events", "runs", "run_labels")


def statistics(connection: Connection) -> dict[str, object]:
    """Return revision, rows per table, sizes in bytes and important settings."""
    admin = connection.driver.admin
    return {
        "backend": connection.driver.backend,
        "revision": migrations.current(connection),
        "projection_version": migrations.projection_version(connection),
        "rows": {table: connection.one(f"SELECT count(*) FROM {table}")[0] for table in _TABLES},
        "bytes": admin.sizes(connection),
        "settings": admin.settings(connection),
    }
