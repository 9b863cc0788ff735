"""The interface of source adapters, and the interpretation that they return.

The JSON of a source is stored unchanged and can be interpreted again at any later time.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from runreel.model.messages import partial
from runreel.model.results import RunStreamEvent
from runreel.model.status import StreamEvent

if TYPE_CHECKING:
    from runreel.codec.token_counts import Tally
    from runreel.model.results import RunResult, UsageDetails


_PARTIAL = StreamEvent.PARTIAL_MESSAGE


class TextSlot(NamedTuple):
    """A position in a JSON value that holds text of the run: ``container[key]``."""

    container: Any
    key: Any


class TextMode(Enum):
    """How the text parts of an event relate to the text of the run."""

    CUMULATIVE = "the whole text so far"
    DELTA = "appended to the text"
    REPEAT = "the end of the text, repeated"
    RESTART = "a new, empty text"


class ReadContext(NamedTuple):
    """What the interpretation of an event depends on.

    ``text`` is the text of the run after this event; ``memory`` is that of the previous
    interpretation, None for the first event.
    """

    text: str = ""
    memory: Any = None


START = ReadContext()


class RunMetadata(NamedTuple):
    """Metadata of a run, reported by one or all of its events; None if not reported.

    Times are µs since the epoch. ``response_id`` is the id by which the source continues the run;
    ``requested_at`` is the time of the request to the model.
    """

    assistant_id: str | None = None
    thread_id: str | None = None
    created_by: str | None = None
    model: str | None = None
    created_at: int | None = None
    labels: dict[str, str] | None = None
    response_id: str | None = None
    requested_at: int | None = None

    def merge(self, later: RunMetadata) -> RunMetadata:
        """Return this metadata with that of a later event; the first time of a request stays."""
        merged = [old if new is None else new for old, new in zip(self, later, strict=True)]
        if self.requested_at is not None:
            merged[_REQUESTED_AT] = self.requested_at
        if self.labels or later.labels is not None:
            merged[_LABELS] = {**(self.labels or {}), **(later.labels or {})} or None
        return RunMetadata._make(merged)


_LABELS, _REQUESTED_AT = map(RunMetadata._fields.index, ("labels", "requested_at"))


class Interpretation(NamedTuple):
    """The meaning of one stored event.

    ``event`` is the stream event in the terms of the SDK; ``result`` is the state in a snapshot of
    the run. ``usage`` and ``details`` are those of one response and are added up (Responses API);
    ``total``, or else the usage in ``result``, is the total of the run so far. ``time`` is the time
    reported by the source, in µs. ``starts_response``: a new response continues the run, which
    clears its outcome. ``memory`` is passed to the next interpretation and must not be mutated.
    ``unread`` names keys that are not understood, or is ``KEYS`` of ``import_report`` if none is
    known. ``marker``: the value marks the end of a stream and is not an event of it.
    """

    event: RunStreamEvent | None = None
    result: RunResult | None = None
    usage: Tally | None = None
    details: UsageDetails | None = None
    error_code: int | str | None = None
    metadata: RunMetadata | None = None
    time: int | None = None
    starts_response: bool = False
    memory: Any = None
    total: Tally | None = None
    unread: tuple[str, ...] = ()
    marker: bool = False


def text_only_interpretation(text: str) -> Interpretation:
    """Return the interpretation of a partial message that holds one text part and nothing else."""
    return Interpretation(RunStreamEvent(_PARTIAL, None, None, partial(text)))


def accepts_text_fast_path(interpretation: Interpretation | None) -> bool:
    """Return True if a partial message changes nothing but the text.

    None stands for a text-only event: see ``parse_text_only``.
    """
    return interpretation is None or (
        interpretation.event is not None
        and interpretation.metadata is None
        and interpretation.usage is None
        and interpretation.details is None
        and interpretation.result is None
        and interpretation.time is None
        and interpretation.total is None
        and not interpretation.starts_response
        and not interpretation.unread
    )


class PayloadShape(Protocol):
    """The positions of text in the events of a source, and its default event."""

    def slots(self, value: Any) -> list[TextSlot]:
        """Return the slots of the text parts in ``value``, in order.

        A slot holds a string or, in a stored payload, the length of the string.
        """
        ...

    def text_mode(self, value: Any, /) -> TextMode:
        """Return how the text in the slots of ``value`` relates to the text of the run."""
        ...

    def envelope(self, type_: str | None, source_index: int | None, text: str) -> Any:
        """Return the default event of this type and index around ``text``, or None.

        A row whose event equals it stores the text alone; a row of mode DELTA also stores the keys
        that differ. In mode CUMULATIVE it is a PARTIAL_MESSAGE that ``parse_text_only`` accepts.
        """
        ...

    def parse_text_only(self, value: Any, /) -> tuple[int | None, str] | None:
        """Return the index and text of a stream event equal to its envelope, in mode CUMULATIVE.

        None for any other event.
        """
        ...


class SourceAdapter(PayloadShape, Protocol):
    """Interprets the events of one source without its vendor package; accepts any JSON."""

    name: str

    def read(self, kind: str, value: Any, context: ReadContext = START, /) -> Interpretation:
        """Return the interpretation of ``value``, stored as ``kind``."""
        ...

    def type_of(self, kind: str, value: Any) -> str | None:
        """Return the value for the column ``type`` of the row."""
        ...

    def index_of(self, kind: str, value: Any) -> int | None:
        """Return the source's number of this event, or None."""
        ...
