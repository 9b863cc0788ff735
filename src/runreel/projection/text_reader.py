"""Reads the texts of a run from its rows, and which row added which part of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.codec import text_delta
from runreel.model.events import CONTEXT
from runreel.model.search import ANSWER, ERROR, REASONING, REQUEST, TOOLS
from runreel.projection import run_text
from runreel.projection.projector import RunProjector
from runreel.projection.run_text import PartText, Pieces

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from runreel.model.events import EventRow
    from runreel.projection.run_text import CollectedTexts


class TextReader:
    """The texts of one run; apply its rows in order, from the first.

    Of its request it has what the rows hold themselves, not what they repeat of earlier requests.
    """

    def __init__(self, run_id: str, rows: Iterable[EventRow]) -> None:
        self._projector = RunProjector(run_id, collects_all=True)
        self._times: dict[int, int] = {}
        # The pieces of the current answer, and those of the answers before it.
        self._pieces: Pieces = []
        self._ended: list[Pieces] = []
        # Something was asked, and nothing has answered it yet.
        self._is_over = False
        # The last row with a request.
        self.request_seq: int | None = None
        self._apply(rows)

    @property
    def source(self) -> str:
        """The source of the run."""
        return self._projector.state.source

    @property
    def found(self) -> bool:
        """Whether the run has rows, and is not pruned."""
        return bool(self._times) and self._projector.collected is not None

    def at(self, seq: int) -> int:
        """The time of a row in µs."""
        return self._times[seq]

    def texts(self, parts: Iterable[str]) -> Iterator[PartText]:
        """Yield the texts of these parts, in order."""
        remarks = [] if self._projector.collected is None else self._projector.collected.remarks
        if ANSWER in parts:
            pieces = [*self._ended, self._pieces]
            for text, place in run_text.answers(remarks, self._projector.state):
                yield PartText(ANSWER, text, pieces[place])
        for part in (TOOLS, ERROR, REQUEST):
            if part in parts:
                for remark in remarks:
                    if remark.part == part:
                        yield PartText(part, remark.text, [(0, remark.seq)])
        if REASONING in parts:
            yield from run_text.reasonings(remarks)

    def _apply(self, rows: Iterable[EventRow]) -> None:
        pending: list[EventRow] = []
        for row in rows:
            self._times[row.seq] = row.at
            if text_delta.is_text_row(row):
                pending.append(row)
                continue
            self._apply_text_rows(pending)
            pending = []
            self._apply_row(row)
        self._apply_text_rows(pending)

    def _apply_text_rows(self, rows: list[EventRow]) -> None:
        """Apply text-only rows, all but the first at once if they change nothing but the text."""
        while rows and not (self._projector.accepts_text_fast_path and not self._is_over):
            self._apply_row(rows[0])
            rows = rows[1:]
        for row in rows:
            keep = row.keep or 0
            run_text.cut(self._pieces, keep)
            if row.added:
                self._pieces.append((keep, row.seq))
        self._projector.apply_rows(rows)

    def _apply_row(self, row: EventRow) -> None:
        collected, before = self._projector.collected, self._answer
        self._projector.apply(row)
        now = self._answer
        if row.kind == CONTEXT:
            self.request_seq = row.seq
        if self._has_ended_answer(collected):
            self._ended.append([*self._pieces])
            self._is_over = True
        if self._is_over and now != before and not now.startswith(before):
            self._pieces.clear()
            before = ""
        self._is_over &= now == before
        run_text.change(self._pieces, before, now, row.seq)

    @property
    def _answer(self) -> str:
        message = self._projector.state.message
        return "" if message is None else message.text

    def _has_ended_answer(self, before: CollectedTexts | None) -> bool:
        collected = self._projector.collected
        while collected is not None and collected is not before and collected.before is not None:
            if collected.remark.part == ANSWER:
                return True
            collected = collected.before
        return False
