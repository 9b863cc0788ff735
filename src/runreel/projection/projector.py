"""From rows of the log to the state of runs."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from runreel.codec import json_text, text_delta
from runreel.codec.source_protocol import Interpretation, ReadContext, text_only_interpretation
from runreel.codec.stream_codec import StreamCodec
from runreel.model.errors import BadValue, LogError
from runreel.model.events import NOTE, OPENED, PRUNED, EventRow, StoredEvent
from runreel.model.messages import partial
from runreel.model.status import PARTIAL
from runreel.model.timestamps import from_micros
from runreel.projection import run_state, tombstone
from runreel.projection.run_mapper import RunProjection
from runreel.projection.run_state import RunState
from runreel.sources import reader_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from runreel.codec.source_protocol import SourceAdapter
    from runreel.model.messages import PartialMessage
    from runreel.model.results import RunStreamEvent

    Row = tuple[Any, ...]


_TYPE, _KEEP, _PAYLOAD, _REDACTED = map(
    EventRow._fields.index, ("type", "keep", "payload", "redacted")
)


class ProjectedRow(NamedTuple):
    """What one row holds and means; ``changed`` is whether a list of runs shows it.

    ``reading`` is None where the row holds nothing but text: see ``parse_text_only``.
    """

    value: Any
    interpretation: Interpretation | None
    affects_projection: bool


class DamagedRow(LogError):
    """A row of the log is damaged, so that nothing behind it means anything."""

    hint = "The rows before it can still be read. Restore the log from a backup."

    def __init__(self, row: EventRow, error: Exception) -> None:
        self.row = row
        super().__init__(f"row {row.seq} of run {row.run_id} is damaged: {error}")


class RunProjector:
    """One run's state and text, moved along its rows from the first on."""

    __slots__ = ("reader", "run_id", "state", "transcript")

    def __init__(self, run_id: str, source: str | None = None) -> None:
        self.run_id = run_id
        self.state = RunState()
        self.reader: SourceAdapter
        self.transcript: StreamCodec
        if source is not None:
            self.use(source)

    def use(self, source: str) -> None:
        """Read the run's events as this source's."""
        self.reader = reader_of(source)
        self.transcript = StreamCodec(self.reader, "")

    def apply(self, row: EventRow) -> ProjectedRow:
        """Move over a row of the log.

        Raises:
            DamagedRow: if the row is damaged.
        """
        if (
            row.type == PARTIAL
            and row.redacted is None
            and text_delta.is_text_only(row.keep, row.payload)
            and self.accepts_text_fast_path
        ):
            return self._apply_text_row(row)
        try:
            if row.kind == NOTE:
                value: Any = None if row.payload is None else json_text.loads(row.payload)
                if row.type == OPENED and row.seq == 0:
                    self.use(value["source"])
                elif row.type == PRUNED:
                    # Whatever was read of the run before is gone.
                    self.state = tombstone.state_from_tombstone(value)
                    self.use(self.state.source)
            else:
                value = self.transcript.decode(row)
            text = self.transcript.text
        except (BadValue, AttributeError, KeyError, TypeError) as error:
            raise DamagedRow(row, error) from error
        reading = self.interpret(row.kind, value, text)
        return ProjectedRow(
            value, reading, self.apply_interpretation(row.kind, row.type, row.at, value, reading)
        )

    def _apply_text_row(self, row: EventRow) -> ProjectedRow:
        """Move over a row that holds nothing but text, and flows."""
        try:
            value = self.transcript.decode(row)
        except (BadValue, TypeError) as error:
            raise DamagedRow(row, error) from error
        self.apply_text(self.transcript.text)
        return ProjectedRow(value, None, False)  # noqa: FBT003 - nothing that a list shows

    def apply_row(self, row: EventRow) -> bool:
        """Like ``take`` for whoever needs the state alone: whether a list of runs shows the row.

        Raises:
            DamagedRow: if the row is damaged.
        """
        return self.apply_rows((row,)) >= 0

    def apply_rows(self, rows: Sequence[Row]) -> int:
        """Move over rows of the log; the seq of the last of them that a list of runs shows, or -1.

        They have the columns of ``EventRow``; ``elapsed``, ``salt`` and ``digest`` are not needed.

        Raises:
            DamagedRow: if one is damaged.
        """
        shown, place = -1, 0
        while place < len(rows):
            if self.accepts_text_fast_path and (end := self._apply_text_rows(rows, place)) > place:
                place = end
                continue
            row = EventRow._make(rows[place])
            if self.apply(row).affects_projection:
                shown = row.seq
            place += 1
        return shown

    def _apply_text_rows(self, rows: Sequence[Row], start: int) -> int:
        """Move over rows as long as they hold nothing but text; where that ends."""
        text, place = self.transcript.text, start
        while place < len(rows):
            row = rows[place]
            keep, payload = row[_KEEP], row[_PAYLOAD]
            if row[_TYPE] != PARTIAL or row[_REDACTED] is not None:
                break
            if not text_delta.is_text_only(keep, payload):
                break
            try:
                piece = text_delta.text_only_text(payload)
                # Nothing is copied where a piece is added to the end.
                if keep == len(text):
                    text += piece
                else:
                    text = text[:keep] + piece
            except (BadValue, TypeError) as error:
                raise DamagedRow(EventRow._make(row), error) from error
            place += 1
        if place > start:
            self.apply_text(text)
            self.state.last_seq += place - start - 1
            self.state.events += place - start - 1
        return place

    @property
    def accepts_text_fast_path(self) -> bool:
        """Whether a partial message that says nothing else changes nothing that a list shows."""
        return run_state.accepts_text_fast_path(self.state) and not self.transcript.masked_spans

    def apply_text(self, text: str, interpretation: Interpretation | None = None) -> None:
        """Move over such a partial message; ``text`` is the run's text after it."""
        self.transcript.text = text
        if interpretation is None:
            run_state.apply_text(self.state, partial(text))
        else:
            said = cast("RunStreamEvent", interpretation.event)._message  # noqa: SLF001 - it is partial
            run_state.apply_text(self.state, cast("PartialMessage", said), interpretation.memory)

    def interpret(self, kind: str, value: Any, text: str) -> Interpretation:
        """What the next value means; ``text`` is the run's text after it."""
        memory = self.state.adapter_memory
        if kind == NOTE or value is None:
            return Interpretation(memory=memory)
        return self.reader.read(kind, value, ReadContext(text, memory))

    def apply_interpretation(
        self, kind: str, type_: str | None, at: int, value: Any, reading: Interpretation
    ) -> bool:
        """Move the state over a row; whether anything changed that a list of runs shows."""
        if kind == NOTE:
            return run_state.apply_note(self.state, type_, at, value)
        return run_state.apply(self.state, kind, at, reading)

    def projection(self) -> RunProjection:
        """The state as the projections keep it."""
        summary = run_state.summary(self.run_id, self.state)
        return RunProjection(summary, self.state.result, self.transcript.text)


def stored_event(
    row: EventRow, value: Any, interpretation: Interpretation | None, text: str
) -> StoredEvent:
    """A row as a reader of the log sees it; ``text`` is the run's text after it.

    ``reading`` is None where the row holds nothing but text.
    """
    run_id, seq, kind, type_, index, at, elapsed, keep, *_ = row
    shown = (run_id, seq, kind, type_, index, from_micros(at), timedelta(0, 0, elapsed))
    added = None if keep is None else text[keep:]
    if interpretation is None:
        return StoredEvent(*shown, text_only_interpretation(text).event, value, text, added)
    told = interpretation.event or interpretation.result
    if told is None:
        return StoredEvent(*shown, None, value, added=added)
    message = told._message  # noqa: SLF001 - failed ones refuse to show it
    said = None if message is None else message.text
    return StoredEvent(
        *shown, interpretation.event, value, said, added, told.error, told.tool_calls
    )


def project_run(run_id: str, rows: Iterable[EventRow]) -> RunProjector:
    """The state of a run after these rows, which begin with its first."""
    folded = RunProjector(run_id)
    for row in rows:
        folded.apply_row(row)
    return folded
