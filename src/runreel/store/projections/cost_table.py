"""The projections of costs: ``run_costs``, their sums, and the hours that these cover.

Costs are stored per price book, by its digest, at the prices of the start of each run. They are
not written while a run is recorded: hours are stale whose runs have no stored costs yet, or are
others since. Open runs have none, as in the usage rollups. The sums by UTC day are those of its
hours; they count only while none of these is stale.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from runreel.model.columns import COST_SUMS, RUN_COSTS
from runreel.store.projections.usage_buckets import DAY, DIMENSIONS, HOUR, MICROS
from runreel.store.projections.usage_rollups import start_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from runreel.store.connection import Connection
    from runreel.store.projections.usage_buckets import Starts

# Books whose costs are kept; of others they are deleted.
_KEPT_BOOKS = 2
_HOUR = HOUR * MICROS
_HOUR_OF, _DAY_OF = start_of("started_at", HOUR), start_of("started_at", DAY)
_EXPECTED = f"SELECT start, sum(runs) AS runs FROM usage_by_time WHERE span = {HOUR} GROUP BY start"
_INSERT_RUN = (
    f"INSERT INTO run_costs ({', '.join(RUN_COSTS)}) VALUES ({', '.join('?' * len(RUN_COSTS))})"
    " ON CONFLICT (run_id, book) DO UPDATE"
    " SET currency = excluded.currency, cost = excluded.cost, reason = excluded.reason"
)
_INSERT_SUM = (
    f"INSERT INTO cost_sums ({', '.join(COST_SUMS)}) VALUES ({', '.join('?' * len(COST_SUMS))})"
)
_OF_ALL = f"dimension IN ({', '.join(repr(name) for name in ('', *DIMENSIONS))})"
_OF_HOUR = f"{_OF_ALL} AND span = {HOUR} AND start = ?"
_OF_DAY = f"{_OF_ALL} AND span = {DAY} AND start = ?"
_TABLES = ("run_costs", "cost_sums", "cost_hours", "cost_books")


class PeriodSums(NamedTuple):
    """The usage and cost of the runs that started in a period, by value of a dimension.

    ``span`` (``HOUR`` or ``DAY``) and ``start`` are in quarters of an hour since 1970; dimension
    ``""`` is all runs. ``sums`` is JSON, which this module does not interpret.
    """

    dimension: str
    span: int
    start: int
    sums: str


def has_runs(connection: Connection, number: int) -> bool:
    """Return whether there is at least this ``number`` of runs."""
    sql = f"SELECT count(*) FROM (SELECT 1 FROM runs LIMIT {number}) AS counted"
    return int(connection.one(sql)[0]) >= number


def book_of(connection: Connection, digest: str) -> int | None:
    """Return the number of a price book whose costs are stored, None without it."""
    row = connection.one("SELECT book FROM cost_books WHERE digest = ?", (digest,))
    return None if row is None else int(row[0])


def add_book(connection: Connection, digest: str) -> int:
    """Return the number of a price book; costs of the oldest other books are deleted.

    Call it in a transaction.
    """
    connection.driver.lock_writes(connection, "cost_hours")
    known = book_of(connection, digest)
    if known is not None:
        return known
    books = [int(book) for (book,) in connection.all("SELECT book FROM cost_books ORDER BY book")]
    for book in books[: max(0, len(books) + 1 - _KEPT_BOOKS)]:
        for table in _TABLES:
            connection.execute(f"DELETE FROM {table} WHERE book = ?", (book,))
    number = max(books, default=0) + 1
    connection.execute("INSERT INTO cost_books (book, digest) VALUES (?, ?)", (number, digest))
    return number


def clear(connection: Connection, book: int) -> None:
    """Delete the costs of a price book."""
    for table in ("run_costs", "cost_sums", "cost_hours"):
        connection.execute(f"DELETE FROM {table} WHERE book = ?", (book,))


def stale_hours(connection: Connection, book: int) -> dict[int, int]:
    """Return the hours whose runs have no stored costs yet, or are others since, in order.

    They are given with their number of runs.
    """
    new = (
        f"SELECT u.start, u.runs FROM ({_EXPECTED}) AS u LEFT JOIN cost_hours AS c ON c.book = ?"
        " AND c.start = u.start WHERE u.runs <> coalesce(c.runs, 0)"
    )
    gone = (
        "SELECT c.start, 0 FROM cost_hours AS c WHERE c.book = ? AND NOT EXISTS"
        f" (SELECT 1 FROM usage_by_time AS u WHERE u.span = {HOUR} AND u.start = c.start)"
    )
    found = connection.all(f"{new} UNION ALL {gone}", (book, book))
    return {int(start): int(runs) for start, runs in sorted(found)}


def stored_hours(connection: Connection, book: int) -> list[int]:
    """Return the hours whose costs are stored, in order."""
    sql = "SELECT start FROM cost_hours WHERE book = ? ORDER BY start"
    return [int(start) for (start,) in connection.all(sql, (book,))]


def runs_of_hour(connection: Connection, start: int, columns: Sequence[str]) -> list[Sequence[Any]]:
    """Return these columns of the runs that started in an hour, without open ones."""
    names = ", ".join(f"r.{name}" for name in columns)
    sql = f"SELECT {names} FROM runs AS r WHERE {condition(start)}"
    return list(connection.all(sql))


def condition(start: int) -> str:
    """Return SQL for the runs ``r`` of an hour that are not open."""
    first, last = start * MICROS, start * MICROS + _HOUR
    return f"r.started_at >= {first} AND r.started_at < {last} AND r.recording <> 'open'"


def replace(
    connection: Connection,
    book: int,
    start: int,
    runs: Sequence[tuple[str, str | None, str | None, str | None]],
    sums: Iterable[PeriodSums],
) -> None:
    """Replace the stored costs of an hour; ``runs`` are ids with currency, cost and reason.

    Call it in the transaction that has locked ``cost_hours`` and then read the runs.
    """
    connection.execute(f"DELETE FROM cost_sums WHERE book = ? AND {_OF_HOUR}", (book, start))
    day = start // DAY * DAY
    connection.execute(f"DELETE FROM cost_sums WHERE book = ? AND {_OF_DAY}", (book, day))
    connection.execute("DELETE FROM cost_hours WHERE book = ? AND start = ?", (book, start))
    if not runs:
        return
    connection.execute(
        "INSERT INTO cost_hours (book, start, runs) VALUES (?, ?, ?)", (book, start, len(runs))
    )
    connection.executemany(_INSERT_RUN, [(run_id, book, *priced) for run_id, *priced in runs])
    add_sums(connection, book, sums)


def add_sums(connection: Connection, book: int, sums: Iterable[PeriodSums]) -> None:
    """Add sums of periods that have none."""
    connection.executemany(_INSERT_SUM, [(book, *one) for one in sums])


def costs_of_hour(connection: Connection, book: int, start: int) -> dict[str, tuple[Any, ...]]:
    """Return currency, cost and reason of the runs of an hour, by id."""
    sql = (
        "SELECT c.run_id, c.currency, c.cost, c.reason FROM run_costs AS c"
        f" JOIN runs AS r ON r.run_id = c.run_id WHERE c.book = ? AND {condition(start)}"
    )
    return {run_id: tuple(found) for run_id, *found in connection.all(sql, (book,))}


def sums_within(
    connection: Connection, book: int, span: int, first: int, last: int
) -> list[PeriodSums]:
    """Return the stored sums of the periods of a span from ``first`` to before ``last``."""
    names = ", ".join(PeriodSums._fields)
    sql = (
        f"SELECT {names} FROM cost_sums WHERE book = ? AND {_OF_ALL} AND span = ?"
        " AND start >= ? AND start < ? ORDER BY dimension, start"
    )
    return list(map(PeriodSums._make, connection.all(sql, (book, span, first, last))))


def orphans(connection: Connection, book: int) -> list[str]:
    """Return the runs with stored costs that are not in ``runs``."""
    sql = "SELECT run_id FROM run_costs WHERE book = ? AND run_id NOT IN (SELECT run_id FROM runs)"
    return [str(run_id) for (run_id,) in connection.all(sql, (book,))]


def sums(
    connection: Connection, book: int, dimension: str, span: int, starts: Starts
) -> list[tuple[int, str]]:
    """Return the stored sums of a dimension by start, from the first to before the last."""
    where, parameters = ["book = ?", "dimension = ?", "span = ?"], [book, dimension, span]
    for bound, operator in zip(starts, (">=", "<"), strict=True):
        if bound is not None:
            where.append(f"start {operator} ?")
            parameters.append(bound)
    sql = f"SELECT start, sums FROM cost_sums WHERE {' AND '.join(where)}"
    return list(connection.all(sql, parameters))


def forget(connection: Connection, changed: Iterable[tuple[str, int]]) -> None:
    """Forget the costs of runs that change or go, by id and start: their hours are stale then."""
    for run_id, started_at in changed:
        connection.execute("DELETE FROM run_costs WHERE run_id = ?", (run_id,))
        hour = started_at // _HOUR * HOUR
        connection.execute("DELETE FROM cost_hours WHERE start = ?", (hour,))
        # A sum would reveal the value of a run that was deleted.
        books = "book IN (SELECT book FROM cost_books)"
        connection.execute(f"DELETE FROM cost_sums WHERE {books} AND {_OF_HOUR}", (hour,))
        day = hour // DAY * DAY
        connection.execute(f"DELETE FROM cost_sums WHERE {books} AND {_OF_DAY}", (day,))


def forget_staged(connection: Connection, staged: str) -> None:
    """Forget the costs of runs that a rebuild replaces, which ``staged`` selects."""
    connection.execute(f"DELETE FROM run_costs WHERE {staged}")
    for table in ("runs", "staged_runs"):
        hours = f"start IN (SELECT {_HOUR_OF} FROM {table} WHERE {staged})"
        days = f"start IN (SELECT {_DAY_OF} FROM {table} WHERE {staged})"
        connection.execute(f"DELETE FROM cost_hours WHERE {hours}")
        connection.execute(f"DELETE FROM cost_sums WHERE span = {HOUR} AND {hours}")
        connection.execute(f"DELETE FROM cost_sums WHERE span = {DAY} AND {days}")
