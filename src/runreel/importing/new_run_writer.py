"""The rows of a run that the log does not have yet: drafted one behind the other, unasked."""

from __future__ import annotations

import time
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Any

from runreel.integrity import digest_chain
from runreel.model.events import CLOSED, NOTE, STREAM_EVENT, EventRow
from runreel.model.status import PARTIAL
from runreel.projection import run_reducer
from runreel.projection.projector import RunProjector
from runreel.projection.run_state import IMPORT
from runreel.recording import event_builder
from runreel.recording.deduplication import AppendOutcome
from runreel.recording.event_builder import EventInput
from runreel.sources.cumulative_lines import CumulativeText

if TYPE_CHECKING:
    from runreel.codec.source_protocol import Interpretation
    from runreel.projection.run_mapper import RunProjection
    from runreel.sources.cumulative_lines import CumulativeLine


class NewRunWriter:
    """What a ``Recorder`` would append of an imported run, were the run new to the log.

    ``rows`` are those that nobody has taken yet.
    """

    __slots__ = (
        *("_begun", "_digest", "_flowing", "_fold", "_growth", "_index", "_owes", "_pieces"),
        *("rows", "seq"),
    )

    def __init__(self, run_id: str, source: str) -> None:
        self.rows: list[EventRow] = []
        self.seq = -1
        self._index = -1
        self._fold = RunProjector(run_id, source)
        self._digest = digest_chain.genesis(run_id)
        self._begun = time.perf_counter_ns()
        self._owes = False
        self._growth = CumulativeText()
        # The run's text while pieces of it change nothing else, and how many of them the fold has
        # not moved over yet: only where they lead matters to it.
        self._flowing: str | None = None
        self._pieces = 0

    def offer(self, kind: str, value: Any) -> AppendOutcome | None:
        """Draft the row of a source's event; None where the log has to be asked for it.

        Raises:
            BadValue: if it cannot be stored.
        """
        reader = self._fold.reader
        number = reader.index_of(kind, value)
        entries = [EventInput(kind, reader.type_of(kind, value), number, value)]
        missing = 0
        if number is not None:
            missing = number - self._index - 1
            if missing < 0:
                return None
            if missing:
                entries.insert(0, event_builder.gap_note(self._index + 1, number))
        if self.seq < 0:
            entries.insert(0, event_builder.opened_note(reader.name, IMPORT, {}, new=True))
        reading = self._draft(entries)
        if number is not None and kind == STREAM_EVENT:
            self._index = number
        unread = () if reading is None else reading.unread
        return AppendOutcome(self.seq, new=True, missing=missing, unread=unread)

    def append_text(self, line: CumulativeLine) -> bool:
        """``offer`` for a line whose text goes on; False where that takes the whole line."""
        growth, number = self._growth, line.number
        if self.seq < 0 or number != self._index + 1:
            return False
        before = growth.text
        piece = growth.append_from(line.text)
        if piece is None and not growth.restart(line.text):
            return False
        self._index = number
        if piece is not None and before == self._flowing:
            self._pieces += 1
            self._flowing = growth.text
            self._text_delta(number, len(before), piece)
        else:
            value = self._fold.reader.envelope(PARTIAL, number, growth.text)
            self._draft([EventInput(STREAM_EVENT, PARTIAL, number, value)])
        return True

    def close(self) -> None:
        """Draft the note that the run is complete, if there is anything of it."""
        if self.seq >= 0:
            self._draft([EventInput(NOTE, CLOSED, None, {})])

    def drain(self) -> tuple[list[EventRow], RunProjection | None]:
        """The rows, which are somebody else's from now on, and what lists show after them."""
        self._apply_pending_text()
        rows, self.rows = self.rows, []
        owes, self._owes = self._owes, False
        return rows, self._fold.projection() if owes else None

    def _draft(self, entries: list[EventInput]) -> Interpretation | None:
        """Draft rows for ``entries``; what the last of them means."""
        fold = self._fold
        self._apply_pending_text()
        made = event_builder.build_events(fold, self._digest, entries, *self._timestamps())
        self._owes |= event_builder.apply_events(fold, made)
        self.rows += [draft.row for draft in made]
        self._digest, self.seq = made[-1].row.digest, made[-1].row.seq
        self._flowing = (
            fold.transcript.text if run_reducer.accepts_text_fast_path(fold.state) else None
        )
        return made[-1].interpretation

    def _text_delta(self, number: int, keep: int, piece: str) -> None:
        """Draft the row of a piece: what ``drafts.draft`` makes of its event."""
        self.seq += 1
        at, elapsed = self._timestamps()
        run_id, seq, added = self._fold.run_id, self.seq, len(piece)
        bound = (run_id, seq, STREAM_EVENT, PARTIAL, number, at, elapsed, keep, added)
        row = event_builder.chain_row(self._digest, bound, encode_basestring(piece))
        self._digest = row.digest
        self.rows.append(row)

    def _apply_pending_text(self) -> None:
        """Move the fold over the pieces, the last of which says what all of them say."""
        if self._pieces and self._flowing is not None:
            state = self._fold.state
            state.last_seq += self._pieces - 1
            state.events += self._pieces - 1
            self._fold.apply_text(self._flowing)
            self._pieces = 0

    def _timestamps(self) -> tuple[int, int]:
        return time.time_ns() // 1_000, (time.perf_counter_ns() - self._begun) // 1_000
