"""Which runs a search has to read: those selected, newest first, and those that lag or depend."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runreel.model.run_keys import EXTENDS
from runreel.projection.run_mapper import index_key
from runreel.store.projections.filter_planner import plan_filter
from runreel.store.projections.run_queries import selected, where_clause

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from runreel.model.selection import RunFilter
    from runreel.store.connection import Connection

# Runs whose texts are in the log alone. The projection of a recording that has ended has its text.
_LAGGING = "SELECT r.run_id FROM runs AS r WHERE r.recording = 'open' AND r.recording <> 'closed'"
_IDS = 500
_FEW = 1_000


class Position(NamedTuple):
    """The place of a run in a list: when it started, in µs, and its id."""

    started_at: int
    run_id: str


def page(
    connection: Connection,
    run_filter: RunFilter,
    among: Collection[str] | None,
    *,
    limit: int,
    after: Position | None,
) -> list[Position]:
    """Return the runs that match ``run_filter`` and are ``among`` these, newest first."""
    plan = plan_filter(connection, run_filter)
    where, values = selected(plan, plan.where(), after)
    if among is not None:
        one_of, _, ids = connection.driver.id_list([*among])
        # A few runs are looked up by their ids, of many the newest are read first.
        no_index = connection.driver.dialect.no_index if values and len(among) > _FEW else ""
        where.append(f"{no_index}r.run_id {one_of}")
        values.append(ids)
    start, run_id = plan.order_columns
    rows = connection.all(
        f"SELECT {start}, {run_id} FROM {plan.tables}{where_clause(where)}"
        f" ORDER BY {start} DESC, {run_id} DESC LIMIT ?",
        (*values, limit),
    )
    return [Position(int(started_at), str(id_)) for started_at, id_ in rows]


def count(connection: Connection, run_filter: RunFilter) -> int:
    """Count the runs that match a filter."""
    plan = plan_filter(connection, run_filter)
    where, values = selected(plan, plan.where(), None)
    return int(
        connection.one(f"SELECT count(*) FROM {plan.tables}{where_clause(where)}", values)[0]
    )


def lagging(connection: Connection) -> set[str]:
    """Return the runs whose texts are not all in the projection."""
    return {str(run_id) for (run_id,) in connection.all(_LAGGING)}


def has_extensions(connection: Connection) -> bool:
    """Return whether the request of any run repeats the request of another."""
    sql = f"SELECT EXISTS (SELECT 1 FROM run_keys WHERE kind = '{EXTENDS}')"
    return bool(connection.one(sql)[0])


def extending(connection: Connection, run_ids: Sequence[str]) -> set[str]:
    """Return those of these runs whose requests repeat requests of other runs."""
    one_of, _, ids = connection.driver.id_list(run_ids)
    sql = f"SELECT DISTINCT run_id FROM run_keys WHERE run_id {one_of} AND kind = '{EXTENDS}'"
    return {str(run_id) for (run_id,) in connection.all(sql, (ids,))}


def extensions(connection: Connection, run_ids: Collection[str]) -> set[str]:
    """Return the runs whose requests repeat requests of these runs, directly or through others."""
    found: set[str] = set()
    new = set(run_ids)
    while new:
        keys = [str(index_key(run_id)) for run_id in new]
        new = set()
        for start in range(0, len(keys), _IDS):
            one_of, _, ids = connection.driver.id_list(keys[start : start + _IDS])
            sql = f"SELECT run_id FROM run_keys WHERE kind = '{EXTENDS}' AND key {one_of}"
            new |= {str(run_id) for (run_id,) in connection.all(sql, (ids,))}
        new -= found
        found |= new
    return found
