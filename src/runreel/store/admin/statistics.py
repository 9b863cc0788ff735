"""The statistics that `runreel db status` shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runreel.store.admin import vacuum
from runreel.store.schema import migrations, partitions

if TYPE_CHECKING:
    from pathlib import Path

    from runreel.store.connection import Connection

_SQLITE_SETTINGS = ("journal_mode", "synchronous", "busy_timeout", "page_size", "foreign_keys")
_POSTGRES_SETTINGS = ("server_version", "server_encoding", "synchronous_commit", "fsync")
_TABLES = ("events", "runs", "run_labels")


def statistics(connection: Connection, path: Path | None) -> dict[str, Any]:
    """Return revision, rows per table, sizes in bytes and important settings."""
    return {
        "backend": "postgresql" if connection.postgres else "sqlite",
        "revision": migrations.current(connection),
        "projection_version": migrations.projection_version(connection),
        "rows": {table: connection.one(f"SELECT count(*) FROM {table}")[0] for table in _TABLES},
        "bytes": _postgres_bytes(connection) if path is None else _sqlite_bytes(path),
        "settings": _settings(connection),
    }


def _postgres_bytes(connection: Connection) -> dict[str, int]:
    return {table: vacuum.size_of(connection, table) for table in _TABLES}


def _sqlite_bytes(path: Path) -> dict[str, int]:
    files = {"database": path, "wal": path.with_name(path.name + "-wal")}
    return {name: file.stat().st_size if file.exists() else 0 for name, file in files.items()}


def _settings(connection: Connection) -> dict[str, Any]:
    if connection.postgres:
        found = {name: connection.one(f"SHOW {name}")[0] for name in _POSTGRES_SETTINGS}
        number = partitions.count(connection)
        return found if number is None else {**found, "partitions": number}
    import sqlite3

    pragmas = {name: connection.one(f"PRAGMA {name}")[0] for name in _SQLITE_SETTINGS}
    return {"sqlite_version": sqlite3.sqlite_version, **pragmas}
