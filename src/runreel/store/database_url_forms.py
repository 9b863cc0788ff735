"""The forms of a database name: URL, path, or text that is neither and is refused."""

from __future__ import annotations

import os
import re
from pathlib import Path
from unicodedata import category
from urllib.parse import unquote

from runreel.model.errors import BadDatabaseUrl

_DATABASES = "postgresql|postgres|sqlite|sqlite3|mysql|mariadb|mongodb|redis|oracle|mssql|file"
# A scheme that lost its colon or a slash: `postgresql//h/db`, `postgresql+psycopg/h/db`.
_SCHEME = re.compile(rf"(?:{_DATABASES})(?:\+\w+/|//)", re.IGNORECASE)
# Keywords of a libpq connection string.
_KEYWORDS = (
    "host|hostaddr|port|dbname|user|password|passfile|service|options|application_name|sslmode"
    "|sslcert|sslkey|sslpassword|sslrootcert|connect_timeout|target_session_attrs"
)
_DSN = re.compile(rf"(?:^|\s)(?:{_KEYWORDS})\s*=", re.IGNORECASE)
_CREDENTIALS = re.compile(r"(?:^|/)[^/:@]*:[^/@]*@")
_EXPLICIT = ("./", "../", "~", "/")

_HOST = re.compile(r"(?:\[(?P<v6>[^\[\]]*)\]|(?P<name>[^:\[\]]*))(?::(?P<port>[0-9]*))?")

_PATH_HINT = "A path that holds such characters starts with ./ or /."


def cleaned(text: str) -> str:
    """Remove the trailing line break that a file of secrets leaves.

    Raises:
        BadDatabaseUrl: if the text is empty or has control characters.
    """
    text = text.rstrip("\r\n")
    if not text.strip():
        raise BadDatabaseUrl("the database URL is empty")
    if any(category(char) == "Cc" for char in text):
        raise BadDatabaseUrl("the database URL has a line break or another control character")
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        raise BadDatabaseUrl("the database URL has characters that no file name has") from None
    return text


def as_path(text: str) -> Path | None:
    """Return the file that ``text`` names; None for a URL, which contains ``://``.

    As in RFC 3986 a relative path has no colon in its first segment, so that a mistyped URL never
    becomes a file.

    Raises:
        BadDatabaseUrl: if it is neither, or names a home directory that does not exist.
    """
    if "://" in text:
        return None
    if text in (":memory:", "file::memory:"):
        raise memory()
    if _DSN.search(text):
        raise BadDatabaseUrl(
            "connection strings of the form key=value are not supported",
            hint="Write it as a URL: postgresql://USER@HOST:PORT/NAME.",
        )
    path = Path(text)
    _refuse_broken_url(text, path)
    try:
        return path.expanduser()
    except RuntimeError:
        raise BadDatabaseUrl(f"no home directory for {path.parts[0]!r}") from None


def memory() -> BadDatabaseUrl:
    """Return the error for a database in memory."""
    return BadDatabaseUrl("a log in memory would be lost with the process: name a file")


def servers(text: str) -> tuple[str | None, int | None, dict[str, str]]:
    """Return the host and port of a Postgres URL, and options of libpq instead of them.

    The options are for forms that URLs of other programs do not have: a list of servers
    (``h1:5432,h2:5432``), and the directory of a socket (``%2Fvar%2Frun``).

    Raises:
        BadDatabaseUrl: if an item of the list is not ``HOST`` or ``HOST:PORT``.
    """
    if "@" in text:
        raise BadDatabaseUrl("write an @ in the password as %40")
    names, ports = zip(*map(_host_and_port, text.split(",")), strict=True)
    if "," not in text and "%" not in text:
        return names[0] or None, int(ports[0]) if ports[0] else None, {}
    options = {"host": ",".join(names)} | ({"port": ",".join(ports)} if any(ports) else {})
    return None, None, options


def _host_and_port(text: str) -> tuple[str, str]:
    one = _HOST.fullmatch(text)
    if one is None:
        raise BadDatabaseUrl("not a database URL: a server is HOST or HOST:PORT")
    return unquote(one["v6"] or one["name"] or ""), one["port"] or ""


def _refuse_broken_url(text: str, path: Path) -> None:
    if text.startswith("//"):
        broken = "@" in text
    elif text.startswith(_EXPLICIT) or path.drive:
        broken = False
    else:
        first = re.split(r"[/\\]", text, maxsplit=1)[0]
        broken = bool(":" in first or _SCHEME.match(text) or _CREDENTIALS.search(text))
    if broken:
        raise BadDatabaseUrl(
            "this looks like a database URL with a typing error, so it is not taken for a path",
            hint=f"{BadDatabaseUrl.hint} {_PATH_HINT}",
        )
