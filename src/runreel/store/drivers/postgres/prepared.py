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

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg import Connection as Raw

    from runreel.store.drivers.interface import Connection

    Wire = Sequence[bytes | None]

_DOES_NOT_EXIST, _ALREADY_EXISTS = "26000", "42P05"


class Prepared:
    """A statement with parameters ``$1``, ``$2`` …; ``formats`` has 1 for each binary one."""

    def __init__(self, sql: str, formats: Sequence[int]) -> None:
        self._sql = sql.encode()
        self._name = b"runreel_" + hashlib.sha256(self._sql).hexdigest()[:24].encode()
        self._formats = list(formats)

    def run(self, connection: Connection, parameters: Wire) -> int:
        """Prepare the statement at first use and execute it; return the affected rows."""
        raw: Raw = connection.raw
        if connection.prepared is not None:
            try:
                if self not in connection.prepared:
                    self._prepare(raw)
                    connection.prepared.add(self)
                raw.pgconn.send_query_prepared(self._name, parameters, self._formats)
                return _affected_rows(raw)
            except Exception as error:
                if getattr(error, "sqlstate", None) != _DOES_NOT_EXIST:
                    raise
            # A pooler in between does not support prepared statements. Nothing was executed.
            connection.prepared = None
        return self.run_unprepared(connection, parameters)

    def run_unprepared(self, connection: Connection, parameters: Wire) -> int:
        """Execute the statement without preparing it; return the affected rows."""
        raw: Raw = connection.raw
        raw.pgconn.send_query_params(self._sql, parameters, param_formats=self._formats)
        return _affected_rows(raw)

    def _prepare(self, raw: Raw) -> None:
        raw.pgconn.send_prepare(self._name, self._sql)
        try:
            _affected_rows(raw)
        except Exception as error:
            if getattr(error, "sqlstate", None) != _ALREADY_EXISTS:
                raise


def _affected_rows(raw: Raw) -> int:
    generators, done = _driver()
    result = raw.wait(generators.execute(raw.pgconn))[-1]
    if result.status == done:
        return result.command_tuples or 0
    from psycopg import errors

    raise errors.error_from_result(result, encoding=raw.info.encoding)


@cache
def _driver() -> tuple[Any, int]:
    """Import psycopg late: it may not be installed where only SQLite is used."""
    from psycopg import generators, pq

    return generators, pq.ExecStatus.COMMAND_OK
