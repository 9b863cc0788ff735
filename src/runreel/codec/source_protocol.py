"""The interface of source adapters, and the interpreted events that they return.

The JSON of a source is stored unchanged and can be interpreted again at any later time.
"""

from __future__ import annotations

from collections.abc import Callable  # noqa: TC003 - for typing.get_type_hints
from enum import Enum
from typing import Any, ClassVar, NamedTuple, Protocol, TypeAlias

import msgspec

from runreel.codec.json_values import as_object
from runreel.codec.token_counts import Tally  # noqa: TC001 - for typing.get_type_hints
from runreel.model.messages import partial
from runreel.model.results import RunResult, RunStreamEvent, UsageDetails, partial_event

# What ``SourceEvent.text_memory`` returns for an event that changes more than the text.
MORE_THAN_TEXT = object()

# A position in a JSON value that holds text of the run: ``container[key]``.
TextSlot: TypeAlias = "tuple[Any, str | int]"


class TextMode(Enum):
    """How the text parts of an event relate to the text of the run."""

    CUMULATIVE = "the whole text so far"
    DELTA = "appended to the text"
    REPEAT = "the end of the text, repeated"
    RESTART = "a new, empty text"


# The service tier of answers in a batch.
BATCH = "batch"


class RunMetadata(NamedTuple):
    """Metadata of a run, reported by one or all of its events; None if not reported.

    Times are µs since the epoch. ``response_id`` is the id by which the source continues the run;
    ``requested_at`` is the time of the request to the model. ``billed_model`` and ``service_tier``
    are those that an answer names; ``BATCH`` is never replaced.
    """

    assistant_id: str | None = None
    thread_id: str | None = None
    created_by: str | None = None
    model: str | None = None
    created_at: int | None = None
    labels: dict[str, str] | None = None
    response_id: str | None = None
    requested_at: int | None = None
    service_tier: str | None = None
    billed_model: str | None = None

    def merge(self, later: RunMetadata) -> RunMetadata:
        """Return this metadata with that of a later event; the first time of a request stays."""
        merged = [old if new is None else new for old, new in zip(self, later, strict=True)]
        if self.requested_at is not None:
            merged[_REQUESTED_AT] = self.requested_at
        if self.labels or later.labels is not None:
            merged[_LABELS] = {**(self.labels or {}), **(later.labels or {})} or None
        if self.service_tier == BATCH:
            merged[_TIER] = BATCH
        return RunMetadata._make(merged)


_LABELS, _REQUESTED_AT, _TIER = map(
    RunMetadata._fields.index, ("labels", "requested_at", "service_tier")
)


class Interpretation(msgspec.Struct, frozen=True):
    """The meaning of one stored event.

    ``event`` is the stream event in the terms of the SDK; ``result`` is the state in a snapshot of
    the run. ``memory`` is passed to the next interpretation and must not be mutated. ``usage`` and
    ``details`` are those of one response and are added up (Responses API); ``total``, or else the
    usage in ``result``, is the total of the run so far, and so is ``total_details``. ``time`` is
    the time reported by the source, in µs. ``starts_response``: a new response continues the run,
    which clears its outcome. ``unread`` names keys that are not understood, or is ``KEYS`` of
    ``import_report`` if none is known. ``marker``: the value marks the end of a stream and is not
    an event of it.
    """

    event: RunStreamEvent | None = None
    result: RunResult | None = None
    memory: object = None
    usage: Tally | None = None
    details: UsageDetails | None = None
    error_code: int | str | None = None
    metadata: RunMetadata | None = None
    time: int | None = None
    starts_response: bool = False
    total: Tally | None = None
    unread: tuple[str, ...] = ()
    marker: bool = False
    total_details: UsageDetails | None = None

    def changes_only_text(self) -> bool:
        """Return True for a partial message that changes nothing but the text."""
        return (
            self.event is not None
            and self.metadata is None
            and self.usage is None
            and self.details is None
            and self.result is None
            and self.time is None
            and self.total is None
            and self.total_details is None
            and not self.starts_response
            and not self.unread
        )


def text_only_interpretation(text: str) -> Interpretation:
    """Return the interpretation of a partial message that holds one text part and nothing else."""
    return Interpretation(partial_event(partial(text)))


class SourceEvent(msgspec.Struct):
    """One event of a source, interpreted as far as it can be without the events before it.

    ``type`` and ``index`` are the values of these columns of its row. ``slots`` are the positions
    of its text parts, and ``mode`` says how these relate to the text of the run. ``is_last``: the
    source sends nothing after it but usage.

    Events that differ little from the default event of their type and index, the envelope, are
    stored shorter. ``text_only`` is the text of a CUMULATIVE event that equals it. ``envelope`` is
    that of a DELTA event, which stores the keys that differ, unless its text is under one of them;
    ``text_key`` is the key of the envelope's text. ``text_alone``: the event holds text of the
    answer, so it cannot hold reasoning.

    ``meaning`` interprets the value of an event whose meaning does not depend on the text of the
    run or on the events before it; other events override ``read``.
    """

    text_key: ClassVar[str] = ""
    text_alone: ClassVar[bool] = False

    kind: str
    value: object
    type: str | None = None
    index: int | None = None
    mode: TextMode = TextMode.CUMULATIVE
    slots: list[TextSlot] = []
    is_last: bool = False
    text_only: str | None = None
    envelope: dict[str, object] | None = None
    meaning: Callable[[dict[str, object]], Interpretation] | None = None

    def read(self, text: str, memory: object, /) -> Interpretation:
        """Return the meaning of the event.

        ``text`` is the text of the run after it; ``memory`` is that of the previous interpretation,
        None for the first event. An event that the source adapter does not know has no meaning.
        """
        del text
        if self.meaning is None:
            return Interpretation(memory=memory)
        found = self.meaning(as_object(self.value))
        return found if memory is None else msgspec.structs.replace(found, memory=memory)

    def text_memory(self, text: str, memory: object, /) -> object:
        """Return the memory after the event, or ``MORE_THAN_TEXT``; see ``read``.

        It is read for each event of a chunk, whose meaning is needed only for the last one.
        """
        found = self.read(text, memory)
        return found.memory if found.changes_only_text() else MORE_THAN_TEXT


class PayloadShape(Protocol):
    """The positions of text in stored payloads of a source, and its default event."""

    def slots(self, value: object, /) -> list[TextSlot]:
        """Return the slots of the text parts in ``value``, in order.

        A slot holds a string or, in a stored payload, the length of the string.
        """
        ...

    def envelope(
        self, type_: str | None, index: int | None, text: str, /
    ) -> dict[str, object] | None:
        """Return the default event of this type and index around ``text``, or None."""
        ...


class SourceAdapter(PayloadShape, Protocol):
    """Interprets the events of one source without its vendor package; accepts any JSON."""

    name: str

    @property
    def memory_type(self) -> type[msgspec.Struct] | None:
        """The type of the memory between events, None if there is none: see ``Interpretation``."""
        ...

    def interpret(self, kind: str, value: object, /) -> SourceEvent:
        """Return ``value``, received or stored as ``kind``, as an event."""
        ...
