"""The end of one run's log as a recorder knows it, and rows drafted behind it. Asks no database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runreel.codec.masks import remask
from runreel.codec.source_protocol import accepts_text_fast_path
from runreel.integrity import digest_chain
from runreel.model.errors import RunPruned, SourceMismatch
from runreel.model.events import NOTE, REDACTED, RUN, STREAM_EVENT
from runreel.model.status import PARTIAL
from runreel.projection.projector import RunProjector
from runreel.projection.run_mapper import compress_result
from runreel.projection.tombstone import is_tombstone, pruned_message
from runreel.recording import event_builder
from runreel.recording.deduplication import Deduplicator, fingerprint
from runreel.recording.event_builder import EventInput, NewEvent
from runreel.sources import reader_of

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterable

    from runreel.model.events import EventRow
    from runreel.projection.run_mapper import RunProjection
    from runreel.projection.run_state import RunState
    from runreel.recording.deduplication import ReadRows


class StreamHead:
    """A run up to its last row: its state and text, its digest, what was offered of it.

    ``look`` reads the rows of the run again; ``offered`` counts the offers of each content; ``now``
    tells the time and what has passed of the recording, in µs.
    """

    def __init__(
        self,
        run_id: str,
        source: str,
        *,
        look: ReadRows,
        offered: Counter[bytes],
        now: Callable[[], tuple[int, int]],
    ) -> None:
        self.source = source
        self.reader = reader_of(source)
        self.matcher = Deduplicator(look, offered)
        self._offered = offered
        self._now = now
        self._fold = RunProjector(run_id)
        self._digest = digest_chain.genesis(run_id)
        self._shown: RunProjection | None = None

    @property
    def state(self) -> RunState:
        """The run's state."""
        return self._fold.state

    def projected(self) -> RunProjection:
        """What lists show of the run; its result is packed, for nobody should wait for that."""
        self._shown = compress_result(self._fold.projection(), self._shown)
        return self._shown

    def catch_up(self, rows: Iterable[EventRow]) -> bool:
        """Move over rows that others appended; False if those before have changed meanwhile.

        Raises:
            RunPruned: if one says that the run was pruned.
        """
        same = True
        for row in rows:
            if is_tombstone(row):
                raise RunPruned(pruned_message(row))
            value = self._fold.apply(row).value
            self._digest = row.digest
            self.matcher.add(self.numbered(row, value), value)
            self.matcher.invalidate()
            # What was erased of the rows before must not come back from our memory of them.
            same &= row.kind != NOTE or row.type != REDACTED
        return same

    def begin(self) -> None:
        """Be sure that the run is of our source, or new.

        Raises:
            SourceMismatch: if the log has it from another.
        """
        state = self._fold.state
        if state.last_seq < 0:
            self._fold.use(self.source)
            self.matcher.assume_empty()
        elif state.source != self.source:
            raise SourceMismatch(
                f"run {self._fold.run_id} is recorded from {state.source}, not from {self.source}"
            )

    def entry(self, kind: str, value: Any) -> EventInput:
        """A value of the source as something to append."""
        return EventInput(kind, self.reader.type_of(kind, value), self.number(kind, value), value)

    def number(self, kind: str, value: Any) -> int | None:
        """The source's own number of a value, None where it has none."""
        return self.reader.index_of(kind, value)

    def numbered(self, row: EventRow, value: Any) -> EventRow:
        """The row with the source's number, also where it was stored by code that saw none."""
        if row.source_index is not None or row.kind != STREAM_EVENT:
            return row
        number = self.number(row.kind, value)
        return row if number is None else row._replace(source_index=number)

    def count(self, kind: str, value: Any, *, back: bool = False) -> None:
        """Count an offer of a value that has no number, or take it ``back``."""
        content = fingerprint(kind, value)
        if back:
            self._offered[content] -= bool(self._offered[content])
        else:
            self._offered[content] += 1

    def text_delta(self, kind: str, value: Any) -> NewEvent | None:
        """The next row, of an event that tells more text and nothing else; None of any other.

        Most events are such, so this is the shortest way: ``follow`` it once it is stored.
        """
        if kind != STREAM_EVENT or not self._fold.accepts_text_fast_path:
            return None
        told = self.reader.parse_text_only(value)
        if told is not None:
            return event_builder.build_text_event(
                self._fold, self._digest, value, *told, *self._now()
            )
        entry = self.entry(kind, value)
        made = self.build([entry])[0] if entry.type == PARTIAL else None
        return made if made is not None and accepts_text_fast_path(made.reading) else None

    def commit_text_row(self, piece: NewEvent) -> None:
        """Move over a piece that is stored."""
        self._fold.apply_text(piece.text, piece.reading)
        self._digest = piece.row.digest
        self.matcher.add(piece.row, piece.value)

    def build(self, entries: Iterable[EventInput]) -> list[NewEvent]:
        """The next rows."""
        if self._fold.transcript.masked_spans:
            entries = map(self.remasked, entries)
        return event_builder.build_events(self._fold, self._digest, entries, *self._now())

    def remasked(self, entry: EventInput) -> EventInput:
        """The entry without what was erased of the run's text, should it tell that again."""
        transcript = self._fold.transcript
        if not transcript.masked_spans or entry.kind not in (STREAM_EVENT, RUN):
            return entry
        value = remask(entry.value, self.reader, transcript.text, transcript.masked_spans)
        return entry if value is entry.value else entry._replace(value=value)

    def apply(self, made: list[NewEvent]) -> tuple[bool, Callable[[], None]]:
        """Move over rows that are about to be stored.

        Answers whether they change anything that a list of runs shows, and how to come back.
        """
        fold = self._fold
        state, then = fold.state.copy(), fold.transcript.now
        changed = event_builder.apply_events(fold, made)

        def back() -> None:
            fold.state, fold.transcript.now = state, then

        return changed, back

    def mark_stored(self, made: list[NewEvent]) -> None:
        """Remember the rows that were moved over, now that they are stored."""
        self._digest = made[-1].row.digest
        for row, value, _, _ in made:
            self.matcher.add(row, value)
