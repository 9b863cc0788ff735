"""Scans every event in order, as far as it can be read, and reports what cannot."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from runreel.codec.json_text import SURROGATE
from runreel.store.drivers.errors import damage_reason
from runreel.store.events.damage import restart_snapshot
from runreel.store.events.event_log import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runreel.store.connection import Connection

    Row = tuple[Any, ...]

_SELECT = f"SELECT {', '.join(COLUMNS)} FROM events"
_ORDER = " ORDER BY run_id, seq"
# A damaged file may hold an id that is not UTF-8; it is passed back as bytes.
_KEY = "CAST(? AS TEXT)"
_NEXT = f"SELECT run_id FROM {{table}} WHERE run_id > {_KEY} ORDER BY run_id LIMIT 1"
_PAYLOAD = COLUMNS.index("payload")
_FETCH = 500
_LAST_SEQ = 2**63 - 1
_FETCH_CHARACTERS = 4_000_000
# The transaction failed elsewhere or was restarted, so the server's cursor no longer exists.
_CURSOR_GONE = ("25P02", "34000")


# After the last row.
END = ()


class Span(NamedTuple):
    """The runs after one up to another, and with it; None: from the first, or to the last row."""

    after: str | None = None
    last: str | None = None


WHOLE = Span()


class Unreadable(NamedTuple):
    """Takes the place of rows: the run cannot be read on, or not from ``seq`` on.

    Without a ``run_id``, nothing after the previous run can be read.
    """

    run_id: str | None
    seq: int | None
    reason: str


def scan(
    connection: Connection, run_id: str | None = None, *, span: Span = WHOLE
) -> Iterator[tuple[Any, list[Row] | Unreadable]]:
    """Yield every event in key order, or those of one run: a run id and its next rows.

    Of a ``span``, rows that are after it may follow: see ``is_after``. Each row has the columns of
    the event log. Few rows are in memory. Call it inside a snapshot. Where a run cannot be read on,
    the scan continues with the next run that it can find.
    """
    position = _ScanPosition(connection, run_id, span)
    try:
        while True:
            try:
                for rows in position.rows():
                    position.last = rows[-1]
                    for name, group in groupby(rows, key=itemgetter(0)):
                        yield name, list(group)
            except Exception as error:  # noqa: BLE001 - raised again unless it indicates damage
                reason = _handle_error(connection, error)
            else:
                return
            if reason is None or position.switch_to_single_row():
                position.resume_after()
            else:
                for broken in position.skip_run(reason):
                    yield broken.run_id, broken
                if position.over:
                    return
    finally:
        position.restore_connection()


def is_after(span: Span, run_id: object) -> bool:
    """Return whether a run is after a span; ids of other types are before or after all texts."""
    if span.last is None:
        return False
    return isinstance(run_id, bytes) or (
        isinstance(run_id, str) and _bytes(run_id) > _bytes(span.last)
    )


def count(connection: Connection, run_ids: Sequence[str] | None = None) -> int:
    """Count the events of all runs, or of these."""
    if run_ids is None:
        return int(connection.one("SELECT count(*) FROM events")[0])
    sql = "SELECT count(*) FROM events WHERE run_id = ?"
    return sum(int(connection.one(sql, (run_id,))[0]) for run_id in run_ids)


class _ScanPosition:
    """The progress of a scan; ``last`` is the last row read since it started or resumed.

    It resumes after ``_after``, where seq -1 is the start of a run. ``_passed`` is the greatest run
    that could not be read to its end.
    """

    def __init__(self, connection: Connection, run_id: str | None, span: Span) -> None:
        self.last: Row | None = None
        self.over = False
        self._connection = connection
        self._run_id = run_id
        self._after = None if span.after is None else (span.after, _LAST_SEQ)
        self._last = span.last
        self._passed = span.after or ""
        self._single_row = False
        self._driver = connection.driver

    def rows(self) -> Iterator[list[Row]]:
        """Yield the rows from here on, in chunks."""
        self.last = None
        where = []
        parameters: list[object] = []
        if self._run_id is not None:
            where.append(f"run_id = {_KEY}")
            parameters.append(_key(self._run_id))
        if self._after is not None:
            where.append(f"(run_id, seq) > ({_KEY}, ?)")
            parameters += [_key(self._after[0]), self._after[1]]
        # The order of a damaged file shows only in what follows a span.
        if self._last is not None and not self._driver.in_process:
            where.append(f"run_id <= {_KEY}")
            parameters.append(_key(self._last))
        sql = _SELECT + (f" WHERE {' AND '.join(where)}" if where else "") + _ORDER
        return _fetch_chunks(
            self._connection, sql, parameters, most=1 if self._single_row else _FETCH
        )

    def switch_to_single_row(self) -> bool:
        """Read so that a damaged row makes no other unreadable; False if that is on already.

        Rows are read one by one, and SQLite's text is decoded with surrogates for invalid UTF-8.
        """
        known = self.last is None or (type(self.last[0]), type(self.last[1])) == (str, int)
        if self._single_row or not known:
            return False
        self._single_row = True
        self._driver.decode_damaged(self._connection.raw, enabled=True)
        return True

    def restore_connection(self) -> None:
        """Restore the settings of the connection."""
        self._driver.decode_damaged(self._connection.raw, enabled=False)

    def resume_after(self) -> None:
        """Continue after the last row read."""
        if self.last is not None:
            self._after = (self.last[0], self.last[1])

    def skip_run(self, reason: str) -> Iterator[Unreadable]:
        """Report what cannot be read, and continue with the next known run."""
        # Decoding with surrogates stays on: it costs little.
        self._single_row = False
        broken = self._broken(reason)
        if broken.run_id is not None:
            yield broken
            self._passed = max(self._passed, broken.run_id, key=_bytes)
        if self._run_id is not None:
            self.over = True
            return
        next_run, sure = _next_run(self._connection, self._passed)
        if next_run is not None:
            self._after = (next_run, -1)
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


def _handle_error(connection: Connection, error: Exception) -> str | None:
    """Return the damage that an error indicates, None if the scan can resume; raise any other."""
    reason = damage_reason(error)
    if reason is None and getattr(error, "sqlstate", None) not in _CURSOR_GONE:
        raise error
    restart_snapshot(connection)
    return reason


def _next_run(connection: Connection, passed: str) -> tuple[str | None, bool]:
    """Return the run after ``passed``, and whether the event log has it, not only projections."""
    known: list[str] = []
    for table in ("events", "runs", "run_labels", "run_keys", "run_text", "key_frames"):
        sql = _NEXT.format(table=table)
        try:
            row = connection.one(sql, (_key(passed),))
        except Exception as error:  # noqa: BLE001 - raised again unless it indicates damage
            _handle_error(connection, error)
            continue
        if table == "events":
            return (None if row is None else row[0]), True
        if row is not None:
            known.append(row[0])
    return min(known, key=_bytes, default=None), False


def _fetch_chunks(
    connection: Connection, sql: str, parameters: Sequence[object], *, most: int
) -> Iterator[list[Row]]:
    """Yield rows in chunks, small ones if rows are long."""
    fetch = connection.driver.stream(connection, sql, parameters, name="scanned", by_key=True)
    many = min(16, most)
    while chunk := fetch(many):
        yield chunk
        payloads = [row[_PAYLOAD] for row in chunk if type(row[_PAYLOAD]) is str]
        size = sum(map(len, payloads)) // len(chunk)
        many = max(1, min(2 * many, most, _FETCH_CHARACTERS // (size + 1)))


def _key(run_id: str) -> str | bytes:
    """Return the parameter for an id: bytes only if it is not UTF-8, which Postgres never has."""
    return _bytes(run_id) if SURROGATE.search(run_id) else run_id


def _bytes(run_id: str) -> bytes:
    return run_id.encode("utf-8", "surrogateescape")
