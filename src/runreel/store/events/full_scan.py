"""Every event of a log in order, as far as it can be read; what cannot be is named."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from runreel.store.events.damage import damage_reason, restart_snapshot
from runreel.store.events.event_log import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runreel.store.connection import Connection

    Row = tuple[Any, ...]

_SELECT = f"SELECT {', '.join(COLUMNS)} FROM events"
_ORDER = " ORDER BY run_id, seq"
_NEXT = "SELECT run_id FROM {table} WHERE run_id > {key} ORDER BY run_id LIMIT 1"
_PAYLOAD = COLUMNS.index("payload")
_FETCH = 500
_FETCH_CHARACTERS = 4_000_000
# A sort reads all there is before it gives the first row: what cannot be read would take with it
# what can.
_ALONG_THE_KEY = "SELECT " + ", ".join(
    f"set_config('{way}', 'off', true)"
    for way in ("enable_sort", "enable_seqscan", "enable_bitmapscan")
)
# The transaction failed elsewhere, or was begun anew: the server's cursor is gone.
_CURSOR_GONE = ("25P02", "34000")


class Unreadable(NamedTuple):
    """Stands where rows should: nothing more can be read of the run, or from ``seq`` on.

    Without a ``run_id`` it is everything behind the run before that cannot be read.
    """

    run_id: str | None
    seq: int | None
    reason: str


def scan(
    connection: Connection, run_id: str | None = None
) -> Iterator[tuple[Any, list[Row] | Unreadable]]:
    """Every event in key order, or those of one run: a run, and the columns of its next rows.

    Little of it is held. Use it inside of a snapshot. Where a run cannot be read on, the next that
    can be found is.
    """
    place = _ScanPosition(connection, run_id)
    try:
        while True:
            try:
                for rows in place.rows():
                    place.last = rows[-1]
                    for name, some in groupby(rows, key=itemgetter(0)):
                        yield name, list(some)
            except Exception as error:  # noqa: BLE001 - raised again unless it tells of damage
                reason = _recovered(connection, error)
            else:
                return
            if reason is None or place.switch_to_single_row():
                place.resume_after()
            else:
                for broken in place.skip_run(reason):
                    yield broken.run_id, broken
                if place.over:
                    return
    finally:
        place.leave()


def count(connection: Connection, run_ids: Sequence[str] | None = None) -> int:
    """How many events there are, in all runs or in these."""
    if run_ids is None:
        return int(connection.one("SELECT count(*) FROM events")[0])
    sql = "SELECT count(*) FROM events WHERE run_id = ?"
    return sum(int(connection.one(sql, (run_id,))[0]) for run_id in run_ids)


class _ScanPosition:
    """Where a scan has come to; ``last`` is the row that was read since it began or went on.

    It goes on behind ``_after``; seq -1 is a run's beginning. ``_passed`` is the greatest run that
    could not be read to its end.
    """

    def __init__(self, connection: Connection, run_id: str | None) -> None:
        self.last: Row | None = None
        self.over = False
        self._connection = connection
        self._run_id = run_id
        self._after: tuple[str, int] | None = None
        self._passed = ""
        self._careful = False
        self._driver: Any = connection.driver
        self._usual = getattr(self._driver, "text_factory", None)

    def rows(self) -> Iterator[list[Row]]:
        """The rows from here on, some at a time."""
        self.last = None
        key, where = _key_mark(self._connection), []
        parameters: list[Any] = []
        if self._run_id is not None:
            where.append(f"run_id = {key}")
            parameters.append(_key(self._connection, self._run_id))
        if self._after is not None:
            where.append(f"(run_id, seq) > ({key}, ?)")
            parameters += [_key(self._connection, self._after[0]), self._after[1]]
        sql = _SELECT + (f" WHERE {' AND '.join(where)}" if where else "") + _ORDER
        return _fetched(self._connection, sql, parameters, most=1 if self._careful else _FETCH)

    def switch_to_single_row(self) -> bool:
        """Read so that what fails takes nothing with it; False if that is done already.

        That is row by row, and of SQLite, text that is no UTF-8 with surrogates.
        """
        known = self.last is None or (type(self.last[0]), type(self.last[1])) == (str, int)
        if self._careful or not known:
            return False
        self._careful = True
        if not self._connection.postgres:
            self._driver.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
        return True

    def leave(self) -> None:
        """Give the connection back as it was."""
        if not self._connection.postgres:
            self._driver.text_factory = self._usual

    def resume_after(self) -> None:
        """Continue behind the row that was read last."""
        if self.last is not None:
            self._after = (self.last[0], self.last[1])

    def skip_run(self, reason: str) -> Iterator[Unreadable]:
        """Name what cannot be read, and continue with the next run that is known of."""
        # SQLite's text stays as it is read: it costs little.
        self._careful = False
        broken = self._broken(reason)
        if broken.run_id is not None:
            yield broken
            self._passed = max(self._passed, broken.run_id, key=_bytes)
        if self._run_id is not None:
            self.over = True
            return
        awaited, sure = _next_run(self._connection, self._passed)
        if awaited is not None:
            self._after = (awaited, -1)
            return
        self.over = True
        if not sure:
            yield Unreadable(None, None, reason)

    def _broken(self, reason: str) -> Unreadable:
        if self.last is not None:
            run_id, seq, *_ = self.last
            name = run_id if isinstance(run_id, str) else repr(run_id)
            return Unreadable(name, seq + 1 if isinstance(seq, int) else None, reason)
        if self._after is None:
            return Unreadable(self._run_id, None, reason)
        run_id, seq = self._after
        return Unreadable(run_id, seq + 1 if seq >= 0 else None, reason)


def _recovered(connection: Connection, error: Exception) -> str | None:
    """The damage that an error tells of, None where one may just go on; any other is raised."""
    reason = damage_reason(error)
    if reason is None and getattr(error, "sqlstate", None) not in _CURSOR_GONE:
        raise error
    restart_snapshot(connection)
    return reason


def _next_run(connection: Connection, passed: str) -> tuple[str | None, bool]:
    """The run behind ``passed``, and whether the log itself says so: else projections do."""
    known: list[str] = []
    for table in ("events", "runs", "run_labels"):
        sql = _NEXT.format(table=table, key=_key_mark(connection))
        try:
            row = connection.one(sql, (_key(connection, passed),))
        except Exception as error:  # noqa: BLE001 - raised again unless it tells of damage
            _recovered(connection, error)
            continue
        if table == "events":
            return (None if row is None else row[0]), True
        if row is not None:
            known.append(row[0])
    return min(known, key=_bytes, default=None), False


def _fetched(
    connection: Connection, sql: str, parameters: Sequence[Any], *, most: int
) -> Iterator[list[Row]]:
    """Rows some at a time, through a cursor of the server on Postgres; few, where they are long."""
    if connection.postgres:
        connection.execute(_ALONG_THE_KEY)
        connection.execute(f"DECLARE scanned NO SCROLL CURSOR FOR {sql}", parameters)
    else:
        cursor = connection.execute(sql, parameters)
    many = min(16, most)
    while True:
        if connection.postgres:
            chunk = connection.all(f"FETCH FORWARD {many} FROM scanned")
        else:
            chunk = cursor.fetchmany(many)
        if not chunk:
            break
        yield chunk
        told = [row[_PAYLOAD] for row in chunk if type(row[_PAYLOAD]) is str]
        size = sum(map(len, told)) // len(chunk)
        many = max(1, min(2 * many, most, _FETCH_CHARACTERS // (size + 1)))
    if connection.postgres:
        connection.execute("CLOSE scanned")


def _key_mark(connection: Connection) -> str:
    # SQLite may hold an id that is no UTF-8: as bytes it can be handed back.
    return "?" if connection.postgres else "CAST(? AS TEXT)"


def _key(connection: Connection, run_id: str) -> str | bytes:
    return run_id if connection.postgres else _bytes(run_id)


def _bytes(run_id: str) -> bytes:
    return run_id.encode("utf-8", "surrogateescape")
