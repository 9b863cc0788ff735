"""The end of one run's log as a recorder knows it, and rows drafted behind it. Asks no database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runreel.codec.masks import veiled
from runreel.codec.source_protocol import flows
from runreel.integrity import digest_chain
from runreel.model.errors import RunPruned, SourceMismatch
from runreel.model.records import NOTE, REDACTED, RUN, STREAM_EVENT
from runreel.model.status import PARTIAL
from runreel.projection.projector import Fold
from runreel.projection.run_mapper import pack
from runreel.projection.tombstone import epitaph, is_tombstone
from runreel.recording import event_builder
from runreel.recording.deduplication import Matcher, fingerprint
from runreel.recording.event_builder import Draft, Entry
from runreel.sources import reader_of

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterable

    from runreel.model.records import EventRow
    from runreel.projection.run_mapper import Projected
    from runreel.projection.run_state import RunState
    from runreel.recording.deduplication import Look


class Tail:
    """A run up to its last row: its state and text, its digest, what was offered of it.

    ``look`` reads the rows of the run again; ``offered`` counts the offers of each content; ``now``
    tells the time and what has passed of the recording, in µs.
    """

    def __init__(
        self,
        run_id: str,
        source: str,
        *,
        look: Look,
        offered: Counter[bytes],
        now: Callable[[], tuple[int, int]],
    ) -> None:
        self.source = source
        self.reader = reader_of(source)
        self.matcher = Matcher(look, offered)
        self._offered = offered
        self._now = now
        self._fold = Fold(run_id)
        self._digest = digest_chain.genesis(run_id)
        self._shown: Projected | None = None

    @property
    def state(self) -> RunState:
        """The run's state."""
        return self._fold.state

    def projected(self) -> Projected:
        """What lists show of the run; its result is packed, for nobody should wait for that."""
        self._shown = pack(self._fold.projected(), self._shown)
        return self._shown

    def catch_up(self, rows: Iterable[EventRow]) -> bool:
        """Move over rows that others appended; False if those before have changed meanwhile.

        Raises:
            RunPruned: if one says that the run was pruned.
        """
        same = True
        for row in rows:
            if is_tombstone(row):
                raise RunPruned(epitaph(row))
            value = self._fold.take(row).value
            self._digest = row.digest
            self.matcher.mark(self.numbered(row, value), value)
            self.matcher.forget()
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
            self.matcher.start()
        elif state.source != self.source:
            raise SourceMismatch(
                f"run {self._fold.run_id} is recorded from {state.source}, not from {self.source}"
            )

    def entry(self, kind: str, value: Any) -> Entry:
        """A value of the source as something to append."""
        return Entry(kind, self.reader.type_of(kind, value), self.number(kind, value), value)

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

    def piece(self, kind: str, value: Any) -> Draft | None:
        """The next row, of an event that tells more text and nothing else; None of any other.

        Most events are such, so this is the shortest way: ``follow`` it once it is stored.
        """
        if kind != STREAM_EVENT or not self._fold.flows:
            return None
        told = self.reader.spoken(value)
        if told is not None:
            return event_builder.spoken(self._fold, self._digest, value, *told, *self._now())
        entry = self.entry(kind, value)
        made = self.draft([entry])[0] if entry.type == PARTIAL else None
        return made if made is not None and flows(made.reading) else None

    def follow(self, piece: Draft) -> None:
        """Move over a piece that is stored."""
        self._fold.flow(piece.text, piece.reading)
        self._digest = piece.row.digest
        self.matcher.mark(piece.row, piece.value)

    def draft(self, entries: Iterable[Entry]) -> list[Draft]:
        """The next rows."""
        if self._fold.transcript.hidden:
            entries = map(self.veiled, entries)
        return event_builder.draft(self._fold, self._digest, entries, *self._now())

    def veiled(self, entry: Entry) -> Entry:
        """The entry without what was erased of the run's text, should it tell that again."""
        transcript = self._fold.transcript
        if not transcript.hidden or entry.kind not in (STREAM_EVENT, RUN):
            return entry
        value = veiled(entry.value, self.reader, transcript.text, transcript.hidden)
        return entry if value is entry.value else entry._replace(value=value)

    def move(self, made: list[Draft]) -> tuple[bool, Callable[[], None]]:
        """Move over rows that are about to be stored.

        Answers whether they change anything that a list of runs shows, and how to come back.
        """
        fold = self._fold
        state, then = fold.state.copy(), fold.transcript.now
        changed = event_builder.move(fold, made)

        def back() -> None:
            fold.state, fold.transcript.now = state, then

        return changed, back

    def settle(self, made: list[Draft]) -> None:
        """Remember the rows that were moved over, now that they are stored."""
        self._digest = made[-1].row.digest
        for row, value, _, _ in made:
            self.matcher.mark(row, value)
