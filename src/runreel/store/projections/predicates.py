"""Conditions on runs as SQL: those that an index of ``runs`` or ``run_labels`` serves, and others.

The options of a condition have no run in common.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from runreel.model.events import CLOSED, INTERRUPTED, OPEN
from runreel.projection.run_mapper import clean_text, index_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from runreel.model.selection import RunFilter, StatusChoice
    from runreel.model.status import RunStatus

_RUNS = "runs AS r"
# SQLite keeps to the order of a cross join, and so reads no run that lacks the label.
BY_LABEL = "run_labels AS l CROSS JOIN runs AS r"
VALUE_OF_LABEL = " AND r.run_id = l.run_id"

# When a run's time began: see ``words.times.duration_ms``.
_BEGAN = "CASE WHEN r.requested_at <= r.finished_at THEN r.requested_at ELSE r.started_at END"


class Option(NamedTuple):
    """One of the values that a condition lets through, as it leads."""

    sql: str
    parameters: tuple[Any, ...]


class Predicate(NamedTuple):
    """A condition that may lead: as its options one by one, or ``together``.

    ``beside`` is the same where another condition leads, a format of that one's place (0, 1) and
    of a +, with which SQLite uses no index. Its parameters are those of ``together``.
    """

    options: tuple[Option, ...]
    together: str
    filter_sql: str
    parameters: tuple[Any, ...]
    tables: str = _RUNS


def indexed(run_filter: RunFilter, *, postgres: bool) -> Iterator[Predicate]:
    """What may lead, and what few runs use to meet before what many do."""
    yield from _equal("thread_id", run_filter.thread)
    yield from _equal("assistant_id", run_filter.assistant)
    for name, values in run_filter.labels.items():
        yield _label(name, values)
    if run_filter.recording and CLOSED not in run_filter.recording:
        yield from _recording(run_filter.recording)
    if run_filter.has_error or run_filter.error_contains:
        yield _bare("({2}r.error IS NOT NULL OR {2}r.error_code IS NOT NULL)")
    if run_filter.no_usage:
        yield _bare("{2}r.total_tokens IS NULL")
    yield from _equal("model", run_filter.model)
    if run_filter.status is not None:
        yield _status(run_filter.status, run_filter.stale, postgres=postgres)
    yield from _equal("source", run_filter.source)


def unindexed(run_filter: RunFilter, *, postgres: bool) -> Iterator[tuple[str, list[Any]]]:
    """What is checked on each run that the others let through: SQL and its parameters."""
    if CLOSED in run_filter.recording:
        # Nearly all runs are, so there is no index of them.
        yield f"r.recording IN ({_marks(run_filter.recording)})", [*run_filter.recording]
    if run_filter.slower_than is not None:
        yield f"r.finished_at - {_BEGAN} > ?", [run_filter.slower_than]
    if run_filter.min_tokens is not None:
        yield "r.total_tokens >= ?", [run_filter.min_tokens]
    if run_filter.error_contains:
        # Both change the case of ASCII letters alone.
        part = 'strpos(lower({} COLLATE "C"), ?) > 0' if postgres else "instr(lower({}), ?) > 0"
        both = f"{part.format('r.error')} OR {part.format('r.error_code')}"
        texts = [_lower(clean_text(text) or "") for text in run_filter.error_contains]
        yield (
            f"({' OR '.join([both] * len(texts))})",
            [one for text in texts for one in (text,) * 2],
        )


def _equal(column: str, values: Sequence[str]) -> Iterator[Predicate]:
    if values:
        yield _any_of(f"r.{column}", [*dict.fromkeys(map(index_key, values))])


def _any_of(column: str, values: Sequence[str | None], *, also: str = "") -> Predicate:
    """``also`` are words of the index, needed to lead by it."""
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


def _bare(sql: str) -> Predicate:
    return Predicate((Option(_leading(sql), ()),), _leading(sql), sql, ())


def _leading(beside: str) -> str:
    """A condition beside another as it is where it leads itself."""
    return beside.format("", "", "")


def _status(choice: StatusChoice, stale: Sequence[str], *, postgres: bool) -> Predicate:
    if not choice.needs_stale and not choice.interrupted and choice.whole:
        return _any_of("r.status", _names(choice.whole))
    found = [*_options(choice, stale, postgres=postgres)] or [("1 = 0", ())]
    beside = f"({' OR '.join(sql for sql, _ in found)})"
    return Predicate(
        tuple(Option(_leading(sql), parameters) for sql, parameters in found),
        _leading(beside),
        beside,
        tuple(value for _, parameters in found for value in parameters),
    )


def _options(
    choice: StatusChoice, stale: Sequence[str], *, postgres: bool
) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Conditions as they are beside another, with their parameters."""
    ids, gone, present = _ids(stale, postgres=postgres)
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


def _ids(stale: Sequence[str], *, postgres: bool) -> tuple[tuple[Any, ...], str, str]:
    """Run ids as one parameter, however many: that, and SQL for in them and not in them."""
    if not stale:
        return (), "", ""
    if postgres:
        return ([*stale],), " AND r.run_id = ANY (?)", " AND r.run_id <> ALL (?)"
    within = "IN (SELECT value FROM json_each(?))"
    return (json.dumps(stale),), f" AND +r.run_id {within}", f" AND +r.run_id NOT {within}"


def _names(statuses: Iterable[RunStatus]) -> list[str]:
    return [status.name for status in statuses]


def _marks(values: Sequence[Any]) -> str:
    return ", ".join("?" * len(values))


def _lower(text: str) -> str:
    return "".join(char.lower() if char.isascii() else char for char in text)
