"""Which of the conditions on runs is looked up in its index: the one that the fewest runs meet.

Every condition has an index in the order of a list. Of several conditions one leads: its runs are
read in order, and the others are asked of each. A planner without statistics, and SQLite has none,
would take any of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from runreel.store.run_rows import key
from runreel.words.log import CLOSED
from runreel.words.times import to_micros

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runreel.store.connection import Connection
    from runreel.words.log import RunFilter

# Conditions that so many runs meet are all the same.
_MANY = 1_000


class Condition(NamedTuple):
    """What is asked of a run; ``beside`` is the same where another condition leads.

    SQLite finds no index for what a + stands before.
    """

    sql: str
    beside: str
    parameters: tuple[Any, ...]
    tables: str = "runs AS r"


class Led(NamedTuple):
    """Conditions on ``tables``, the first of which leads; a list is ordered by ``place``."""

    tables: str
    place: tuple[str, str]
    conditions: Sequence[Condition]
    chosen: RunFilter
    sqlite: bool

    def where(self) -> tuple[list[str], list[Any]]:
        """All conditions as SQL, and their parameters."""
        found, parameters = _times(self.chosen, self.place[0])
        if self.chosen.recording == CLOSED:
            # Nearly all runs are, so there is no index of them.
            found.append("r.recording = 'closed'")
        lead, beside = self.conditions[:1], self.conditions[1:]
        told = [
            *(one.sql for one in lead),
            *(one.beside.format(*self.place, "+" if self.sqlite else "") for one in beside),
        ]
        return told + found, [*_parameters(self.conditions), *parameters]


def led(connection: Connection, chosen: RunFilter) -> Led:
    """The conditions of a filter, the one that the fewest runs meet first."""
    conditions = [*_conditions(chosen)]
    # A server knows how common each value of a column is, and does not know it of labels.
    if len(conditions) > 1 and (chosen.labels or not connection.postgres):
        counts = _counted(connection, conditions, chosen)
        first = counts.index(min(counts))
        conditions.insert(0, conditions.pop(first))
    tables = conditions[0].tables if conditions else "runs AS r"
    leader = tables[tables.index(" AS ") + 4]
    place = f"{leader}.started_at", f"{leader}.run_id"
    return Led(tables, place, conditions, chosen, not connection.postgres)


def _conditions(chosen: RunFilter) -> Iterator[Condition]:
    """What may lead, and what few runs use to meet before what many do."""
    yield from _equal("thread_id", chosen.thread)
    yield from _equal("assistant_id", chosen.assistant)
    for label in chosen.labels.items():
        yield Condition(_LABEL, _HAS_LABEL, tuple(map(key, label)), _BY_LABEL)
    if chosen.recording not in (None, CLOSED):
        (equal,) = _equal("recording", chosen.recording)
        # In the words of the index, which has such runs alone.
        yield equal._replace(sql=f"{equal.sql} AND r.recording <> 'closed'")
    if chosen.has_error:
        yield _bare("({}r.error IS NOT NULL OR {}r.error_code IS NOT NULL)")
    if chosen.no_usage:
        yield _bare("{}r.total_tokens IS NULL")
    yield from _equal("model", chosen.model)
    yield from _equal("status", None if chosen.status is None else chosen.status.name)
    yield from _equal("source", chosen.source)


_OF_LABEL = "key = ? AND value = ?"
_LABEL = "l.key = ? AND l.value = ? AND r.run_id = l.run_id"
_HAS_LABEL = (
    "(SELECT 1 FROM run_labels AS o WHERE o.key = ? AND o.value = ?"
    " AND o.started_at = {0} AND o.run_id = {1}) IS NOT NULL"
)
# SQLite keeps to the order of a cross join, and so reads no run that lacks the label.
_BY_LABEL = "run_labels AS l CROSS JOIN runs AS r"


def _equal(column: str, value: str | None) -> Iterator[Condition]:
    if value is not None:
        yield Condition(f"r.{column} = ?", f"{{2}}r.{column} = ?", (key(value),))


def _bare(sql: str) -> Condition:
    return Condition(sql.format("", ""), sql.format("{2}", "{2}"), ())


def _counted(
    connection: Connection, conditions: Sequence[Condition], chosen: RunFilter
) -> list[int]:
    """How many runs meet each condition in the time that is asked for, up to ``_MANY``."""
    parts, parameters = [], []
    for one in conditions:
        # Neither reads more than the index.
        sql, table = (_OF_LABEL, "run_labels") if one.tables == _BY_LABEL else (one.sql, "runs")
        times, bounds = _times(chosen, "started_at")
        where = " AND ".join([sql, *times])
        few = f"SELECT 1 FROM {table} AS r WHERE {where} LIMIT {_MANY}"
        parts.append(f"(SELECT count(*) FROM ({few}) AS few)")
        parameters += [*one.parameters, *bounds]
    return [*connection.one(f"SELECT {', '.join(parts)}", parameters)]


def _times(chosen: RunFilter, column: str) -> tuple[list[str], list[Any]]:
    bounds = {">=": chosen.since, "<": chosen.until}
    told = {sign: to_micros(moment) for sign, moment in bounds.items() if moment is not None}
    return [f"{column} {sign} ?" for sign in told], [*told.values()]


def _parameters(conditions: Sequence[Condition]) -> Iterator[Any]:
    for one in conditions:
        yield from one.parameters
