"""What happened in a run, step by step."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - for typing.get_type_hints
from typing import Any, ClassVar, TypeAlias


@dataclass(frozen=True, slots=True, weakref_slot=True)
class AskedMessage:
    """A message in a request; ``role`` is as its source names it, in lower case."""

    role: str
    text: str


@dataclass(frozen=True, slots=True, weakref_slot=True)
class _Step:
    """A step begins with row ``seq``, at the time ``at`` on the run's own clock.

    ``delta_ms`` is that time in milliseconds since the run was asked or else began; None if the
    times of the run are unknown.
    """

    seq: int
    at: datetime
    delta_ms: float | None


@dataclass(frozen=True, slots=True, weakref_slot=True)
class RequestStep(_Step):
    """A request to the model; ``items`` are those that were new in it, as its source's JSON.

    ``repeated`` is the number of items before them, which repeat earlier requests and answers.
    ``messages`` are the texts of the new items that ask. ``items`` is None if the log has the time
    of the request alone, and if the request was erased.
    """

    step: ClassVar[str] = "request"
    items: tuple[Any, ...] | None
    repeated: int
    messages: tuple[AskedMessage, ...]


@dataclass(frozen=True, slots=True, weakref_slot=True)
class TextStep(_Step):
    """Text of the answer without anything in between, from row ``from_seq`` to ``to_seq``.

    ``answer`` numbers the answers of the run, from 0.
    """

    step: ClassVar[str] = "text"
    text: str
    from_seq: int
    to_seq: int
    answer: int


@dataclass(frozen=True, slots=True, weakref_slot=True)
class ReasoningStep(_Step):
    """Reasoning without anything in between, from row ``from_seq`` to ``to_seq``."""

    step: ClassVar[str] = "reasoning"
    text: str
    from_seq: int
    to_seq: int


@dataclass(frozen=True, slots=True, weakref_slot=True)
class ToolCallStep(_Step):
    """A call of a tool with its result.

    ``result`` is the source's JSON. None came if ``result_seq``, the row of the result, is None.
    ``complete`` is false for a call that the model did not finish: ``arguments`` are those so far.
    """

    step: ClassVar[str] = "tool_call"
    id: str | None
    name: str | None
    arguments: dict[str, Any] | None
    result: Any
    result_seq: int | None
    result_delta_ms: float | None
    complete: bool


@dataclass(frozen=True, slots=True, weakref_slot=True)
class ErrorStep(_Step):
    """The failure of an answer; ``message`` and ``code`` are those of the source, or None."""

    step: ClassVar[str] = "error"
    message: str | None
    code: int | str | None


@dataclass(frozen=True, slots=True, weakref_slot=True)
class NoteStep(_Step):
    """Something that runreel noted: ``note`` is its type, ``text`` says it in a sentence."""

    step: ClassVar[str] = "note"
    note: str
    text: str


StoryStep: TypeAlias = RequestStep | TextStep | ReasoningStep | ToolCallStep | ErrorStep | NoteStep
