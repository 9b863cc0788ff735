"""The predicates of run filters as SQL: those served by an index, and the others.

The options of a predicate are disjoint: no run matches two of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runreel.model.events import CLOSED, INTERRUPTED, OPEN
from runreel.projection.run_mapper import clean_text, index_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from runreel.model.selection import RunFilter, StatusChoice
    from runreel.model.status import RunStatus
    from runreel.store.drivers.interface import Dialect, Driver

_RUNS = "runs AS r"
# SQLite keeps the order of a CROSS JOIN, so it reads no run without the label.
BY_LABEL = "run_labels AS l CROSS JOIN runs AS r"
VALUE_OF_LABEL = " AND r.run_id = l.run_id"

# The start of a run's duration: see ``model.timestamps.duration_ms``.
_BEGAN = "CASE WHEN r.requested_at <= r.finished_at THEN r.requested_at ELSE r.started_at END"


class Option(NamedTuple):
    """One of the values that a predicate accepts, as a driving predicate."""

    sql: str
    parameters: tuple[object, ...]


class Predicate(NamedTuple):
    """A predicate: as a driving one by option or ``together``, and as a filter (``filter_sql``).

    ``filter_sql`` is a format with the start and id columns of the driving table (0, 1) and a unary
    plus (2), which stops SQLite from using an index. Its parameters are those of ``together``.
    """

    options: tuple[Option, ...]
    together: str
    filter_sql: str
    parameters: tuple[object, ...]
    tables: str = _RUNS


def indexed(run_filter: RunFilter, driver: Driver) -> Iterator[Predicate]:
    """Yield the predicates with an index, the usually more selective ones first."""
    yield from _equal("thread_id", run_filter.thread)
    yield from _equal("assistant_id", run_filter.assistant)
    for name, values in run_filter.labels.items():
        yield _label(name, values)
    if run_filter.recording and CLOSED not in run_filter.recording:
        yield from _recording(run_filter.recording)
    if run_filter.has_error or run_filter.error_contains:
        yield _fixed("({2}r.error IS NOT NULL OR {2}r.error_code IS NOT NULL)")
    if run_filter.no_usage:
        yield _fixed("{2}r.total_tokens IS NULL")
    yield from _equal("model", run_filter.model)
    if run_filter.status is not None:
        yield _status(run_filter.status, run_filter.stale, driver)
    yield from _equal("source", run_filter.source)


def unindexed(run_filter: RunFilter, dialect: Dialect) -> Iterator[tuple[str, list[object]]]:
    """Yield the predicates without an index: SQL and parameters."""
    if CLOSED in run_filter.recording:
        # Nearly all runs are closed, so there is no index of them.
        yield f"r.recording IN ({_marks(run_filter.recording)})", [*run_filter.recording]
    if run_filter.slower_than is not None:
        yield f"r.finished_at - {_BEGAN} > ?", [run_filter.slower_than]
    if run_filter.min_tokens is not None:
        yield "r.total_tokens >= ?", [run_filter.min_tokens]
    if run_filter.error_contains:
        both = f"{dialect.contains.format('r.error')} OR {dialect.contains.format('r.error_code')}"
        texts = [_lower(clean_text(text) or "") for text in run_filter.error_contains]
        yield (
            f"({' OR '.join([both] * len(texts))})",
            [one for text in texts for one in (text,) * 2],
        )


def _equal(column: str, values: Sequence[str]) -> Iterator[Predicate]:
    if values:
        yield _any_of(f"r.{column}", [*dict.fromkeys(map(index_key, values))])


def _any_of(column: str, values: Sequence[str | None], *, also: str = "") -> Predicate:
    """Return a predicate on a column; ``also`` is the condition of its partial index."""
    options = tuple(Option(f"{column} = ?{also}", (value,)) for value in values)
    several = "= ?" if len(values) == 1 else f"IN ({_marks(values)})"
    return Predicate(
        options, f"{column} {several}{also}", f"{{2}}{column} {several}", tuple(values)
    )


def _recording(values: Sequence[str]) -> Iterator[Predicate]:
    yield _any_of("r.recording", values, also=" AND r.recording <> 'closed'")


def _label(name: str, values: Sequence[str]) -> Predicate:
    stored = [*dict.fromkeys(map(index_key, values))]
    several = "= ?" if len(stored) == 1 else f"IN ({_marks(stored)})"
    return Predicate(
        tuple(
            Option(f"l.key = ? AND l.value = ?{VALUE_OF_LABEL}", (index_key(name), value))
            for value in stored
        ),
        f"l.key = ? AND l.value {several}{VALUE_OF_LABEL}",
        f"(SELECT 1 FROM run_labels AS o WHERE o.key = ? AND o.value {several}"
        " AND o.started_at = {0} AND o.run_id = {1}) IS NOT NULL",
        (index_key(name), *stored),
        BY_LABEL,
    )


def _fixed(sql: str) -> Predicate:
    return Predicate((Option(_leading(sql), ()),), _leading(sql), sql, ())


def _leading(filter_sql: str) -> str:
    """Return the driving form of a predicate's ``filter_sql``."""
    return filter_sql.format("", "", "")


def _status(choice: StatusChoice, stale: Sequence[str], driver: Driver) -> Predicate:
    if not choice.needs_stale and not choice.interrupted and choice.whole:
        return _any_of("r.status", _names(choice.whole))
    options = [*_options(choice, stale, driver)] or [("1 = 0", ())]
    filter_sql = f"({' OR '.join(sql for sql, _ in options)})"
    return Predicate(
        tuple(Option(_leading(sql), parameters) for sql, parameters in options),
        _leading(filter_sql),
        filter_sql,
        tuple(value for _, parameters in options for value in parameters),
    )


def _options(
    choice: StatusChoice, stale: Sequence[str], driver: Driver
) -> Iterator[tuple[str, tuple[object, ...]]]:
    """Yield the options of a status in their filter form, with their parameters."""
    ids, gone, present = _ids(stale, driver)
    for name in _names(choice.whole):
        yield "{2}r.status = ?", (name,)
    for name in _names(choice.plain):
        sql = "({2}r.status = ? AND r.recording <> 'interrupted'"
        yield f"{sql}{present})" if stale else f"{sql})", (name, *ids)
    for recording, also, statuses, more in (
        (INTERRUPTED, "", choice.interrupted, ()),
        (OPEN, gone, choice.stale if stale else (), ids),
    ):
        if statuses:
            names = _names(statuses)
            cut = f"{{2}}r.recording = '{recording}' AND r.recording <> 'closed'"
            yield f"({cut} AND r.status IN ({_marks(names)}){also})", (*names, *more)


def _ids(stale: Sequence[str], driver: Driver) -> tuple[tuple[object, ...], str, str]:
    """Return run ids as one parameter, and SQL for being in them and not in them."""
    if not stale:
        return (), "", ""
    one_of, none_of, ids = driver.id_list(stale)
    column = f"{driver.dialect.no_index}r.run_id"
    return (ids,), f" AND {column} {one_of}", f" AND {column} {none_of}"


def _names(statuses: Iterable[RunStatus]) -> list[str]:
    return [status.name for status in statuses]


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))


def _lower(text: str) -> str:
    return "".join(char.lower() if char.isascii() else char for char in text)
