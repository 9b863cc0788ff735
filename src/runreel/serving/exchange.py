"""A recorded call of a model, as far as it can be served again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runreel.model.timeline import Clock
    from runreel.sources.requests import Body


@dataclass(frozen=True, slots=True)
class Refusal:
    """A call that got no answer: the status and body of the error.

    ``status`` is None if there was no response at all. ``body`` is JSON, text or None.
    """

    status: int | None
    body: object
    message: str | None


@dataclass(frozen=True, slots=True, eq=False)
class Exchange:
    """One request to a model and the answer to it, which the rows ``seqs`` of the run hold.

    ``number`` counts the exchanges of the run from 1. ``request`` is the whole request as it is
    stored; None if the log does not have it. ``times`` has the time of each row in µs after the
    request, by ``clock``. ``cut``: the answer does not have its end. ``blocked``: parts of the
    exchange were erased.
    """

    run_id: str
    number: int
    source: str
    request: Body | None
    seqs: tuple[int, ...] = ()
    times: tuple[int, ...] = ()
    clock: Clock = "recorded"
    streamed: bool = False
    cut: bool = False
    blocked: bool = False
    refusal: Refusal | None = None
    response_id: str | None = None
    model: str | None = None

    @property
    def name(self) -> str:
        """The exchange as messages name it."""
        return f"call {self.number} of run {self.run_id}"
