"""What a reader of a source's events is, and what it answers.

A source's wire JSON is stored as it came; a reader tells, at any later time, what it means.
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
    """A place in a JSON value where a piece of the run's text stands: ``container[key]``."""

    container: Any
    key: Any


class TextMode(Enum):
    """How the pieces of text in an event belong to the run's text."""

    CUMULATIVE = "they are all of it"
    DELTA = "they come behind it"
    REPEAT = "they are the end of it, told once more"
    RESTART = "a new text begins, with nothing yet"


class ReadContext(NamedTuple):
    """What a reader of pieces goes by.

    ``text`` is the run's text after the event that is read; ``memory`` is what the reading before
    left, None at the first.
    """

    text: str = ""
    memory: Any = None


START = ReadContext()


class RunMetadata(NamedTuple):
    """What an event says of its run as a whole; None is not said. Times are µs since the epoch.

    ``response_id`` is the id by which the source goes on with the run; ``requested_at`` is when the
    model was asked.
    """

    assistant_id: str | None = None
    thread_id: str | None = None
    created_by: str | None = None
    model: str | None = None
    created_at: int | None = None
    labels: dict[str, str] | None = None
    response_id: str | None = None
    requested_at: int | None = None


class Interpretation(NamedTuple):
    """What one stored event means.

    ``event`` is what a stream event is to the SDK's users; ``result`` is what a Run snapshot says
    the state is. ``usage`` beside an event is of one response, to be added up (Responses API), as
    are ``details``; ``total``, or else the usage inside ``result``, is the run's total so far.
    ``time`` is the source's own, µs. ``begins`` is whether the run goes on here, however it ended
    before. ``memory`` is for the reading that comes next; never change what it holds. ``unread``
    names what the value holds and the reader does not understand: a key of it, or ``intake.KEYS``.
    ``marker`` is whether this marks the end of a stream rather than being one of its events.
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
    """What a partial message means that has one part and says nothing else."""
    return Interpretation(RunStreamEvent(_PARTIAL, None, None, partial(text)))


def accepts_text_fast_path(interpretation: Interpretation | None) -> bool:
    """True if a partial message changes nothing but the text; None: see ``parse_text_only``."""
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
    """Where the text stands in a source's events, and what its commonest event looks like."""

    def slots(self, value: Any) -> list[TextSlot]:
        """The places of the message's text parts in ``value``, in order.

        A text part is a string; once lifted, its length.
        """
        ...

    def text_mode(self, value: Any, /) -> TextMode:
        """How what stands in the slots of ``value`` belongs to the run's text."""
        ...

    def envelope(self, type_: str | None, source_index: int | None, text: str) -> Any:
        """The commonest event of this type and index that carries ``text`` and nothing else.

        None where there is no such event. A row whose event equals it stores the text alone; one
        that tells MORE stores beside its text only what differs. Where it tells the WHOLE text it
        is a PARTIAL_MESSAGE, and ``parse_text_only`` is all that it means.
        """
        ...

    def parse_text_only(self, value: Any, /) -> tuple[int | None, str] | None:
        """Index and text of a stream event that equals its envelope, where that is the WHOLE text.

        None for any other event.
        """
        ...


class SourceAdapter(PayloadShape, Protocol):
    """Reads one source's events. Pure: needs no vendor package, never raises on odd JSON."""

    name: str

    def read(self, kind: str, value: Any, context: ReadContext = START, /) -> Interpretation:
        """What ``value``, stored as ``kind``, means."""
        ...

    def type_of(self, kind: str, value: Any) -> str | None:
        """The name for the row's ``type`` column."""
        ...

    def index_of(self, kind: str, value: Any) -> int | None:
        """The source's own number of this event, None where it has none."""
        ...
