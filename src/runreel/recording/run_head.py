"""The head of one run as its recorder knows it; builds the rows after it. Uses no database."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from runreel.codec.masks import remask
from runreel.integrity import digest_chain
from runreel.model.errors import RunPruned, SourceMismatch
from runreel.model.events import NOTE, REDACTED, RUN, STREAM_EVENT
from runreel.model.status import PARTIAL
from runreel.projection.key_frames import KeyFrames
from runreel.projection.projector import RunProjector
from runreel.projection.run_mapper import to_row
from runreel.projection.run_projection import NO_ROW, RunProjection
from runreel.projection.tombstone import is_tombstone, pruned_message
from runreel.recording import event_builder, text_rows
from runreel.recording.deduplication import Deduplicator, fingerprint
from runreel.sources import reader_of

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterable, Iterator

    from runreel.codec.source_protocol import SourceEvent
    from runreel.model.events import EventRow
    from runreel.projection.key_frames import KeyFrame
    from runreel.projection.projector import ProjectedRow
    from runreel.projection.run_projection import StoredRow
    from runreel.projection.run_state import RunState
    from runreel.recording.deduplication import ReadRows
    from runreel.recording.event_builder import NewEvent


class StreamHead:
    """The head of a run: its state, text and digest, and the counts of offered events.

    ``read_rows`` reads the rows of the run from the log. ``offered`` counts the offers of each
    content. ``timestamps`` returns the time and the elapsed time of the session, both in µs.
    """

    def __init__(
        self,
        run_id: str,
        source: str,
        *,
        read_rows: ReadRows,
        offered: Counter[bytes],
        timestamps: Callable[[], tuple[int, int]],
    ) -> None:
        self.source = source
        self.reader = reader_of(source)
        self.deduplicator = Deduplicator(read_rows, offered)
        self._offered = offered
        self._timestamps = timestamps
        self._projector = RunProjector(run_id, frames=KeyFrames())
        self._digest = digest_chain.genesis(run_id)
        # The run's row in the projections as far as this head stored it, and the next one.
        self._stored_row: StoredRow | None = None
        self._next_row: StoredRow | None = None

    @property
    def state(self) -> RunState:
        """The run's state."""
        return self._projector.state

    def projected(self) -> RunProjection:
        """Return the projection; its row is encoded here, outside of the transaction."""
        now = self._projector.projection()
        row = self._next_row = to_row(now)
        return RunProjection(
            now.summary, now.result, now.text, now.keys, now.texts, row, self._stored_row
        )

    def catch_up(self, rows: Iterable[EventRow], projector: RunProjector | None = None) -> bool:
        """Apply rows that others appended; False if earlier rows were redacted.

        A new head may start with the ``projector`` of the run at a key-frame. The rows then begin
        with that of the key-frame.

        Raises:
            RunPruned: if the run was pruned.
        """
        same = True
        self._settle_frames()
        if projector is not None and projector.frames is not None:
            self._projector = projector
            self.deduplicator.start_after(projector.frames.marks.index)
        for row in rows:
            if row.seq <= self._projector.state.last_seq:
                self._digest = row.digest
                continue
            if is_tombstone(row):
                raise RunPruned(pruned_message(row))
            self._digest = row.digest
            self.deduplicator.add(*with_number(row, self._projector.apply(row)))
            self.deduplicator.invalidate()
            # After a redaction the cached values are stale: the run must be read again.
            same &= row.kind != NOTE or row.type != REDACTED
        # Who stored the rows has stored their key-frames.
        self._projector.drain_frames()
        return same

    def begin(self) -> None:
        """Check that the run is new or of the same source.

        Raises:
            SourceMismatch: if the log has the run from another source.
        """
        state = self._projector.state
        if state.last_seq < 0:
            self._projector.use(self.source)
            self.deduplicator.assume_empty()
            self._stored_row = NO_ROW
        elif state.source != self.source:
            raise SourceMismatch(
                f"run {self._projector.run_id} is recorded from {state.source}, "
                f"not from {self.source}"
            )

    def count(self, event: SourceEvent, *, undo: bool = False) -> None:
        """Count an offer of an event that has no number, or ``undo`` that."""
        counts, content = self._offered, fingerprint(event.kind, event.value)
        # ``get`` is faster than the default of a counter.
        counts[content] = max(0, counts.get(content, 0) + (-1 if undo else 1))

    def text_row(self, event: SourceEvent) -> NewEvent | None:
        """Build the next row of an event that changes only the text; None for any other event.

        This is the fast path for most events. Call ``commit_text_row`` once the row is stored.
        """
        projector = self._projector
        if event.type != PARTIAL or event.kind != STREAM_EVENT:
            return None
        seq, frames = projector.state.last_seq, projector.frames
        if not projector.accepts_text_fast_path or (frames is not None and seq + 1 >= frames.due):
            return None
        text, times = projector.transcript.text, self._timestamps()
        new = event_builder.build_event(projector, seq, text, self._digest, event, *times)
        if new.interpretation is None:
            return new
        if new.interpretation.changes_only_text() and not projector.thinks(event):
            return new
        return None

    def commit_text_row(self, new_event: NewEvent) -> None:
        """Move the head over a stored text row."""
        projector = self._projector
        projector.apply_text(new_event.text, new_event.interpretation)
        if projector.frames is not None:
            projector.frames.add_text_time(new_event.row.at)
        self._digest = new_event.row.digest
        self.deduplicator.add(new_event.row, new_event.event.value)

    def add_text_rows(self, events: Iterable[SourceEvent]) -> list[EventRow]:
        """Build the rows of the first new events that change only the text; move the head there.

        Like ``text_row`` for several events. The caller stores the rows, or reads the run again.
        """
        projector, frames, most = self._projector, self._projector.frames, None
        if frames is not None:
            most = frames.due - projector.state.last_seq - 1
        if not projector.accepts_text_fast_path or (most is not None and most <= 0):
            return []
        offered: list[SourceEvent] = []
        new_events = islice(self._new(events, offered), most)
        built = text_rows.build(projector, self._digest, new_events, *self._timestamps())
        if built is None:
            return []
        rows = built.rows
        for row, event in zip(rows, offered, strict=False):
            self.deduplicator.add(row, event.value)
            if event.index is None:
                self.count(event)
        projector.apply_text(built.text, built.interpretation)
        projector.state.last_seq += len(rows) - 1
        projector.state.events += len(rows) - 1
        if frames is not None:
            # All of them have the same time.
            frames.add_text_time(rows[-1].at)
        self._digest = rows[-1].digest
        return rows

    def _new(
        self, events: Iterable[SourceEvent], taken: list[SourceEvent]
    ) -> Iterator[SourceEvent]:
        """Yield the events that are certainly new if those before them are stored; collect them."""
        following = self.deduplicator.index
        for event in events:
            if event.index is not None:
                following += 1
                if event.index != following:
                    return
            elif not self.deduplicator.is_next(None):
                return
            taken.append(event)
            yield event

    def build(self, events: Iterable[SourceEvent]) -> list[NewEvent]:
        """Build the next rows."""
        if self._projector.transcript.masked_spans:
            events = map(self.remasked, events)
        return event_builder.build_events(
            self._projector, self._digest, events, *self._timestamps()
        )

    def remasked(self, event: SourceEvent) -> SourceEvent:
        """Mask the characters of an event that repeat erased text of the run."""
        transcript = self._projector.transcript
        if not transcript.masked_spans or event.kind not in (STREAM_EVENT, RUN):
            return event
        value = remask(event, self.reader, transcript.text, transcript.masked_spans)
        return event if value is event.value else self.reader.interpret(event.kind, value)

    def apply(self, new_events: list[NewEvent]) -> tuple[bool, list[KeyFrame], Callable[[], None]]:
        """Apply rows that are about to be stored.

        Returns whether the projection changed, the key-frames, and a function that undoes this.
        """
        projector = self._projector
        state, transcript_state = projector.state.copy(), projector.transcript.position
        collected, self._next_row = projector.collected, None
        self._settle_frames()
        frames = projector.frames
        frames_then = None if frames is None else frames.position
        changed = event_builder.apply_events(projector, new_events)

        def undo() -> None:
            projector.state, projector.transcript.position = state, transcript_state
            projector.collected = collected
            if frames is not None and frames_then is not None:
                frames.position = frames_then

        return changed, projector.drain_frames(), undo

    def _settle_frames(self) -> None:
        """Mark the text rows so far for the key-frames, before another row is applied."""
        if self._projector.frames is not None:
            self._projector.frames.settle(self._projector.state, self.deduplicator.index)

    def mark_stored(self, new_events: list[NewEvent]) -> None:
        """Move the digest and the deduplicator over applied rows, now that they are stored."""
        self._digest = new_events[-1].row.digest
        if self._next_row is not None:
            self._stored_row, self._next_row = self._next_row, None
        for new in new_events:
            self.deduplicator.add(new.row, new.event.value)


def with_number(row: EventRow, projected: ProjectedRow) -> tuple[EventRow, object]:
    """Return a row and its value; older code stored some rows without the source's number."""
    if row.source_index is None and projected.number is not None:
        row = row._replace(source_index=projected.number)
    return row, projected.value
