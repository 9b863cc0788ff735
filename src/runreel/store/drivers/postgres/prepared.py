"""A prepared statement of Postgres, executed through libpq.

A recorder mostly appends events. Parsing and planning that statement costs Postgres more than
storing the row, so it is prepared once. Its name is a hash of its text: behind a pooler that shares
server connections, a statement of that name can be no other. Behind a pooler without support for
prepared statements the first execution fails, and the statement is then sent unprepared.
"""

from __future__ import annotations

import hashlib
from functools import cache
from typing import TYPE_CHECKING, Any

from runreel.store.drivers.interface import NotPreparedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg import Connection as Raw

_DOES_NOT_EXIST, _ALREADY_EXISTS = b"26000", b"42P05"


class Prepared:
    """A statement with parameters ``$1``, ``$2`` …; ``formats`` has 1 for each binary one."""

    def __init__(self, sql: str, formats: Sequence[int]) -> None:
        self._sql = sql.encode()
        self._name = b"runreel_" + hashlib.sha256(self._sql).hexdigest()[:24].encode()
        self._formats = list(formats)

    def prepare(self, raw: Raw) -> None:
        """Prepare the statement on the server of a psycopg connection."""
        raw.pgconn.send_prepare(self._name, self._sql)
        self._fetch_result(raw)

    def run(self, raw: Raw, parameters: Sequence[bytes | None]) -> int:
        """Execute the prepared statement; return the number of affected rows.

        Raises:
            NotPreparedError: if the server has not prepared it.
            psycopg.Error: if it fails.
        """
        raw.pgconn.send_query_prepared(self._name, parameters, self._formats)
        return self._fetch_result(raw) or 0

    def run_unprepared(self, raw: Raw, parameters: Sequence[bytes | None]) -> int:
        """Execute the statement without preparing it; return the number of affected rows."""
        raw.pgconn.send_query_params(self._sql, parameters, param_formats=self._formats)
        return self._fetch_result(raw) or 0

    def _fetch_result(self, raw: Raw) -> int | None:
        generators, done = _driver()
        result = raw.wait(generators.execute(raw.pgconn))[-1]
        if result.status == done:
            rows: int | None = result.command_tuples
            return rows
        return self._raise_error(result, raw)

    @staticmethod
    def _raise_error(result: Any, raw: Raw) -> None:
        from psycopg import errors, pq

        state = result.error_field(pq.DiagnosticField.SQLSTATE)
        if state == _DOES_NOT_EXIST:
            raise NotPreparedError
        if state != _ALREADY_EXISTS:
            raise errors.error_from_result(result, encoding=raw.info.encoding)


@cache
def _driver() -> tuple[Any, int]:
    """Import psycopg late: it may not be installed where only SQLite is used."""
    from psycopg import generators, pq

    return generators, pq.ExecStatus.COMMAND_OK
