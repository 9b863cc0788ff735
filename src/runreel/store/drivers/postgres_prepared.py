"""One prepared statement of Postgres, run at the level of its protocol library.

Appending an event is what a recorder does all day. To have it parsed and planned anew each time
costs Postgres more than to store the row, so it is prepared, under a name made of its text: behind
a pooler that hands out server connections, a statement of this name can be no other. A pooler that
knows nothing of prepared statements is found out by the first answer, and left alone with them.
"""

from __future__ import annotations

import hashlib
from functools import cache
from typing import TYPE_CHECKING, Any

from runreel.store.drivers.interface import NotPreparedError

if TYPE_CHECKING:
    from collections.abc import Sequence

_MISSING, _THERE_ALREADY = b"26000", b"42P05"


class Prepared:
    """A statement with parameters ``$1``, ``$2`` …; ``formats`` is 1 for each that is binary."""

    def __init__(self, sql: str, formats: Sequence[int]) -> None:
        self._sql = sql.encode()
        self._name = b"runreel_" + hashlib.sha256(self._sql).hexdigest()[:24].encode()
        self._formats = list(formats)

    def prepare(self, driver: Any) -> None:
        """Have the server of this psycopg connection prepare it."""
        driver.pgconn.send_prepare(self._name, self._sql)
        self._answer(driver)

    def run(self, driver: Any, parameters: Sequence[bytes | None]) -> int:
        """Run it; how many rows it touched.

        Raises:
            NotPreparedError: if the server does not know the statement.
            psycopg.Error: if it fails.
        """
        driver.pgconn.send_query_prepared(self._name, parameters, self._formats)
        return self._answer(driver) or 0

    def run_unprepared(self, driver: Any, parameters: Sequence[bytes | None]) -> int:
        """Like ``run``, having it parsed anew."""
        driver.pgconn.send_query_params(self._sql, parameters, param_formats=self._formats)
        return self._answer(driver) or 0

    def _answer(self, driver: Any) -> int | None:
        generators, done = _driver()
        result = driver.wait(generators.execute(driver.pgconn))[-1]
        if result.status == done:
            rows: int | None = result.command_tuples
            return rows
        return self._refused(result, driver)

    @staticmethod
    def _refused(result: Any, driver: Any) -> None:
        from psycopg import errors, pq

        state = result.error_field(pq.DiagnosticField.SQLSTATE)
        if state == _MISSING:
            raise NotPreparedError
        if state != _THERE_ALREADY:
            raise errors.error_from_result(result, encoding=driver.info.encoding)


@cache
def _driver() -> tuple[Any, int]:
    """What every answer is got with; the driver is not there where nobody uses Postgres."""
    from psycopg import generators, pq

    return generators, pq.ExecStatus.COMMAND_OK
