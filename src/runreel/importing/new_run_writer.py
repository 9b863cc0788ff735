"""Builds the rows of a run that is new to the log, without reading the log."""

from __future__ import annotations

import time
from json.encoder import encode_basestring
from typing import TYPE_CHECKING

from runreel.integrity import digest_chain
from runreel.integrity.digest_chain import SharedColumns
from runreel.model.events import CLOSED, STREAM_EVENT, EventRow
from runreel.model.status import PARTIAL
from runreel.projection.key_frames import KeyFrames
from runreel.projection.projector import RunProjector
from runreel.projection.run_state import IMPORT
from runreel.recording import event_builder, text_rows
from runreel.recording.append_unit import AppendUnit
from runreel.recording.deduplication import AppendOutcome
from runreel.sources.cumulative_lines import CumulativeText

if TYPE_CHECKING:
    from runreel.codec.source_protocol import Interpretation, SourceEvent
    from runreel.sources.cumulative_lines import CumulativeLine


class NewRunWriter:
    """Builds the rows that a ``Recorder`` would append for an imported run new to the log.

    ``rows`` are the rows built since the last ``drain``.
    """

    __slots__ = (
        *("_begun_ns", "_cumulative_text", "_digest", "_identity", "_index", "_pending_deltas"),
        *("_pending_text", "_projection_pending", "_projector", "rows", "seq"),
    )

    def __init__(self, run_id: str, source: str, identity: dict[str, object] | None = None) -> None:
        self._identity = identity or {}
        self.rows: list[EventRow] = []
        self.seq = -1
        self._index = -1
        self._projector = RunProjector(run_id, source, frames=KeyFrames())
        self._digest = digest_chain.genesis(run_id)
        self._begun_ns = time.perf_counter_ns()
        self._projection_pending = False
        self._cumulative_text = CumulativeText()
        # The run's text while events change only the text, and the number of text deltas that the
        # projector has not applied yet: it needs only their sum.
        self._pending_text: str | None = None
        self._pending_deltas = 0

    def offer(self, kind: str, value: object) -> AppendOutcome | None:
        """Build the row of a source's event; None if deduplication needs the log.

        Raises:
            BadValue: if it cannot be stored.
        """
        reader = self._projector.reader
        event = reader.interpret(kind, value)
        number, entries, missing = event.index, [event], 0
        if number is not None:
            missing = number - self._index - 1
            if missing < 0:
                return None
            if missing:
                entries.insert(0, event_builder.gap_note(self._index + 1, number))
        if self.seq < 0:
            entries.insert(
                0, event_builder.opened_note(reader.name, IMPORT, self._identity, new=True)
            )
        interpretation = self._build(entries)
        if number is not None and kind == STREAM_EVENT:
            self._index = number
        unread = () if interpretation is None else interpretation.unread
        return AppendOutcome(self.seq, new=True, missing=missing, unread=unread)

    def append_text(self, line: CumulativeLine) -> bool:
        """Like ``offer``, for a line that only continues the text; False if that is not enough."""
        cumulative_text, number = self._cumulative_text, line.number
        if self.seq < 0 or number != self._index + 1:
            return False
        text_before = cumulative_text.text
        delta = cumulative_text.append_from(line.text)
        if delta is None and not cumulative_text.restart(line.text):
            return False
        self._index = number
        if delta is not None and text_before == self._pending_text:
            self._pending_deltas += 1
            self._pending_text = cumulative_text.text
            self._text_delta(number, len(text_before), delta)
        else:
            reader = self._projector.reader
            value = reader.envelope(PARTIAL, number, cumulative_text.text)
            self._build([reader.interpret(STREAM_EVENT, value)])
        return True

    def append_texts(self, number: int, added: list[str]) -> bool:
        """Build the rows of events from ``number`` on that each add to the text.

        False, and nothing is built, unless they directly continue the text that was appended last.
        """
        cumulative_text = self._cumulative_text
        if number != self._index + 1 or cumulative_text.text != self._pending_text:
            return False
        frames, start = self._projector.frames, 0
        while start < len(added):
            # A key-frame is taken of the text after its row.
            due = len(added) if frames is None else max(1, frames.due - self.seq)
            part = added[start : start + due]
            self._text_rows(number + start, part)
            start += len(part)
        return True

    def close(self) -> None:
        """Build the note ``closed``, if there are rows."""
        if self.seq >= 0:
            self._build([event_builder.note(CLOSED, {})])

    def drain(self) -> AppendUnit:
        """Hand over the rows, with what they change."""
        self._apply_pending_text()
        rows, self.rows = self.rows, []
        projection_pending, self._projection_pending = self._projection_pending, False
        projected = self._projector.projection() if projection_pending else None
        return AppendUnit(rows, projected, self._projector.drain_frames())

    def _build(self, entries: list[SourceEvent]) -> Interpretation | None:
        """Build the rows of ``entries``; return the interpretation of the last one."""
        projector = self._projector
        self._apply_pending_text()
        new_events = event_builder.build_events(
            projector, self._digest, entries, *self._timestamps()
        )
        self._projection_pending |= event_builder.apply_events(projector, new_events)
        self.rows += [new_event.row for new_event in new_events]
        self._digest, self.seq = new_events[-1].row.digest, new_events[-1].row.seq
        fast = projector.accepts_text_fast_path
        self._pending_text = projector.transcript.text if fast else None
        return new_events[-1].interpretation

    def _text_delta(self, number: int, keep: int, delta: str) -> None:
        """Build the row of a text delta, equal to that of ``event_builder.build_events``."""
        self.seq += 1
        at, elapsed = self._timestamps()
        run_id, seq, added = self._projector.run_id, self.seq, len(delta)
        columns = (run_id, seq, STREAM_EVENT, PARTIAL, number, at, elapsed, keep, added)
        row = event_builder.chain_row(self._digest, columns, encode_basestring(delta))
        self._digest = row.digest
        self.rows.append(row)
        if self._projector.frames is not None and seq >= self._projector.frames.due:
            self._apply_pending_text()

    def _text_rows(self, number: int, added: list[str]) -> None:
        """Build rows as ``_text_delta`` does, with equal times."""
        text = self._cumulative_text
        columns, keep = [], len(text.text)
        for index, delta in enumerate(added, number):
            columns.append((index, keep, len(delta), encode_basestring(delta)))
            keep += len(delta)
        run_id, frames = self._projector.run_id, self._projector.frames
        shared = SharedColumns(run_id, self.seq + 1, STREAM_EVENT, PARTIAL, *self._timestamps())
        self.rows += text_rows.chained(self._digest, shared, columns)
        self._digest, self.seq = self.rows[-1].digest, self.rows[-1].seq
        self._index = number + len(added) - 1
        text.append("".join(added))
        self._pending_text, self._pending_deltas = text.text, self._pending_deltas + len(added)
        if frames is not None and self.seq >= frames.due:
            self._apply_pending_text()

    def _apply_pending_text(self) -> None:
        """Apply the pending text deltas to the projector at once, as one event with their text."""
        if self._pending_deltas and self._pending_text is not None:
            state = self._projector.state
            state.last_seq += self._pending_deltas - 1
            state.events += self._pending_deltas - 1
            self._projector.apply_text(self._pending_text)
            self._projector.passed(self.rows[-1], None)
            self._pending_deltas = 0

    def _timestamps(self) -> tuple[int, int]:
        return time.time_ns() // 1_000, (time.perf_counter_ns() - self._begun_ns) // 1_000
