"""Reads the exchanges of recorded runs from a log, and the events of their answers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from runreel.codec.json_text import sorted_bytes
from runreel.codec.json_values import as_object, as_text
from runreel.model.errors import BadValue
from runreel.model.events import ATTEMPT, CONTEXT, NOTE, RUN, STREAM_EVENT
from runreel.model.timestamps import micros
from runreel.projection.model_calls import CallBuilder
from runreel.projection.projector import DamagedRow, RunProjector
from runreel.projection.row_times import RowClock
from runreel.query import requests as stored_requests
from runreel.query import run_history, seek
from runreel.serving.exchange import Exchange, Refusal
from runreel.sources import reader_of, requests
from runreel.store.events import damage, event_log

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runreel.model.events import EventRow
    from runreel.projection.model_calls import ModelCall
    from runreel.projection.projector import ProjectedRow
    from runreel.projection.row_times import RowTimes
    from runreel.sources.requests import Body
    from runreel.store.connection import Connection
    from runreel.store.database import Database

# The sources whose answers come over HTTP.
SOURCES = (requests.OPENAI_RESPONSES, requests.OPENAI_CHAT, requests.ANTHROPIC_MESSAGES)
# Rows from the end of an answer in which its last event is looked for; usage may follow it.
_LAST = 8


class _Applied(NamedTuple):
    row: EventRow
    value: object


class _Run(NamedTuple):
    """The rows of a run, its calls, and the times of its rows."""

    source: str
    rows: list[_Applied]
    calls: list[ModelCall]
    times: RowTimes


def of_run(database: Database, run_id: str) -> list[Exchange]:
    """Return the exchanges of a run in their order; none if its source is not served over HTTP.

    Each attempt that failed is an exchange too.

    Raises:
        RunNotFound: if the log has no such run.
    """
    with database.reading() as connection, damage.snapshot(connection):
        run_history.require_logged(connection, run_id)
        run = _read(connection, run_id)
        if run.source not in SOURCES:
            return []
        return list(_Reader(connection, run_id, run).exchanges())


class TimedRow(NamedTuple):
    """A row of a run: its kind, its value, and its time in µs after the request."""

    kind: str
    value: object
    time: int


def timed_rows(database: Database, run_id: str) -> tuple[str, list[TimedRow]]:
    """Return the source of a run, and its rows with their times.

    Raises:
        RunNotFound: if the log has no such run.
    """
    with database.reading() as connection, damage.snapshot(connection):
        run_history.require_logged(connection, run_id)
        run = _read(connection, run_id)
    times = run.times.rows
    return run.source, [TimedRow(one.row.kind, one.value, times[one.row.seq]) for one in run.rows]


def values(database: Database, exchange: Exchange) -> list[object]:
    """Return the JSON values of an answer, as they are in the log now.

    What was erased since the exchange was read has blocks, or is missing.
    """
    if not exchange.seqs:
        return []
    first, last = exchange.seqs[0], exchange.seqs[-1]
    wanted = frozenset(exchange.seqs)
    with database.reading() as connection:
        run_history.require_logged(connection, exchange.run_id)
        projector = seek.nearest(connection, exchange.run_id, first)
        start = projector.state.last_seq + 1
        if not start:
            projector.use(exchange.source)
        # The values depend on the text before them, and on nothing else of the state.
        codec = projector.transcript
        found: list[object] = []
        for row in event_log.read(connection, exchange.run_id, start=start, stop=last + 1):
            try:
                if row.seq in wanted:
                    found.append(codec.decode(row))
                elif row.kind != NOTE:
                    codec.skip(row)
            except (BadValue, AttributeError, KeyError, TypeError) as error:
                raise DamagedRow(row, error) from error
    return found


def _read(connection: Connection, run_id: str) -> _Run:
    projector = RunProjector(run_id)
    calls, clock = CallBuilder(projector), RowClock()
    rows: list[_Applied] = []
    for row in event_log.read(connection, run_id):
        projected: ProjectedRow = projector.apply(row)
        calls.add(row, projected)
        clock.add(row, projected, projector.state)
        rows.append(_Applied(row, projected.value))
    times = clock.times(projector.state.metadata.requested_at)
    return _Run(projector.state.source, rows, calls.calls(), times)


class _Reader:
    """Makes the exchanges of one run."""

    def __init__(self, connection: Connection, run_id: str, run: _Run) -> None:
        self._connection = connection
        self._run_id = run_id
        self._run = run
        self._number = 0
        # Requests of a conversation repeat each other; their items are kept once.
        self._items: dict[bytes, object] = {}

    def exchanges(self) -> Iterator[Exchange]:
        begin = 0
        for call in self._run.calls:
            yield from self._of_call(call, self._run.rows[begin : call.last + 1])
            begin = call.last + 1

    def _of_call(self, call: ModelCall, part: Sequence[_Applied]) -> Iterator[Exchange]:
        request, known = self._request(part)
        asked = self._asked(call, part)
        for one in part:
            if one.row.kind == NOTE and one.row.type == ATTEMPT:
                yield self._refused(one, request)
                asked = self._run.times.rows[one.row.seq]
        rows = _answer_in(part)
        if rows or call.failure is None:
            found = self._answered(call, request, rows, asked)
            blocked = not known or any(one.row.redacted is not None for one in part)
            yield replace(found, blocked=blocked)

    def _answered(
        self, call: ModelCall, request: Body | None, rows: Sequence[_Applied], asked: int | None
    ) -> Exchange:
        """Return the exchange of a call, whose request was ``asked`` at a time if that is known."""
        at = [self._run.times.rows[one.row.seq] for one in rows]
        start = asked if asked is not None else next(iter(at), 0)
        is_stream = any(one.row.kind == STREAM_EVENT for one in rows)
        return replace(
            self._next(request),
            seqs=tuple(one.row.seq for one in rows),
            times=tuple(max(0, time - start) for time in at),
            clock=self._run.times.clock,
            streamed=is_stream or _is_streamed(request),
            cut=not rows or (is_stream and not self._has_end(rows)),
            response_id=call.response_id,
            model=call.model,
        )

    def _refused(self, attempt: _Applied, request: Body | None) -> Exchange:
        note = as_object(attempt.value)
        status = note.get("status")
        sent = micros(note.get("sent_at"))
        waited = 0 if sent is None else max(0, attempt.row.at - sent)
        return replace(
            self._next(request),
            times=(waited,),
            streamed=_is_streamed(request),
            cut=type(status) is not int,
            refusal=Refusal(
                status if type(status) is int else None,
                note.get("body"),
                as_text(note.get("error")),
            ),
        )

    def _next(self, request: Body | None) -> Exchange:
        self._number += 1
        return Exchange(self._run_id, self._number, self._run.source, request)

    def _request(self, part: Sequence[_Applied]) -> tuple[Body | None, bool]:
        """Return the whole request of a call, and False if parts of it are not in the log."""
        contexts = [one for one in part if one.row.kind == CONTEXT]
        if not contexts:
            return None, True
        stored = stored_requests.stored_request(
            self._connection, self._run.source, self._run_id, contexts[-1].row.seq
        )
        if stored is None:
            # It has no items, or its row is damaged.
            return as_object(contexts[-1].value) or None, contexts[-1].value is not None
        if not stored.complete and not stored.reference.items:
            return None, False
        items = [self._items.setdefault(sorted_bytes(item), item) for item in stored.request.items]
        return stored.request._replace(items=items).body, stored.complete

    def _asked(self, call: ModelCall, part: Sequence[_Applied]) -> int | None:
        """Return the time of the request on the run's clock; None if it is unknown."""
        times = self._run.times
        asked = [times.requests[one.row.seq] for one in part if one.row.seq in times.requests]
        if asked:
            return asked[-1]
        return None if call.asked_by is None else times.rows[call.asked_by]

    def _has_end(self, streamed: Sequence[_Applied]) -> bool:
        read = reader_of(self._run.source).interpret
        return any(read(STREAM_EVENT, one.value).is_last for one in streamed[-_LAST:])


def _answer_in(part: Sequence[_Applied]) -> list[_Applied]:
    """Return the rows of an answer: those of its stream, else those of whole answers."""
    for kind in (STREAM_EVENT, RUN):
        found = [one for one in part if one.row.kind == kind]
        if found:
            return found
    return []


def _is_streamed(request: Body | None) -> bool:
    return request is not None and request.get("stream") is True
