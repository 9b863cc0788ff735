"""The texts of runs in Postgres, and an index of their trigrams. Implements ``TextSearch``.

The index needs the extension ``pg_trgm``, and a locale of the database in which it sees the letters
of every script. The server keeps the index current.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.model.errors import BadValue, LogError
from runreel.model.search import LONG, IndexReport

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runreel.store.drivers.interface import Connection

INDEX, LONG_INDEX = "run_text_trigrams", "run_text_long"
_TRIGRAM = 3
# The runs of ``candidates`` have the text.
EXACT = True
_EXTENSION = "SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm'"
# Without an extension, the function is not even parsed.
_SELF_TEST = "SELECT cardinality(show_trgm('погода')) > 3"
_ESCAPED = str.maketrans({char: f"\\{char}" for char in "\\%_"})


def packed(text: str) -> object:
    """Return a text as it is stored: the server compresses it."""
    return text


def unpacked(stored: object) -> str:
    """Return a stored text.

    Raises:
        BadValue: if it is damaged.
    """
    if isinstance(stored, str):
        return stored
    raise BadValue("a text for searches is damaged")


def containing(
    connection: Connection, folded: str, parts: Sequence[str], run_ids: Sequence[str]
) -> set[str]:
    """Return those of these runs that have a text in one of ``parts`` that contains ``folded``."""
    rows = connection.all(
        "SELECT DISTINCT run_id FROM run_text WHERE run_id = ANY (?)"
        f" AND (part = '{LONG}' OR part = ANY (?) AND strpos(text, ?) > 0)",
        ([*run_ids], [*parts], folded),
    )
    return {str(run_id) for (run_id,) in rows}


def candidates(connection: Connection, folded: str, parts: Sequence[str]) -> set[str] | None:
    """Return the runs that contain ``folded`` in one of ``parts``; None without an index."""
    if len(folded) < _TRIGRAM or not _exists(connection):
        return None
    rows = connection.all(
        "SELECT run_id FROM run_text WHERE part = ANY (?) AND text LIKE ? UNION"
        f" SELECT run_id FROM run_text WHERE part = '{LONG}'",
        ([*parts], f"%{folded.translate(_ESCAPED)}%"),
    )
    return {str(run_id) for (run_id,) in rows}


def planned(connection: Connection, jobs: int) -> list[Callable[[Connection], object]]:  # noqa: ARG001
    """Return no work: the server makes the index."""
    return []


def add_part(connection: Connection, made: object) -> int:  # noqa: ARG001
    """Return 0: no worker has made any."""
    return 0


def build(connection: Connection, progress: Callable[[int, int], None] | None) -> IndexReport:
    """Create the index if there is none.

    Raises:
        LogError: if the server has no such index, or it would not help.
    """
    del progress
    reason = obstacle(connection)
    if reason is not None:
        raise LogError(
            f"no index of trigrams here: {reason}",
            hint="Searches work without one. `CREATE EXTENSION pg_trgm` needs the right to create"
            " in the database, and a database of a UTF-8 locale.",
        )
    before = _exists(connection)
    connection.execute(
        f"CREATE INDEX IF NOT EXISTS {INDEX} ON run_text USING gin (text gin_trgm_ops)"
    )
    connection.execute(
        f"CREATE INDEX IF NOT EXISTS {LONG_INDEX} ON run_text (run_id) WHERE part = '{LONG}'"
    )
    (indexed,) = connection.one("SELECT count(*) FROM run_text")
    made = report(connection, added=0 if before else int(indexed))
    if made is None:
        raise LogError("the index was dropped by another process")
    return made


def forget(connection: Connection, run_ids: Sequence[str], *, erased: bool = False) -> None:
    """Do nothing: the server updates the index."""


def report(connection: Connection, *, added: int = 0) -> IndexReport | None:
    """Return the state of the index, None if there is none."""
    if not _exists(connection):
        return None
    indexed, size = connection.one(
        "SELECT (SELECT count(*) FROM run_text), pg_relation_size(?::regclass)", (INDEX,)
    )
    return IndexReport("Postgres pg_trgm", int(indexed), added, int(size))


def missing(connection: Connection) -> int:  # noqa: ARG001
    """Return 0: the server keeps the index current."""
    return 0


def obstacle(connection: Connection) -> str | None:
    """Return why there can be no index here, None if there can."""
    if connection.one(_EXTENSION) is None:
        return "the database has no extension pg_trgm"
    if not connection.one(_SELF_TEST)[0]:
        return "in the locale of the database, pg_trgm sees no letters but those of ASCII"
    return None


def _exists(connection: Connection) -> bool:
    return connection.one("SELECT to_regclass(?)", (INDEX,))[0] is not None
