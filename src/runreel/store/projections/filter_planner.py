"""The query planner for filters: chooses the predicate that drives the index scan.

Every predicate has an index in list order. The one with the fewest runs drives: its runs are read
in order, and the other predicates filter them. A planner without statistics, like SQLite's, would
choose any. A driving predicate with several options is split into one part for each: a single part
is read in list order, all options together are not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runreel.model.timestamps import to_micros
from runreel.store.projections import predicates
from runreel.store.projections.predicates import BY_LABEL, VALUE_OF_LABEL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runreel.model.selection import RunFilter
    from runreel.store.connection import Connection
    from runreel.store.drivers.interface import Dialect
    from runreel.store.projections.predicates import Predicate

    Where = tuple[list[str], list[object]]

# More matches than this are not distinguished.
_MANY = 1_000
# With more options, sort the list instead of merging parts.
_PARTS = 50


class FilterPlan(NamedTuple):
    """Predicates on ``tables``, the driving one first; lists are ordered by ``order_columns``."""

    tables: str
    order_columns: tuple[str, str]
    conditions: Sequence[Predicate]
    run_filter: RunFilter
    dialect: Dialect

    def where(self) -> Where:
        """Return all predicates as SQL, and their parameters."""
        if not self.conditions:
            return self._rest()
        driving = self.conditions[0]
        return self._joined(driving.together, driving.parameters)

    def parts(self) -> list[Where]:
        """Return the same as ``where`` in disjoint parts, each of which is read in list order."""
        options = self.conditions[0].options if self.conditions else ()
        if not 1 < len(options) <= _PARTS:
            return [self.where()]
        return [self._joined(one.sql, one.parameters) for one in options]

    def _joined(self, driving: str, parameters: Sequence[object]) -> Where:
        sql, values = [driving], [*parameters]
        for predicate in self.conditions[1:]:
            sql.append(predicate.filter_sql.format(*self.order_columns, self.dialect.no_index))
            values += predicate.parameters
        rest, more = self._rest()
        return sql + rest, values + more

    def _rest(self) -> Where:
        """Return the predicates without an index, and the times."""
        sql, values = _times(self.run_filter, self.order_columns[0])
        for text, parameters in predicates.unindexed(self.run_filter, self.dialect):
            sql.append(text)
            values += parameters
        return sql, values


def plan_filter(connection: Connection, run_filter: RunFilter) -> FilterPlan:
    """Return the predicates of a filter, the one with the fewest runs first."""
    conditions = [*predicates.indexed(run_filter, connection.driver)]
    # Statistics are on the values of columns, not on those of labels.
    if len(conditions) > 1 and (run_filter.labels or not connection.driver.has_statistics):
        counts = _count_matches(connection, conditions, run_filter)
        conditions.insert(0, conditions.pop(counts.index(min(counts))))
    tables = conditions[0].tables if conditions else "runs AS r"
    driving_table = tables[tables.index(" AS ") + 4]
    order_columns = f"{driving_table}.started_at", f"{driving_table}.run_id"
    return FilterPlan(tables, order_columns, conditions, run_filter, connection.driver.dialect)


def _count_matches(
    connection: Connection, conditions: Sequence[Predicate], run_filter: RunFilter
) -> list[int]:
    """Count the runs of each predicate within the filter's times, up to ``_MANY``."""
    parts, parameters = [], []
    for predicate in conditions:
        # Both are answered from an index alone.
        label = predicate.tables == BY_LABEL
        sql = predicate.together.partition(VALUE_OF_LABEL)[0] if label else predicate.together
        table = "run_labels AS l" if label else "runs AS r"
        times, bounds = _times(run_filter, "started_at")
        limited = f"SELECT 1 FROM {table} WHERE {' AND '.join([sql, *times])} LIMIT {_MANY}"
        parts.append(f"(SELECT count(*) FROM ({limited}) AS few)")
        parameters += [*predicate.parameters, *bounds]
    return [*connection.one(f"SELECT {', '.join(parts)}", parameters)]


def _times(run_filter: RunFilter, column: str) -> Where:
    sql: list[str] = []
    values: list[object] = []
    for sign, time in ((">=", run_filter.since), ("<", run_filter.until)):
        if time is not None:
            sql.append(f"{column} {sign} ?")
            values.append(to_micros(time))
    if run_filter.within:
        sql.append(f"({' OR '.join([f'{column} >= ? AND {column} < ?'] * len(run_filter.within))})")
        values += [to_micros(end) for one in run_filter.within for end in (one.start, one.end)]
    return sql, values
