"""From rows of the log to the state of runs, and the projections that keep it."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from runreel.rules import runs
from runreel.rules.codec import loads
from runreel.rules.reading import Reading, SoFar
from runreel.rules.runs import RunState
from runreel.rules.transcript import Transcript
from runreel.sources import reader_of
from runreel.store import event_log, read_models, schema, staging
from runreel.store.read_models import Projected
from runreel.words.errors import BadValue, LogError
from runreel.words.log import NOTE, OPENED, Difference, EventRow, StoredEvent
from runreel.words.times import from_micros

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from runreel.rules.reading import Reader
    from runreel.store.connection import Connection

    Progress = Callable[[int, int], None]


class Told(NamedTuple):
    """What one row holds and means; ``changed`` is whether a list of runs shows it."""

    value: Any
    reading: Reading
    changed: bool


class Fold:
    """One run's state and text, moved along its rows from the first on."""

    __slots__ = ("reader", "run_id", "state", "transcript")

    def __init__(self, run_id: str, source: str | None = None) -> None:
        self.run_id = run_id
        self.state = RunState()
        self.reader: Reader
        self.transcript: Transcript
        if source is not None:
            self.use(source)

    def use(self, source: str) -> None:
        """Read the run's events as this source's."""
        self.reader = reader_of(source)
        self.transcript = Transcript(self.reader, "")

    def take(self, row: EventRow) -> Told:
        """Move over a row of the log.

        Raises:
            LogError: if the row is damaged.
        """
        try:
            if row.kind == NOTE:
                value: Any = None if row.payload is None else loads(row.payload)
                if row.type == OPENED and row.seq == 0:
                    self.use(value["source"])
            else:
                value = self.transcript.read(row)
            text = self.transcript.text
        except (BadValue, AttributeError, KeyError, TypeError) as error:
            raise LogError(
                f"row {row.seq} of run {row.run_id} is damaged: {error}",
                hint="The rows before it can still be read. Restore the log from a backup.",
            ) from error
        reading = self.read(row.kind, value, text)
        return Told(value, reading, self.move(row.kind, row.type, row.at, value, reading))

    def read(self, kind: str, value: Any, text: str) -> Reading:
        """What the next value means; ``text`` is the run's text after it."""
        memory = self.state.memory
        if kind == NOTE or value is None:
            return Reading(memory=memory)
        return self.reader.read(kind, value, SoFar(text, memory))

    def move(self, kind: str, type_: str | None, at: int, value: Any, reading: Reading) -> bool:
        """Move the state over a row; whether anything changed that a list of runs shows."""
        if kind == NOTE:
            return runs.note(self.state, type_, at, value)
        return runs.advance(self.state, kind, at, reading)

    def projected(self) -> Projected:
        """The state as the projections keep it."""
        summary = runs.summary(self.run_id, self.state)
        return Projected(summary, self.state.result, self.transcript.text)


def stored_event(row: EventRow, value: Any, reading: Reading, text: str) -> StoredEvent:
    """A row as a reader of the log sees it; ``text`` is the run's text after it."""
    told = reading.event or reading.result
    message = None if told is None else told._message  # noqa: SLF001 - failed ones refuse
    return StoredEvent(
        run_id=row.run_id,
        seq=row.seq,
        kind=row.kind,
        type=row.type,
        source_index=row.source_index,
        at=from_micros(row.at),
        elapsed=timedelta(microseconds=row.elapsed),
        event=reading.event,
        raw=value,
        text=None if message is None else message.text,
        added=None if row.keep is None else text[row.keep :],
        error=None if told is None else told.error,
        tool_calls=None if told is None else told.tool_calls,
    )


def fold(run_id: str, rows: Iterable[EventRow]) -> Fold:
    """The state of a run after these rows, which begin with its first."""
    folded = Fold(run_id)
    for row in rows:
        folded.take(row)
    return folded


def check(
    connection: Connection, run_ids: list[str] | None = None, *, progress: Progress | None = None
) -> Iterator[Difference]:
    """Where the projections are not what the log says, run by run."""
    for _, differences in _examine(connection, run_ids, progress):
        yield from differences


def rebuild(
    connection: Connection, run_ids: list[str] | None = None, *, progress: Progress | None = None
) -> list[Difference]:
    """Make the projections what the log says, in one step for whoever reads; what differed.

    What differs is staged first, outside of any lock, and then moved into place at once.
    """
    differed: list[Difference] = []
    whole = connection.transaction() if connection.postgres else contextlib.nullcontext()
    with whole, _stage(connection):
        for run_id, differences in _examine(connection, run_ids, progress):
            differed += differences
            if differences:
                last = fold(run_id, event_log.read(connection, run_id))
                gone = last.state.last_seq < 0
                staging.stage(connection, run_id, None if gone else last.projected())
        place = contextlib.nullcontext() if connection.postgres else connection.transaction()
        with place:
            staging.place(connection)
            if run_ids is None:
                schema.set_projection_version(connection)
    return differed


@contextlib.contextmanager
def _stage(connection: Connection) -> Iterator[None]:
    staging.begin(connection)
    try:
        yield
    except BaseException:
        # A transaction that failed takes the room with it, and would hide the reason now.
        if not connection.postgres:
            staging.end(connection)
        raise
    staging.end(connection)


def _examine(
    connection: Connection, run_ids: list[str] | None, progress: Progress | None
) -> Iterator[tuple[str, list[Difference]]]:
    if run_ids is None:
        logged = event_log.run_ids(connection)
        known = set(logged)
        run_ids = logged + [
            stray for stray in read_models.run_ids(connection) if stray not in known
        ]
    for done, run_id in enumerate(run_ids):
        if progress is not None:
            progress(done, len(run_ids))
        yield run_id, _settled(connection, run_id)
    if progress is not None:
        progress(len(run_ids), len(run_ids))


def _settled(connection: Connection, run_id: str) -> list[Difference]:
    """The differences of a run that nobody moved while we compared it."""
    while True:
        stored = read_models.load_row(connection, run_id)
        found = _compare(connection, run_id, stored)
        if not found or read_models.load_row(connection, run_id) == stored:
            return found


def _compare(
    connection: Connection, run_id: str, stored: dict[str, Any] | None
) -> list[Difference]:
    """A row may lag behind the log by events that a list does not show, and by no others."""
    labels = read_models.labels_of(connection, run_id)
    seq = -1 if stored is None else stored["projected_seq"]
    folded, then = Fold(run_id), None
    owed = -1
    for row in event_log.read(connection, run_id):
        if folded.take(row).changed:
            owed = row.seq
        if row.seq == seq:
            then = folded.projected()
    head = folded.state.last_seq
    if head < 0:
        return [Difference(run_id, "*", stored or labels, None)] if stored or labels else []
    if stored is None:
        return [Difference(run_id, "*", None, "a row")]
    expected = then if then is not None and seq >= owed else folded.projected()
    rebuilt = read_models.named(expected)
    found = [
        Difference(run_id, column, value, rebuilt[column])
        for column, value in read_models.comparable(stored).items()
        if value != read_models.comparable(rebuilt)[column]
    ]
    expected_labels = read_models.label_rows(expected.summary.labels)
    if labels != expected_labels:
        found.append(Difference(run_id, "labels", labels, expected_labels))
    return found
