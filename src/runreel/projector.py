"""From rows of the log to the state of runs."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from runreel.rules import codec, runs, tombstones
from runreel.rules.reading import Reading, SoFar, spoken
from runreel.rules.runs import RunState
from runreel.rules.transcript import Transcript
from runreel.sources import reader_of
from runreel.store.read_models import Projected
from runreel.words.errors import BadValue, LogError
from runreel.words.log import NOTE, OPENED, PRUNED, EventRow, StoredEvent
from runreel.words.status import StreamEvent
from runreel.words.times import from_micros

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runreel.rules.reading import Reader


_PARTIAL = StreamEvent.PARTIAL_MESSAGE.name


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
                value: Any = None if row.payload is None else codec.loads(row.payload)
                if row.type == OPENED and row.seq == 0:
                    self.use(value["source"])
                elif row.type == PRUNED:
                    # Whatever was read of the run before is gone.
                    self.state = tombstones.remains(value)
                    self.use(self.state.source)
            else:
                value = self.transcript.read(row)
            text = self.transcript.text
        except (BadValue, AttributeError, KeyError, TypeError) as error:
            raise _damaged(row, error) from error
        reading = self.read(row.kind, value, text)
        return Told(value, reading, self.move(row.kind, row.type, row.at, value, reading))

    def advance(self, row: EventRow) -> bool:
        """Like ``take`` for whoever needs the state alone: whether a list of runs shows the row.

        Raises:
            LogError: if the row is damaged.
        """
        if not self.flows(row):
            return self.take(row).changed
        try:
            piece = codec.spoken(cast("str", row.payload))
            self.flow(self.transcript.text[: row.keep] + piece)
        except (BadValue, TypeError) as error:
            raise _damaged(row, error) from error
        return False

    def flows(self, row: EventRow) -> bool:
        """Whether the row that comes next holds nothing but text, which no list shows."""
        return (
            row.type == _PARTIAL
            and row.redacted is None
            and not self.transcript.hidden
            and codec.is_spoken(row.keep, row.payload)
            and runs.flows(self.state)
        )

    def flow(self, text: str) -> None:
        """Move over a row that flows; ``text`` is the run's text after it."""
        self.transcript.text = text
        runs.flow(self.state, text)

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


def _damaged(row: EventRow, error: Exception) -> LogError:
    return LogError(
        f"row {row.seq} of run {row.run_id} is damaged: {error}",
        hint="The rows before it can still be read. Restore the log from a backup.",
    )


def stored_event(row: EventRow, value: Any, reading: Reading | None, text: str) -> StoredEvent:
    """A row as a reader of the log sees it; ``text`` is the run's text after it.

    ``reading`` is None where the row holds nothing but text.
    """
    run_id, seq, kind, type_, index, at, elapsed, keep, *_ = row
    shown = (run_id, seq, kind, type_, index, from_micros(at), timedelta(0, 0, elapsed))
    added = None if keep is None else text[keep:]
    if reading is None:
        return StoredEvent(*shown, spoken(text).event, value, text, added)
    told = reading.event or reading.result
    if told is None:
        return StoredEvent(*shown, None, value, added=added)
    message = told._message  # noqa: SLF001 - failed ones refuse to show it
    said = None if message is None else message.text
    return StoredEvent(*shown, reading.event, value, said, added, told.error, told.tool_calls)


def fold(run_id: str, rows: Iterable[EventRow]) -> Fold:
    """The state of a run after these rows, which begin with its first."""
    folded = Fold(run_id)
    for row in rows:
        folded.advance(row)
    return folded
