"""Database URLs: parsing and safe printing.

SQLite URLs are parsed without SQLAlchemy, whose import takes longer than most commands run.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, unquote_to_bytes, urlencode

from runreel.model.errors import BadDatabaseUrl
from runreel.store import database_url_forms

if TYPE_CHECKING:
    from sqlalchemy import URL

_YES = ("true", "yes", "on", "1")

# Drivers that a URL may name; runreel always uses its own.
_POSTGRES_DRIVERS = ("", "psycopg", "psycopg2", "psycopg2cffi", "asyncpg", "pg8000")
_DRIVERS = {
    "sqlite": ("", "pysqlite", "aiosqlite"),
    "postgresql": _POSTGRES_DRIVERS,
    "postgres": _POSTGRES_DRIVERS,
}
_DRIVER_HINTS = {
    "sqlite": "SQLite files are written by Python's sqlite3, without encryption: sqlite:///PATH.",
    "postgresql": "Use postgresql://USER@HOST/NAME.",
    "postgres": "Use postgresql://USER@HOST/NAME.",
}


@dataclass(frozen=True, slots=True)
class Url:
    """The location of a log: a SQLite file with options, or a Postgres database (``alchemy``).

    Only ``shown`` may print it.
    """

    database: str = ""
    query: tuple[tuple[str, str], ...] = ()
    alchemy: URL | None = None

    def __repr__(self) -> str:
        return f"<Url {shown(self)}>"

    @property
    def postgres(self) -> bool:
        """True for Postgres."""
        return self.alchemy is not None

    @property
    def is_uri(self) -> bool:
        """True if SQLite gets its file as a URI, with options of its own."""
        return dict(self.query).get("uri", "").lower() in _YES

    @property
    def text(self) -> str:
        """The URL for any program, including its password: never print it."""
        if self.alchemy is not None:
            return self.alchemy.set(drivername="postgresql").render_as_string(hide_password=False)
        query = f"?{urlencode(self.query, safe='/:,*', quote_via=quote)}" if self.query else ""
        return f"sqlite:///{self.database}{query}"

    @property
    def without_passwords(self) -> str:
        """The URL for a program that asks for the password itself."""
        if self.alchemy is None:
            return self.text
        query = {key: value for key, value in self.alchemy.query.items() if not _is_secret(key)}
        bare = self.alchemy._replace(drivername="postgresql", password=None)
        return bare.set(query=query).render_as_string(hide_password=False)


def parse_url(text: str) -> Url:
    """Parse a database URL; a bare path is a SQLite file.

    A trailing line break is ignored. Nothing is created or opened.

    Raises:
        BadDatabaseUrl: if it is neither a URL nor a path, or its database is not supported.
    """
    text = database_url_forms.cleaned(text)
    path = database_url_forms.as_path(text)
    if path is not None:
        return Url(str(path))
    scheme, _, rest = text.partition("://")
    backend, _, driver = scheme.lower().partition("+")
    if driver not in _DRIVERS.get(backend, (driver,)):
        raise BadDatabaseUrl(f"the driver {driver!r} is not supported", hint=_DRIVER_HINTS[backend])
    if backend == "sqlite":
        return _sqlite(rest)
    return _postgres(f"{scheme.lower()}://{rest}")


def _sqlite(rest: str) -> Url:
    path, _, query = rest.partition("?")
    if path and not path.startswith("/"):
        raise BadDatabaseUrl(
            "a SQLite URL needs three slashes before its path, four before an absolute one"
        )
    url = Url(path[1:], tuple(parse_qsl(query)))
    if url.database in ("", ":memory:", "file::memory:") or ("mode", "memory") in url.query:
        raise database_url_forms.memory()
    if url.query and not url.is_uri:
        raise BadDatabaseUrl("SQLite options need uri=true and a path of the form file:…")
    return url


def _postgres(text: str) -> Url:
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    if not text.isascii() and any("\udc80" <= char <= "\udcff" for char in text):
        raise BadDatabaseUrl("the database URL is not valid UTF-8")
    listed = database_url_forms.hosts(text)
    try:
        url = make_url(text if listed is None else listed.url)
    except (ArgumentError, ValueError):
        raise BadDatabaseUrl("not a database URL") from None
    if "@" in (url.host or ""):
        raise database_url_forms.unescaped_at()
    backend = url.drivername.partition("+")[0]
    if backend not in ("postgresql", "postgres"):
        raise BadDatabaseUrl(f"SQLite and Postgres are supported, not {backend!r}")
    if listed is not None:
        servers = {"host": listed.host, "port": listed.port}
        url = url.update_query_dict({key: value for key, value in servers.items() if value})
    return Url(alchemy=url.set(drivername="postgresql+psycopg"))


def shown(url: Url) -> str:
    """Return the URL with passwords and secrets masked."""
    if url.alchemy is None:
        return url.database
    hidden = {name: "***" for name in url.alchemy.query if _is_secret(name)}
    masked = url.alchemy.set(drivername="postgresql").update_query_dict(hidden)
    # SQLAlchemy masks the password itself, but escapes our asterisks.
    return masked.render_as_string(hide_password=True).replace("%2A%2A%2A", "***")


def _is_secret(name: str) -> bool:
    return "pass" in name.lower() or "secret" in name.lower()


def sqlite_path(url: Url) -> Path | None:
    """Return the file of a SQLite URL, None for other databases."""
    if url.postgres:
        return None
    if not url.is_uri:
        return Path(url.database)
    name = url.database.removeprefix("file:").partition("?")[0]
    return Path(os.fsdecode(unquote_to_bytes(os.fsencode(name))))


def file_uri(path: Path, options: str) -> str:
    """Return the URI that opens a file in SQLite with ``options``; any bytes in its name."""
    return f"file:{quote(os.fsencode(path.absolute()))}?{options}"


def may_create(url: Url) -> bool:
    """True if the URL allows a missing SQLite file to be created."""
    options = dict(url.query)
    return options.get("mode", "rwc") == "rwc" and "immutable" not in options
