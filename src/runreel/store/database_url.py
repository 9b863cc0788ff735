"""Database URLs: parsing, and printing without passwords."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qsl, quote, unquote, unquote_to_bytes, urlencode

from runreel.model.errors import BadDatabaseUrl
from runreel.model.passwords import is_secret
from runreel.store import database_url_forms

if TYPE_CHECKING:
    from collections.abc import Iterable

    Query = tuple[tuple[str, str], ...]

# The option of libpq that makes a server refuse to write.
READ_ONLY = "-c default_transaction_read_only=on"
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

# What follows the scheme. Not ``urlsplit``: a password may have an unescaped slash.
_REST = re.compile(
    r"(?:(?P<user>[^:/]*)(?::(?P<password>[^@]*))?@)?(?P<hosts>[^/?]*)"
    r"(?:/(?P<database>[^?]*))?(?:\?(?P<query>.*))?"
)


class Server(NamedTuple):
    """A Postgres server. A list of servers is in the options ``host`` and ``port`` instead."""

    user: str | None = None
    password: str | None = None
    host: str | None = None
    port: int | None = None


@dataclass(frozen=True, slots=True)
class Url:
    """The location of a log: a SQLite file, or a database of a Postgres ``server``, with options.

    Only ``shown`` may print it.
    """

    database: str = ""
    query: Query = ()
    server: Server | None = None

    def __repr__(self) -> str:
        return f"<Url {shown(self)}>"

    @property
    def postgres(self) -> bool:
        """True for Postgres."""
        return self.server is not None

    @property
    def is_uri(self) -> bool:
        """True if SQLite gets its file as a URI, with options of its own."""
        return dict(self.query).get("uri", "").lower() in _YES

    @property
    def text(self) -> str:
        """The URL for any program, including its password: never print it."""
        if self.server is None:
            query = f"?{urlencode(self.query, safe='/:,*', quote_via=quote)}" if self.query else ""
            return f"sqlite:///{self.database}{query}"
        password = self.server.password
        return self._render(None if password is None else quote(password, safe=" +"), self.query)

    @property
    def without_passwords(self) -> str:
        """The URL for a program that asks for the password itself."""
        return self._render(
            None, [(name, value) for name, value in self.query if not is_secret(name)]
        )

    @property
    def arguments(self) -> dict[str, str | int]:
        """The parameters and options of libpq."""
        server = self.server or Server()
        named = {**server._asdict(), "dbname": self.database}
        return {name: value for name, value in named.items() if value} | dict(self.query)

    def _render(self, password: str | None, query: Iterable[tuple[str, str]]) -> str:
        if self.server is None:
            return self.text
        user, _, host, port = self.server
        text = "postgresql://"
        if user is not None:
            text += quote(user, safe=" +") + ("" if password is None else f":{password}") + "@"
        text += f"[{host}]" if host and ":" in host else host or ""
        text += "" if port is None else f":{port}"
        text += f"/{quote(self.database, safe=' +/')}" if self.database else ""
        options = urlencode([*query], safe="*")
        return f"{text}?{options}" if options else text


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
    found = _REST.fullmatch(rest)
    if found is None or not re.fullmatch(r"\w+", backend):
        raise BadDatabaseUrl("not a database URL")
    if backend not in _DRIVERS:
        raise BadDatabaseUrl(f"SQLite and Postgres are supported, not {backend!r}")
    return _sqlite(found) if backend == "sqlite" else _postgres(found)


def _sqlite(found: re.Match[str]) -> Url:
    if found["user"] is not None or found["hosts"]:
        raise BadDatabaseUrl(
            "a SQLite URL needs three slashes before its path, four before an absolute one"
        )
    url = Url(found["database"] or "", tuple(parse_qsl(found["query"] or "")))
    if url.database in ("", ":memory:", "file::memory:") or ("mode", "memory") in url.query:
        raise database_url_forms.memory()
    if url.query and not url.is_uri:
        raise BadDatabaseUrl("SQLite options need uri=true and a path of the form file:…")
    return url


def _postgres(found: re.Match[str]) -> Url:
    if any("\udc80" <= char <= "\udcff" for char in found[0]):
        raise BadDatabaseUrl("the database URL is not valid UTF-8")
    user, password, hosts, database, query = found.groups()
    host, port, options = database_url_forms.servers(hosts)
    options = {**dict(parse_qsl(query or "")), **options}
    server = Server(user and unquote(user), password and unquote(password), host, port)
    return Url(unquote(database or ""), tuple(sorted(options.items())), server)


def shown(url: Url) -> str:
    """Return the URL with passwords and secrets masked."""
    if url.server is None:
        return url.database
    query = [(name, "***" if is_secret(name) else value) for name, value in url.query]
    return url._render(None if url.server.password is None else "***", query)  # noqa: SLF001


def sqlite_path(url: Url) -> Path | None:
    """Return the file of a SQLite URL, None for other databases."""
    if url.server is not None:
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
