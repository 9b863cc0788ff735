"""The story of a run: its requests, texts, reasoning, tool calls and errors, in order."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from runreel.codec.json_values import as_object, as_text
from runreel.model.events import (
    ATTEMPT,
    CLOSED,
    CONTEXT,
    NOTE,
    OPENED,
    REDACTED,
    RESUMED,
    RUN,
    STREAM_EVENT,
    TOOL_RESULTS,
)
from runreel.model.status import RunStatus
from runreel.model.story import (
    ErrorStep,
    NoteStep,
    ReasoningStep,
    RequestStep,
    TextStep,
    ToolCallStep,
)
from runreel.model.timestamps import from_micros
from runreel.projection import story_notes
from runreel.projection.row_times import RowClock
from runreel.projection.story_calls import Calls
from runreel.projection.story_draft import Draft
from runreel.projection.story_requests import Requests
from runreel.projection.story_texts import Texts
from runreel.sources import conversation, thoughts

if TYPE_CHECKING:
    from runreel.model.events import EventRow
    from runreel.model.story import StoryStep
    from runreel.projection.projector import ProjectedRow, RunProjector
    from runreel.projection.row_times import RowTimes

Failure: TypeAlias = "tuple[str | None, int | str | None]"
# Runs may be created before their questions are.
_BEFORE_ANSWERS = (RunStatus.PENDING.name, RunStatus.IN_PROGRESS.name)
_BEGIN = (OPENED, RESUMED)
# Of steps that begin with the same row.
_ORDER = (RequestStep, ReasoningStep, TextStep, ToolCallStep, ErrorStep, NoteStep)


class Story(NamedTuple):
    """The steps of a run in order, and the times of its rows."""

    steps: tuple[StoryStep, ...]
    times: RowTimes


class StoryBuilder:
    """Collects the steps of a run from its rows, from the first.

    A ``clock`` that is given has each row before it is added here.
    """

    def __init__(self, projector: RunProjector, clock: RowClock | None = None) -> None:
        self._projector = projector
        self._clock = RowClock() if clock is None else clock
        self._is_own = clock is None
        self._texts = Texts()
        self._calls = Calls()
        self._requests = Requests()
        self._others: list[Draft] = []
        # The last attempt, while nothing has answered it, and its error.
        self._attempt: tuple[Draft, Draft] | None = None
        self._failure: Failure = (None, None)
        self._memory: object = None
        self._last_event = 0
        self._is_closed = False

    def add(self, row: EventRow, projected: ProjectedRow) -> None:
        """Add the next row, which the projector has just applied."""
        value, interpretation = projected.value, projected.interpretation
        if self._is_own:
            self._clock.add(row, projected, self._projector.state)
        if row.kind == NOTE:
            self._add_note(row, value)
            return
        if row.kind == CONTEXT:
            self._end_answer()
            self._requests.asked(self._projector.reader.name, row, value)
        elif row.kind != RUN or row.type not in _BEFORE_ANSWERS:
            self._requests.answered(self._projector.reader.name, row, value)
        self._add_results(row, value)
        if row.kind not in (STREAM_EVENT, RUN):
            # A request may restart the text of the run.
            self._texts.repeated(row.keep, self._projector.transcript.text)
            return
        if interpretation is not None and interpretation.starts_response:
            self._end_answer()
        for thought in thoughts(self._projector.reader.name, row.kind, value):
            self._texts.thought(row.seq, thought.part, thought.text, whole=thought.whole)
        source, memory = self._projector.reader.name, self._projector.state.adapter_memory
        for hosted in conversation.hosted_calls(source, row.kind, value, memory):
            if self._calls.hosted(row.seq, hosted):
                self._texts.interrupt()
        self._add_event(row, projected)
        self._attempt, self._memory = None, self._projector.state.adapter_memory

    def story(self) -> Story:
        """Return the steps of the rows so far."""
        if self._calls_begun():
            self._texts.interrupt()
        times = self._clock.times(self._projector.state.metadata.requested_at)
        if 0 in times.requests:
            self._requests.began()
        drafts = [*self._requests.drafts, *self._texts.drafts(), *self._calls.drafts]
        drafts += self._others
        if self._attempt is not None:
            note, error = self._attempt
            drafts = [*(draft for draft in drafts if draft is not note), error]
        drafts.sort(key=lambda draft: (draft.seq, _ORDER.index(draft.make)))
        return Story(tuple(_step(draft, times) for draft in drafts), times)

    def story_so_far(self) -> Story:
        """Return the same as ``story`` where more rows follow."""
        shared = {id(one): one for one in (self._projector, self._clock)}
        return deepcopy(self, shared).story()

    def _end_answer(self, *, fresh: bool = True) -> None:
        """What follows belongs to another answer."""
        if self._calls_begun():
            self._texts.interrupt()
        has_calls = self._calls.end_answer()
        self._texts.end_answer(fresh=fresh, counts=has_calls)
        self._failure, self._memory = (None, None), None

    def _calls_begun(self) -> bool:
        """Add the calls that the stream has begun and not finished. True if there are any."""
        if self._memory is None:
            return False
        found = conversation.unfinished_calls(self._projector.reader.name, self._memory)
        return found is not None and self._calls.asked(self._last_event, found, complete=False)

    def _add_results(self, row: EventRow, value: object) -> None:
        source = self._projector.reader.name
        if row.kind == TOOL_RESULTS:
            if value is None:
                self._calls.erased(row.seq)
            results = conversation.tool_results(source, row.kind, value)
            self._calls.answered(row.seq, results, in_order=True)
            self._end_answer(fresh=False)
        elif row.kind == CONTEXT:
            for item in self._requests.last_items:
                results = conversation.tool_results(source, row.kind, item)
                self._calls.answered(row.seq, results, in_order=False)

    def _add_event(self, row: EventRow, projected: ProjectedRow) -> None:
        """Add the text, the calls and the error of an event."""
        text, interpretation = self._projector.transcript.text, projected.interpretation
        self._last_event = row.seq
        if interpretation is None or projected.value is None:
            # An erased event may be text.
            self._texts.changed(row.seq, row.keep, text)
            return
        content = interpretation.event or interpretation.result
        if content is None:
            self._texts.repeated(row.keep, text)
            return
        self._texts.changed(row.seq, row.keep, text)
        whole = "".join(part for part in content.parts_so_far if isinstance(part, str))
        if whole and (row.keep is None or content.is_finished):
            self._texts.ended(row.seq, whole, apart=row.keep is None)
        if content.tool_calls is not None and self._calls.asked(row.seq, content.tool_calls):
            self._texts.interrupt()
        self._add_failure(row.seq, (content.error, interpretation.error_code))

    def _add_failure(self, seq: int, failure: Failure) -> None:
        if failure not in ((None, None), self._failure):
            self._failure = failure
            self._texts.interrupt()
            self._others.append(_error(seq, failure))

    def _add_note(self, row: EventRow, value: object) -> None:
        note = as_object(value)
        if row.type in _BEGIN:
            self._requests.session(row.seq, asks="requested_at" in note)
        text = story_notes.text_of(row.type, note)
        goes_on = row.type == RESUMED and self._is_closed
        self._is_closed = row.type == CLOSED or (self._is_closed and row.type not in _BEGIN)
        if text is None or goes_on:
            return
        draft = Draft(NoteStep, row.seq, {"note": row.type, "text": text})
        if row.type == REDACTED:
            draft.done_at = row.at
        self._others.append(draft)
        if row.type == ATTEMPT:
            self._requests.answered(self._projector.reader.name, row, value)
            self._texts.interrupt()
            status = note.get("status")
            code = status if type(status) is int else None
            self._attempt = draft, _error(row.seq, (as_text(note.get("error")), code))


def _error(seq: int, failure: Failure) -> Draft:
    return Draft(ErrorStep, seq, {"message": failure[0], "code": failure[1]})


def _step(draft: Draft, times: RowTimes) -> StoryStep:
    """Return a draft as a step, with its times."""
    time, wall = times.rows[draft.seq], times.wall[draft.seq]
    asked = None if draft.requested_by is None else times.requests.get(draft.requested_by)
    if asked is not None:
        time, wall = asked, wall - time + asked
    values = draft.values
    if draft.make is ToolCallStep:
        seq = values["result_seq"]
        answered = None if seq is None else _milliseconds(times, times.rows[seq])
        values = {**values, "result_delta_ms": answered}
    delta = _milliseconds(times, time)
    if draft.done_at is not None:
        wall, delta = draft.done_at, None
    return draft.make(seq=draft.seq, at=from_micros(wall), delta_ms=delta, **values)


def _milliseconds(times: RowTimes, time: int) -> float | None:
    return None if times.clock == "even" else time / 1_000
