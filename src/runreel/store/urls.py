"""URLs of databases: what they say, and how they may be printed.

A file of SQLite is found without SQLAlchemy, which takes longer to import than most commands run.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, unquote, urlencode

from runreel.words.errors import BadDatabaseUrl

if TYPE_CHECKING:
    from sqlalchemy import URL

_YES = ("true", "yes", "on", "1")


@dataclass(frozen=True, slots=True)
class Url:
    """Where a log is: a file of SQLite, with options; or a database of Postgres: ``alchemy``.

    It is printed by ``shown`` alone.
    """

    database: str = ""
    query: tuple[tuple[str, str], ...] = ()
    alchemy: URL | None = None

    def __repr__(self) -> str:
        return f"<Url {shown(self)}>"

    @property
    def postgres(self) -> bool:
        """Whether it is of Postgres."""
        return self.alchemy is not None

    @property
    def is_uri(self) -> bool:
        """Whether SQLite gets its file as a URI, with options of its own."""
        return dict(self.query).get("uri", "").lower() in _YES

    @property
    def text(self) -> str:
        """The URL itself as any program takes it, its password as well: nothing to print."""
        if self.alchemy is not None:
            return self.alchemy.set(drivername="postgresql").render_as_string(hide_password=False)
        query = f"?{urlencode(self.query, safe='/:,*', quote_via=quote)}" if self.query else ""
        return f"sqlite:///{self.database}{query}"


def parse_url(text: str) -> Url:
    """The URL of a database; a bare path means SQLite.

    Raises:
        BadDatabaseUrl: if it is neither, or of a database that runreel does not know.
    """
    scheme, separator, rest = text.partition("://")
    if not separator:
        return Url(str(Path(text).expanduser()))
    if scheme.partition("+")[0] == "sqlite":
        return _sqlite(rest)
    return _postgres(text)


def _sqlite(rest: str) -> Url:
    place, _, query = rest.partition("?")
    if place and not place.startswith("/"):
        raise BadDatabaseUrl("a SQLite URL has three slashes before its path, four if that is /")
    url = Url(place[1:], tuple(parse_qsl(query)))
    if url.database in ("", ":memory:", "file::memory:") or ("mode", "memory") in url.query:
        raise BadDatabaseUrl("a log in memory would be gone with the process: name a file")
    if url.query and not url.is_uri:
        raise BadDatabaseUrl("options of SQLite need uri=true beside them, and a path like file:…")
    return url


def _postgres(text: str) -> Url:
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise BadDatabaseUrl("this is no database URL") from None
    if "@" in (url.host or ""):
        raise BadDatabaseUrl("a password with an @ in it is written with %40")
    backend = url.drivername.partition("+")[0]
    if backend not in ("postgresql", "postgres"):
        raise BadDatabaseUrl(f"runreel knows SQLite and Postgres, not {backend!r}")
    return Url(alchemy=url.set(drivername="postgresql+psycopg"))


def shown(url: Url) -> str:
    """The URL as it may be printed: passwords masked, a SQLite file by its path."""
    if url.alchemy is None:
        return url.database
    hidden = {name: "***" for name in url.alchemy.query if _is_secret(name)}
    masked = url.alchemy.set(drivername="postgresql").update_query_dict(hidden)
    # The library masks the password in its place, and leaves our own stars escaped.
    return masked.render_as_string(hide_password=True).replace("%2A%2A%2A", "***")


def _is_secret(name: str) -> bool:
    return "pass" in name.lower() or "secret" in name.lower()


def sqlite_path(url: Url) -> Path | None:
    """The file of a SQLite URL, None for other databases."""
    if url.postgres:
        return None
    if not url.is_uri:
        return Path(url.database)
    return Path(unquote(url.database.removeprefix("file:").partition("?")[0]))


def may_create(url: Url) -> bool:
    """Whether the URL lets a file of SQLite be created that is not there."""
    options = dict(url.query)
    return options.get("mode", "rwc") == "rwc" and "immutable" not in options
