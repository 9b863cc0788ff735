"""Where the time of a run went: its steps from the request to the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from runreel.model.timeline import Clock  # noqa: TC001 - for typing.get_type_hints

# Kinds of steps, in the order in which they come.
STEPS = ("request", "first_text", "stream", "tool", "idle")


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Step:
    """A part of the time of a run; the next step begins where it ends.

    ``step`` is one of: ``request``, until the server sends anything; ``first_text``, until the
    first text, with the ``name`` ``reasoning`` if the model was seen to reason; ``stream``, while
    text or calls arrive; ``tool``, from the calls to their results, also of tools that the server
    executes itself, ``name`` names the tools;
    ``idle``, a pause of the ``service`` in a stream, or of the ``program`` after an answer.

    Times are in ms since the run was asked, or began. The step goes from row ``from_seq`` to row
    ``to_seq``.
    """

    step: str
    name: str | None
    start_ms: float
    end_ms: float
    from_seq: int
    to_seq: int


class Gap(NamedTuple):
    """The time between two rows, in ms."""

    ms: float
    from_seq: int
    to_seq: int


@dataclass(frozen=True, slots=True, weakref_slot=True)
class RunSteps:
    """The steps of a run; ``clock`` is the origin of the times, as in ``Timeline``.

    ``longest_gap`` is the longest time without anything new; None without any.
    """

    run_id: str
    clock: Clock
    steps: tuple[Step, ...]
    longest_gap: Gap | None

    @property
    def total_ms(self) -> float:
        """The time of all steps together."""
        return self.steps[-1].end_ms - self.steps[0].start_ms if self.steps else 0.0

    @property
    def spent_ms(self) -> dict[str, float]:
        """The time of each kind of step."""
        spent = dict.fromkeys(STEPS, 0.0)
        for step in self.steps:
            spent[step.step] += step.end_ms - step.start_ms
        return {name: time for name, time in spent.items() if time}

    @property
    def shares(self) -> dict[str, float]:
        """The share of each kind of step in the time, as parts of 1; empty without time."""
        return {name: spent / self.total_ms for name, spent in self.spent_ms.items()}
