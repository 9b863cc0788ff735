"""The projector: applies the rows of the event log to the state of a run."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from runreel.codec import json_text, text_delta
from runreel.codec.source_protocol import Interpretation, SourceEvent
from runreel.codec.stream_codec import StreamCodec
from runreel.model.errors import BadValue, LogError
from runreel.model.events import (
    ATTEMPT,
    CONTEXT,
    NOTE,
    OPEN,
    OPENED,
    PRUNED,
    TOOL_RESULTS,
    EventRow,
)
from runreel.model.messages import partial
from runreel.model.status import PARTIAL, RunStatus
from runreel.projection import (
    key_frames,
    run_keys,
    run_reducer,
    run_state,
    run_text,
    tombstone,
)
from runreel.projection.run_projection import RunProjection
from runreel.projection.run_state import RunState
from runreel.projection.run_text import Before
from runreel.sources import reader_of, thought_reader

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from runreel.codec.source_protocol import SourceAdapter
    from runreel.projection.key_frames import KeyFrame, KeyFrames
    from runreel.projection.run_projection import Texts
    from runreel.projection.run_text import CollectedTexts
    from runreel.sources import ThoughtReader

    Row = tuple[Any, ...]


# Looking up an enum member is slow in Python 3.11, and each event needs this one.
_IN_PROGRESS = RunStatus.IN_PROGRESS
_CHUNK = 1_000
_ASKING = (CONTEXT, TOOL_RESULTS)
_TYPE, _INDEX, _KEEP, _PAYLOAD, _REDACTED = map(
    EventRow._fields.index, ("type", "source_index", "keep", "payload", "redacted")
)


class ProjectedRow(NamedTuple):
    """The result of applying one row: its value, its interpretation and the source's number.

    ``interpretation`` is None for a text-only row. ``affects_projection`` is true if the row
    changed what lists of runs show.
    """

    value: Any
    interpretation: Interpretation | None
    affects_projection: bool
    number: int | None


class DamagedRow(LogError):
    """A row of the event log is damaged, so the rows after it cannot be interpreted."""

    hint = "The rows before it can still be read. Restore the log from a backup."

    def __init__(self, row: EventRow, error: Exception) -> None:
        self.row = row
        super().__init__(f"row {row.seq} of run {row.run_id} is damaged: {error}")


class RunProjector:
    """The state and text of one run; apply its rows in order, from the first.

    With ``frames`` it takes the key-frames of the run.
    """

    __slots__ = (
        *("_collects_all", "_envelopes", "_thoughts", "collected", "frames"),
        *("reader", "run_id", "state", "transcript"),
    )

    def __init__(
        self,
        run_id: str,
        source: str | None = None,
        *,
        collects_all: bool = False,
        frames: KeyFrames | None = None,
    ) -> None:
        self.run_id = run_id
        self._collects_all = collects_all
        self.state = RunState()
        # The texts so far, except the current answer, unless they are too long; with
        # ``collects_all``, also then. None if the first row was not applied.
        self.collected: CollectedTexts | None = None
        self.frames = frames
        self.reader: SourceAdapter
        self._thoughts: ThoughtReader | None = None
        self.transcript: StreamCodec
        if source is not None:
            self.use(source)

    @classmethod
    def restored(cls, run_id: str, chain: Sequence[KeyFrame]) -> RunProjector:
        """Return the projector of a run at a key-frame; the rows after it are to be applied.

        ``chain`` is the key-frame, its base, the base of that one, and so on. The keys of the run
        up to there are missing in its state: ``run_keys`` has them.

        Raises:
            DamagedKeyFrame: if one of them is damaged or missing.
        """
        found = key_frames.restore(chain)
        projector = cls(run_id, found.state.source, frames=found.frames)
        projector.state = found.state
        projector.transcript.position = found.text, found.masked_spans
        return projector

    def use(self, source: str) -> None:
        """Interpret the run's events with the adapter of ``source``."""
        self.reader = reader_of(source)
        # Without an envelope, a row that holds only a text is damaged.
        self._envelopes = tuple(
            self.reader.envelope(PARTIAL, number, "") is not None for number in (None, 0)
        )
        self._thoughts = thought_reader(source)
        self.transcript = StreamCodec(self.reader, "")

    def apply(self, row: EventRow) -> ProjectedRow:
        """Apply a row of the event log.

        Raises:
            DamagedRow: if the row is damaged.
        """
        text_only = text_delta.is_text_row(row) and self.accepts_text_fast_path
        try:
            value = self._value(row)
        except (BadValue, AttributeError, KeyError, TypeError) as error:
            raise DamagedRow(row, error) from error
        if text_only:
            self.apply_text(self.transcript.text)
            if self.frames is not None:
                self.passed(row, None)
            return ProjectedRow(value, None, False, row.source_index)  # noqa: FBT003 - unchanged
        if value is None and row.kind in _ASKING:
            # What follows is another answer, also after an erased request.
            event = self.reader.interpret(row.kind, {})
        elif row.kind == NOTE or value is None:
            event = SourceEvent(row.kind, value, row.type)
        else:
            event = self.reader.interpret(row.kind, value)
        interpretation = event.read(self.transcript.text, self.state.adapter_memory)
        changed = self.apply_event(event, row.at, interpretation)
        if self.frames is not None:
            self.passed(row, interpretation, event.index)
        return ProjectedRow(value, interpretation, changed, event.index)

    def _value(self, row: EventRow) -> Any:
        """Decode the value of the next row; some notes set the source or the state."""
        if row.kind != NOTE:
            return self.transcript.decode(row)
        value: Any = None if row.payload is None else json_text.loads(row.payload)
        if row.type == OPENED and row.seq == 0:
            self.use(value["source"])
        elif row.type == PRUNED:
            # Earlier rows no longer count: the tombstone holds the state.
            self.state = tombstone.state_from_tombstone(value)
            self.use(self.state.source)
            self.frames = None
        return value

    def apply_rows(self, rows: Sequence[Row]) -> int:
        """Apply rows; return the seq of the last one that changed the projection, or -1.

        Each has the columns of ``EventRow``; ``elapsed``, ``salt`` and ``digest`` may be None.

        Raises:
            DamagedRow: if one is damaged.
        """
        last_change, index = -1, 0
        while index < len(rows):
            if self.accepts_text_fast_path and (end := self._apply_text_rows(rows, index)) > index:
                index = end
                continue
            row = EventRow._make(rows[index])
            if self.apply(row).affects_projection:
                last_change = row.seq
            index += 1
        return last_change

    def apply_all(self, rows: Iterable[EventRow]) -> None:
        """Apply all of these rows.

        Raises:
            DamagedRow: if one is damaged.
        """
        remaining = iter(rows)
        while chunk := list(islice(remaining, _CHUNK)):
            self.apply_rows(chunk)

    def _apply_text_rows(self, rows: Sequence[Row], start: int) -> int:
        """Apply text-only rows from ``start``; return the index of the first other row."""
        text, index, end = self.transcript.text, start, len(rows)
        if self.frames is not None:
            end = min(end, start + self.frames.due - self.state.last_seq)
        while index < end:
            row = rows[index]
            keep, payload = row[_KEEP], row[_PAYLOAD]
            if row[_TYPE] != PARTIAL or row[_REDACTED] is not None:
                break
            if not text_delta.is_text_only(keep, payload):
                break
            try:
                number = row[_INDEX]
                if not self._envelopes[number is not None and number >= 0]:
                    break
                added = text_delta.text_only_text(payload)
                # Nothing is copied where a delta is added to the end.
                if keep == len(text):
                    text += added
                else:
                    text = text[:keep] + added
            except (BadValue, TypeError) as error:
                raise DamagedRow(EventRow._make(row), error) from error
            index += 1
        if index > start:
            self.apply_text(text)
            self.state.last_seq += index - start - 1
            self.state.events += index - start - 1
            frames = self.frames
            if frames is not None and frames.mark_text_rows(self.state, rows[start:index]):
                frames.take(self.run_id, self.state, self.transcript)
        return index

    def passed(
        self, row: EventRow, interpretation: Interpretation | None, number: int | None = None
    ) -> None:
        """Take a key-frame after a row that was just applied, if one is due; see ``mark``."""
        frames = self.frames
        if frames is not None and frames.mark(self.state, row, interpretation, number):
            frames.take(self.run_id, self.state, self.transcript)

    @property
    def accepts_text_fast_path(self) -> bool:
        """True if a text-only event would not change the projection now."""
        state = self.state
        return (
            state.status is _IN_PROGRESS
            and state.error is None
            and state.error_code is None
            and state.tool_calls is None
            and not state.is_final_by_get
            and state.recording == OPEN
            and (state.first_text_at is not None or not state.has_live_clock)
            and not self.transcript.masked_spans
        )

    def apply_text(self, text: str, interpretation: Interpretation | None = None) -> None:
        """Apply a text-only event; ``text`` is the run's text after it."""
        state = self.state
        self.transcript.text = text
        state.last_seq += 1
        state.events += 1
        state.continued = False
        if interpretation is None or interpretation.event is None:
            state.message, state.adapter_memory = partial(text), None
        else:
            state.message = interpretation.event._message  # noqa: SLF001 - it is partial
            state.adapter_memory = interpretation.memory

    def apply_event(self, event: SourceEvent, at: int, interpretation: Interpretation) -> bool:
        """Apply an interpreted event, received ``at``. True if the projection changed.

        Once its recording has ended, each event changes it: the stored one is at the head then.
        """
        state = self.state
        if state.last_seq < 0:
            self.collected = run_text.NOTHING
        error, code, message = state.error, state.error_code, state.message
        calls, response = state.tool_calls, state.metadata.response_id
        if event.kind == NOTE:
            changed = run_reducer.apply_note(state, event.type, at, event.value)
            if event.type == ATTEMPT:
                self._collect(event, interpretation, Before(message, calls, (error, code)))
            return changed
        changed = run_reducer.apply(state, event.kind, at, interpretation)
        # Any other event says nothing but text of the answer.
        if (
            (self._thoughts is not None and not event.text_alone)
            or interpretation.starts_response
            or event.kind in _ASKING
            or (state.tool_calls, state.error, state.error_code) != (calls, error, code)
        ):
            self._collect(event, interpretation, Before(message, calls, (error, code)))
        if (
            event.kind == CONTEXT
            or state.tool_calls is not calls
            or state.metadata.response_id is not response
        ):
            row = run_keys.KeyedRow(self.run_id, event.kind, at, event.value)
            keys = tuple(run_keys.added(state, row, calls, response))
            state.keys += keys
            changed |= bool(keys)
        return changed or state.recording != OPEN

    def thinks(self, event: SourceEvent) -> bool:
        """Return whether an event of the stream has reasoning, perhaps next to its text."""
        read = None if event.text_alone else self._thoughts
        return read is not None and any(True for _ in read(event.kind, event.value))

    def _collect(self, event: SourceEvent, interpretation: Interpretation, before: Before) -> None:
        collected = self.collected
        if collected is None or collected is run_text.TOO_LONG:
            return
        collected = run_text.added(collected, self.state, event, interpretation, before)
        if collected.is_long and not self._collects_all:
            collected = run_text.TOO_LONG
        self.collected = collected

    def drain_frames(self) -> list[KeyFrame]:
        """Hand over the key-frames that were taken since the last call."""
        return [] if self.frames is None else self.frames.drain()

    def projection(self) -> RunProjection:
        """Return the run as the projections store it."""
        state = self.state
        summary = run_state.summary(self.run_id, state)
        texts: Texts | None = ()
        if state.recording not in (OPEN, PRUNED):
            texts = None if self.collected is None else run_text.folded(self.collected, state)
        return RunProjection(
            summary, state.result, self.transcript.text, keys=state.keys, texts=texts
        )


def project_run(
    run_id: str, rows: Iterable[EventRow], *, frames: KeyFrames | None = None
) -> RunProjector:
    """Apply the rows of a run, from its first, and return the projector."""
    projector = RunProjector(run_id, frames=frames)
    projector.apply_all(rows)
    return projector
