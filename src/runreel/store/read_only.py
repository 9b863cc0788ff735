"""The database of a log, opened only to read it."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from runreel.model.errors import DatabaseReadOnly
from runreel.store import database_url
from runreel.store.database import Database

if TYPE_CHECKING:
    from runreel.store.connection import Connection
    from runreel.store.database_url import Url


class ReadOnlyDatabase(Database):
    """The log of another ``Database``, with connections of its own that write nothing.

    A SQLite file is opened with ``mode=ro``, which changes not even its permissions. No connection
    is lent for writing, and a Postgres server refuses to write, except behind a pooler that does
    not pass options on. A missing log is not created.
    """

    def __init__(self, database: Database) -> None:
        durability = "full" if database.durable else "normal"
        super().__init__(_read_only(database.url), durability=durability, create=False)
        self.shown = database.shown

    def upgrade(self, *, partitions: int | None = None) -> tuple[str | None, str]:  # noqa: ARG002
        """Refuse to write."""
        raise self._refusal()

    def _connect(self, *, checked: bool = True, reserved: bool = False) -> Connection:
        if reserved:
            # For writing.
            raise self._refusal()
        return super()._connect(checked=checked)

    def _refusal(self) -> DatabaseReadOnly:
        return DatabaseReadOnly(
            f"{self.shown} is opened only to be read", hint="Open the log itself to write."
        )


def _read_only(url: Url) -> str:
    path = database_url.sqlite_path(url)
    if path is None:
        query = dict(url.query)
        options = query.get("options") or os.environ.get("PGOPTIONS", "")
        query["options"] = f"{options} {database_url.READ_ONLY}".strip()
        return replace(url, query=tuple(query.items())).text
    given = {key: value for key, value in url.query if key not in ("mode", "uri")}
    options = "&".join(f"{key}={value}" for key, value in {"mode": "ro", **given}.items())
    return f"sqlite:///{database_url.file_uri(path, f'{options}&uri=true')}"
