"""The calls of a model in a run: when each was asked and answered, and what was reported of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runreel.codec.json_values import as_object, as_text
from runreel.model.events import (
    ATTEMPT,
    CONTEXT,
    NOTE,
    OPENED,
    RESUMED,
    RUN,
    STREAM_EVENT,
    TOOL_RESULTS,
)
from runreel.model.messages import Message
from runreel.model.status import RunStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runreel.codec.source_protocol import Interpretation
    from runreel.codec.token_counts import Tally
    from runreel.model.events import EventRow
    from runreel.model.results import UsageDetails
    from runreel.projection.projector import ProjectedRow, RunProjector

# Runs may be created before their questions are.
_BEFORE_ANSWERS = (RunStatus.PENDING.name, RunStatus.IN_PROGRESS.name)


@dataclass(slots=True)
class ModelCall:
    """A request and its answer, from row ``seq`` to row ``last``.

    ``asked_by`` is the row whose time is that of the request, None if it is unknown. The answer
    begins with row ``first``, None without one; ``chunk`` is the first event of its stream.
    ``request`` has the parameters of the request, as its source's JSON. ``failure`` is a message
    and a code.
    """

    seq: int
    last: int
    asked_by: int | None = None
    first: int | None = None
    chunk: int | None = None
    request: Mapping[str, object] = field(default_factory=dict)
    model: str | None = None
    response_id: str | None = None
    finish_reason: str | None = None
    failure: tuple[str | None, int | str | None] | None = None
    usage: Tally | None = None
    details: UsageDetails | None = None


class CallBuilder:
    """Collects the calls of a run from its rows, from the first."""

    def __init__(self, projector: RunProjector) -> None:
        self._projector = projector
        self._calls: list[ModelCall] = []
        # The total of the run before the current call; None if it is unknown.
        self._total_before: Tally | None = None

    def add(self, row: EventRow, projected: ProjectedRow) -> None:
        """Add the next row, which the projector has just applied."""
        if row.kind == NOTE:
            self._add_note(row, as_object(projected.value))
        elif row.kind == CONTEXT:
            call = self._asked(row.seq)
            call.request = as_object(projected.value)
            if call.asked_by is None:
                call.asked_by = row.seq
        elif row.kind == TOOL_RESULTS:
            call = self._asked(row.seq)
            call.seq = call.last = call.asked_by = row.seq
        else:
            self._add_event(row, projected.interpretation)

    def calls(self) -> list[ModelCall]:
        """Return the calls of the rows so far that have a request, an answer or a failure."""
        return [
            call
            for call in self._calls
            if call.request or call.first is not None or call.failure is not None
        ]

    def _add_note(self, row: EventRow, note: Mapping[str, object]) -> None:
        if row.type in (OPENED, RESUMED) and "requested_at" in note:
            call = self._asked(row.seq)
            call.asked_by = row.seq
        elif row.type == ATTEMPT and self._calls and self._calls[-1].first is None:
            status = note.get("status")
            code = status if type(status) is int else None
            self._calls[-1].failure = as_text(note.get("error")), code
            self._calls[-1].last = row.seq

    def _asked(self, seq: int) -> ModelCall:
        """Return the call that waits for an answer; a new one from row ``seq`` if none does."""
        if not self._calls or self._calls[-1].first is not None:
            return self._begun(seq)
        self._calls[-1].last = seq
        return self._calls[-1]

    def _begun(self, seq: int) -> ModelCall:
        before = self._calls[-1] if self._calls else None
        self._total_before = None if before is None else self._projector.state.tally
        call = ModelCall(seq, seq)
        self._calls.append(call)
        return call

    def _add_event(self, row: EventRow, found: Interpretation | None) -> None:
        call = self._calls[-1] if self._calls else self._begun(row.seq)
        if found is not None and found.starts_response and self._is_another(call, found):
            call = self._begun(row.seq)
        call.last = row.seq
        if row.kind == RUN and row.type in _BEFORE_ANSWERS and call.first is None:
            self._add_reported(call, found)
            return
        if call.first is None:
            call.first, call.failure = row.seq, None
        if call.chunk is None and row.kind == STREAM_EVENT:
            call.chunk = row.seq
        self._add_reported(call, found)

    def _is_another(self, call: ModelCall, found: Interpretation) -> bool:
        reported = None if found.metadata is None else found.metadata.response_id
        if call.first is None:
            return False
        # A ping may come before the response.
        return reported is None or call.response_id not in (None, reported)

    def _add_reported(self, call: ModelCall, found: Interpretation | None) -> None:
        """Add what an event reports of its call."""
        if found is None:
            return
        if found.metadata is not None:
            call.model = found.metadata.model or call.model
            call.response_id = found.metadata.response_id or call.response_id
        content = found.event or found.result
        if content is not None:
            if content.error is not None or found.error_code is not None:
                call.failure = content.error, found.error_code
            elif not content.is_failed and isinstance(content.message, Message):
                call.finish_reason = content.message.finish_reason or call.finish_reason
        self._add_usage(call, found)

    def _add_usage(self, call: ModelCall, found: Interpretation) -> None:
        if found.usage is not None:
            call.usage = found.usage.plus(call.usage)
            call.details = found.details or call.details
            return
        if found.total is None and (found.result is None or found.result.usage is None):
            return
        # The run's total so far: what earlier calls have used is not of this one.
        total = self._projector.state.tally
        if call is self._calls[0]:
            call.usage, call.details = total, self._projector.state.details
        elif total is not None and self._total_before is not None:
            call.usage = total.minus(self._total_before)
