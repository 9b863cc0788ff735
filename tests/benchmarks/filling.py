"""Logs of many events, filled at once: rows as recorders make them, projections from those rows."""

from __future__ import annotations

import itertools
import os
import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from runreel.codec import json_text
from runreel.integrity import digest_chain
from runreel.model.events import CLOSED, INTERRUPTED, NOTE, OPENED, RUN, STREAM_EVENT, EventRow
from runreel.model.timestamps import to_micros
from runreel.projection.projector import RunProjector
from runreel.recording.event_builder import build_events, note
from runreel.sources import reader_of
from runreel.store.events.event_log import COLUMNS
from tests.benchmarks import raw, workload

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from runreel.api.reel import Reel
    from runreel.codec.source_protocol import SourceEvent

# The runs of a log started within DAYS before this time.
NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
DAYS = 180
TEAMS = 500
ASSISTANTS = 200
MODELS = 6

_EVERY = timedelta(days=DAYS)
_MILLISECOND = 1_000
_TEXTS = 20
_SHORT = 3
_AT_ONCE = 2_000


def streams(reel: Reel, events: int, *, projected: bool = True) -> int:
    """Fill a log with runs of 40 deltas, at least ``events`` events; returns their number.

    Without ``projected`` nothing but the log itself is filled.
    """
    made = [drafted(workload.run_data(number)) for number in range(_TEXTS)]
    of_each = len(made[0])
    runs = -(-events // of_each)
    rows = itertools.chain.from_iterable(
        chained(workload.run_id(number), began(number, runs), made[number % _TEXTS])
        for number in range(runs)
    )
    store(reel, rows)
    if projected:
        reel.rebuild()
    return runs * of_each


def long_run(reel: Reel, events: int) -> str:
    """Fill a log with one run of ``events`` partial messages; returns its id."""
    run_id, reader = workload.run_id(0), reader_of(workload.SOURCE)
    opened = note(OPENED, {"source": workload.SOURCE, "via": "benchmark"})
    values = workload.partials(0, _TEXTS * workload.DELTAS)
    messages = (
        msgspec.structs.replace(reader.interpret(STREAM_EVENT, value), index=number)
        for number, value in enumerate(itertools.islice(itertools.cycle(values), events))
    )
    entries = itertools.chain([opened], messages)
    store(reel, chained(run_id, began(0, 1), _drafts(run_id, entries)))
    reel.rebuild()
    return run_id


def lists(reel: Reel, runs: int) -> int:
    """Fill a log with short runs that differ in all that a list of runs is filtered by.

    One in a thousand waits for its tools, one is of another source, one has no usage and one was
    interrupted. The number of rows is answered.
    """
    store(
        reel,
        itertools.chain.from_iterable(
            chained(workload.run_id(number), began(number, runs), _short(number, runs))
            for number in range(runs)
        ),
    )
    reel.rebuild()
    if reel.db.url.postgres:
        with raw.connected(raw.url_of(reel)) as connection:
            connection.execute("VACUUM ANALYZE")
    return runs * _SHORT


def store(reel: Reel, rows: Iterable[EventRow]) -> None:
    """Store rows past the recorders."""
    with raw.connected(raw.url_of(reel), "normal") as connection:
        if reel.db.url.postgres:
            copy = f"COPY events ({', '.join(COLUMNS)}) FROM STDIN"
            with connection.cursor().copy(copy) as file:
                for row in rows:
                    file.write_row(row)
        else:
            insert = raw.insert("", "events")
            rows = iter(rows)
            while some := list(itertools.islice(rows, _AT_ONCE)):
                connection.execute("BEGIN")
                connection.executemany(insert, some)
                connection.execute("COMMIT")


def began(number: int, runs: int) -> int:
    return to_micros(NOW - _EVERY * ((runs - number) / runs))


def drafted(run: workload.RunData) -> list[EventRow]:
    """The rows of a run, at the time 0."""
    reader = reader_of(workload.SOURCE)
    entries = [
        note(OPENED, {"source": workload.SOURCE, "via": "benchmark"}),
        *(reader.interpret(kind, value) for kind, value in run.events),
        note(CLOSED, {}),
    ]
    return list(_drafts(run.run_id, entries))


def _drafts(run_id: str, entries: Iterable[SourceEvent]) -> Iterator[EventRow]:
    fold = RunProjector(run_id, workload.SOURCE)
    for place, entry in enumerate(entries):
        time = place * 50 * _MILLISECOND
        (made,) = build_events(fold, b"", [entry], time, time)
        fold.apply(made.row)
        yield made.row


def _short(number: int, runs: int) -> list[EventRow]:
    """The rows of a run without stream events."""
    dice = random.Random(number)  # noqa: S311 - made up
    identity = {
        "assistant_id": f"asst-{dice.randrange(ASSISTANTS)}",
        "thread_id": f"thread-{dice.randrange(runs // 20 + 1)}",
        "model": f"model-{dice.randrange(MODELS)}",
        "labels": {"team": f"team-{dice.randrange(TEAMS)}", "env": dice.choice(("prod", "test"))},
    }
    kind = number % 1_000
    source = "openai-chat" if kind == 1 else "plain"
    status = "TOOL_CALLS" if kind == 0 else "FAILED" if dice.random() < 0.05 else "COMPLETED"
    state: dict[str, Any] = {"type": status}
    if status == "FAILED":
        state["error"] = {"message": "the model is overloaded", "code": 8}
    if kind != 2:
        given, made = dice.randrange(20, 2_000), dice.randrange(10, 900)
        state["usage"] = {
            "input_text_tokens": given,
            "completion_tokens": made,
            "total_tokens": given + made,
        }
    return [
        _row(0, NOTE, OPENED, {"source": source, "via": "benchmark", **identity}),
        _row(1, RUN, status, state),
        _row(2, NOTE, INTERRUPTED if kind == 3 else CLOSED, {}),
    ]


def _row(seq: int, kind: str, type_: str, value: dict[str, Any]) -> EventRow:
    at, payload = seq * _MILLISECOND, json_text.dumps(value)
    return EventRow("", seq, kind, type_, None, at, 0, None, None, payload, _SALT, None, b"")


_SALT = os.urandom(digest_chain.SALT_BYTES)


def chained(run_id: str, began: int, rows: Iterable[EventRow]) -> Iterator[EventRow]:
    """The rows of a run as those of another, which began then."""
    digest = digest_chain.genesis(run_id)
    for row in rows:
        (_, seq, kind, type_, index, at, elapsed, keep, added, payload, salt, *_) = row
        bound = (run_id, seq, kind, type_, index, began + at, elapsed, keep, added)
        digest = digest_chain.digest(
            digest, *bound, digest_chain.commitment(salt or b"", payload or "")
        )
        yield EventRow(*bound, payload, salt, None, digest)
