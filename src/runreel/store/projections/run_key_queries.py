"""Finds runs by their keys: one indexed query for each question."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from runreel.model.run_keys import CALL, REQUEST, RESPONSE
from runreel.projection.run_mapper import index_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from runreel.store.connection import Connection

# Some servers repeat ids: only this number of the newest runs is looked at.
_NEWEST = 32
# Number of rows to look at for each key of a request, and of those whose run waits.
_NEWEST_REQUESTS, _NEWEST_WAITING = 4, 16
_FIND = "SELECT {columns} FROM run_keys AS k {join} WHERE k.kind = '{kind}' AND k.key = ?"
_NEWEST_FIRST = " ORDER BY k.at DESC, k.run_id DESC, k.seq DESC LIMIT "
_LAST_RESPONSE = (
    _FIND.format(columns="k.run_id", join="JOIN runs AS r ON r.run_id = k.run_id", kind=RESPONSE)
    + f" AND r.source = ? AND r.response_id = k.key{_NEWEST_FIRST}1"
)
_RESPONSE = _FIND.format(columns="k.run_id", join="", kind=RESPONSE)
_CALL = _FIND.format(columns="k.run_id", join="", kind=CALL) + f"{_NEWEST_FIRST}{_NEWEST}"
_REQUEST = (
    _FIND.format(columns="k.key, k.run_id, k.seq, k.at", join="", kind=REQUEST)
    + f"{_NEWEST_FIRST}{_NEWEST_REQUESTS}"
)
_WAITING = (
    _FIND.format(
        columns="k.key, k.run_id, k.seq, k.at",
        join="JOIN runs AS r ON r.run_id = k.run_id",
        kind=REQUEST,
    )
    + f" AND r.tool_calls IS NOT NULL{_NEWEST_FIRST}{_NEWEST_WAITING}"
)


class FoundRequest(NamedTuple):
    """A row of the log that holds a request with this key; ``at`` is its time in µs."""

    key: str
    run_id: str
    seq: int
    at: int


def run_of_response(connection: Connection, source: str, response_id: str) -> str | None:
    """Return the run whose last response is ``response_id``, the newest of several."""
    found = _run_ids(connection.all(_LAST_RESPONSE, (index_key(response_id), source)))
    return found[0] if found else None


def runs_with_response(connection: Connection, response_id: str, limit: int) -> list[str]:
    """Return the newest runs that have a response with this id."""
    sql = f"{_RESPONSE}{_NEWEST_FIRST}{limit}"
    return _run_ids(connection.all(sql, (index_key(response_id),)))


def has_responses(connection: Connection) -> bool:
    """Return whether any run has a response with an id."""
    return bool(connection.all(f"SELECT 1 FROM run_keys WHERE kind = '{RESPONSE}' LIMIT 1"))


def runs_with_call(connection: Connection, call_id: str) -> list[str]:
    """Return the newest runs whose model made a tool call with this id, the newest call first."""
    return _run_ids(connection.all(_CALL, (index_key(call_id),)))


def runs_with_requests(connection: Connection, run_ids: Sequence[str]) -> set[str]:
    """Return those of these runs of which a request is stored."""
    if not run_ids:
        return set()
    one_of = ", ".join("?" * len(run_ids))
    sql = f"SELECT DISTINCT run_id FROM run_keys WHERE run_id IN ({one_of}) AND kind = '{REQUEST}'"
    return {str(run_id) for (run_id,) in connection.all(sql, run_ids)}


def requests_with(
    connection: Connection, keys: Iterable[str], *, waiting: bool = False
) -> list[FoundRequest]:
    """Return the newest rows with each of these keys of requests.

    With ``waiting`` they are those of runs that wait for results of tools.
    """
    keys = list(keys)
    if not keys:
        return []
    find, dialect = _WAITING if waiting else _REQUEST, connection.driver.dialect
    if dialect.lateral:
        # A plan of Postgres for each of the keys would take longer than all of the rest.
        each = find.replace("k.key = ?", "k.key = asked.value")
        sql = f"SELECT found.* FROM {dialect.strings} CROSS JOIN LATERAL ({each}) AS found"
        return [FoundRequest._make(row) for row in connection.all(sql, (json.dumps(keys),))]
    parts = (f"SELECT * FROM ({find}) AS part{number}" for number in range(len(keys)))
    return [FoundRequest._make(row) for row in connection.all(" UNION ALL ".join(parts), keys)]


def _run_ids(rows: Iterable[tuple[str]]) -> list[str]:
    return list(dict.fromkeys(str(run_id) for (run_id,) in rows))
