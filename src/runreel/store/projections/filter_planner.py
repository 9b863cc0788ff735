"""Which condition on runs is looked up in its index: the one that the fewest runs meet.

Every condition has an index in the order of a list. Of several conditions one leads: its runs are
read in order, and the others are checked on each. A planner without statistics, as SQLite's, would
take any of them. A condition with several options leads with one part for each: a part is read in
the order of a list, the options together are not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from runreel.model.timestamps import to_micros
from runreel.store.projections import predicates
from runreel.store.projections.predicates import BY_LABEL, VALUE_OF_LABEL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runreel.model.selection import RunFilter
    from runreel.store.connection import Connection
    from runreel.store.projections.predicates import Predicate

    Where = tuple[list[str], list[Any]]

# Conditions that this many runs meet are all the same.
_MANY = 1_000
# With more options a list is sorted instead of merged.
_PARTS = 50


class FilterPlan(NamedTuple):
    """Conditions on ``tables``, the first of which leads; a list is ordered by ``place``."""

    tables: str
    order_columns: tuple[str, str]
    conditions: Sequence[Predicate]
    run_filter: RunFilter
    postgres: bool

    def where(self) -> Where:
        """All conditions as SQL, and their parameters."""
        if not self.conditions:
            return self._rest()
        lead = self.conditions[0]
        return self._joined(lead.together, lead.parameters)

    def parts(self) -> list[Where]:
        """The same as ``where``, in parts that have no run in common and are each in order."""
        options = self.conditions[0].options if self.conditions else ()
        if not 1 < len(options) <= _PARTS:
            return [self.where()]
        return [self._joined(one.sql, one.parameters) for one in options]

    def _joined(self, lead: str, parameters: Sequence[Any]) -> Where:
        sql, values = [lead], [*parameters]
        plus = "" if self.postgres else "+"
        for one in self.conditions[1:]:
            sql.append(one.filter_sql.format(*self.order_columns, plus))
            values += one.parameters
        rest, more = self._rest()
        return sql + rest, values + more

    def _rest(self) -> Where:
        """What has no index, and the times."""
        sql, values = _times(self.run_filter, self.order_columns[0])
        for text, parameters in predicates.unindexed(self.run_filter, postgres=self.postgres):
            sql.append(text)
            values += parameters
        return sql, values


def plan_filter(connection: Connection, run_filter: RunFilter) -> FilterPlan:
    """The conditions of a filter, the one that the fewest runs meet first."""
    found = [*predicates.indexed(run_filter, postgres=connection.postgres)]
    # A server knows how common each value of a column is, and does not know it of labels.
    if len(found) > 1 and (run_filter.labels or not connection.postgres):
        counts = _counted(connection, found, run_filter)
        found.insert(0, found.pop(counts.index(min(counts))))
    tables = found[0].tables if found else "runs AS r"
    leader = tables[tables.index(" AS ") + 4]
    place = f"{leader}.started_at", f"{leader}.run_id"
    return FilterPlan(tables, place, found, run_filter, connection.postgres)


def _counted(
    connection: Connection, found: Sequence[Predicate], run_filter: RunFilter
) -> list[int]:
    """How many runs meet each condition in the time that is asked for, up to ``_MANY``."""
    parts, parameters = [], []
    for one in found:
        # Neither reads more than the index.
        label = one.tables == BY_LABEL
        sql = one.together.partition(VALUE_OF_LABEL)[0] if label else one.together
        table = "run_labels AS l" if label else "runs AS r"
        times, bounds = _times(run_filter, "started_at")
        few = f"SELECT 1 FROM {table} WHERE {' AND '.join([sql, *times])} LIMIT {_MANY}"
        parts.append(f"(SELECT count(*) FROM ({few}) AS few)")
        parameters += [*one.parameters, *bounds]
    return [*connection.one(f"SELECT {', '.join(parts)}", parameters)]


def _times(run_filter: RunFilter, column: str) -> Where:
    sql, values = [], []
    for sign, moment in ((">=", run_filter.since), ("<", run_filter.until)):
        if moment is not None:
            sql.append(f"{column} {sign} ?")
            values.append(to_micros(moment))
    if run_filter.within:
        sql.append(f"({' OR '.join([f'{column} >= ? AND {column} < ?'] * len(run_filter.within))})")
        values += [to_micros(end) for one in run_filter.within for end in (one.start, one.end)]
    return sql, values
