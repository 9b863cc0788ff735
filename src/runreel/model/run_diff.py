"""The differences of two runs: in request, tool calls, text, usage and timing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

PARTS = ("request", "tools", "text", "usage", "timing")

# Kinds of changes from the first run to the second.
SAME, CHANGED, ADDED, REMOVED = "same", "changed", "added", "removed"


@dataclass(frozen=True, slots=True, weakref_slot=True)
class ValueChange:
    """A difference of two JSON values at a JSON pointer.

    ``change`` is ``changed``, ``added`` (``a`` is None, there is no such value) or ``removed``.
    """

    pointer: str
    change: str
    a: Any
    b: Any


@dataclass(frozen=True, slots=True, weakref_slot=True)
class RequestChange:
    """A difference of requests; ``call`` numbers the requests that ask something, from 0."""

    call: int
    pointer: str
    change: str
    a: Any
    b: Any


@dataclass(frozen=True, slots=True, weakref_slot=True)
class RequestDiff:
    """The differences of what was asked."""

    changes: tuple[RequestChange, ...]

    @property
    def same(self) -> bool:
        """True if both runs were asked the same."""
        return not self.changes


@dataclass(frozen=True, slots=True, weakref_slot=True)
class CallChange:
    """A tool call of either run, or one of each that belong together.

    ``change`` is ``same``, ``changed``, ``added`` or ``removed``; ``a`` and ``b`` are the rows of
    the calls, ``arguments`` and ``result`` their differences.
    """

    change: str
    name: str | None
    a: int | None
    b: int | None
    arguments: tuple[ValueChange, ...] = ()
    result: tuple[ValueChange, ...] = ()


@dataclass(frozen=True, slots=True, weakref_slot=True)
class ToolsDiff:
    """All tool calls of both runs, aligned."""

    calls: tuple[CallChange, ...]

    @property
    def same(self) -> bool:
        """True if both runs have the same calls with the same results."""
        return all(call.change == SAME for call in self.calls)


@dataclass(frozen=True, slots=True, weakref_slot=True)
class TextChange:
    """Text of the first run, replaced by text of the second; either may be empty.

    ``a`` and ``b`` are the start and the end, in characters, in the texts of the runs.
    """

    a: tuple[int, int]
    b: tuple[int, int]
    a_text: str
    b_text: str


@dataclass(frozen=True, slots=True, weakref_slot=True)
class TextDiff:
    """The differences, by words, of the texts ``a`` and ``b`` of two runs.

    A text has all answers of its run, separated by an empty line.
    """

    a: str
    b: str
    changes: tuple[TextChange, ...]

    @property
    def same(self) -> bool:
        """True if the texts are equal."""
        return not self.changes


@dataclass(frozen=True, slots=True, weakref_slot=True)
class NumbersDiff:
    """Numbers of both runs by name; None is unknown."""

    a: dict[str, float | None]
    b: dict[str, float | None]

    @property
    def same(self) -> bool:
        """True if all numbers are equal."""
        return self.a == self.b

    @property
    def difference(self) -> dict[str, float | None]:
        """How much more each number is in the second run; None if either is unknown."""
        found: dict[str, float | None] = {}
        for name, a in self.a.items():
            b = self.b[name]
            found[name] = None if a is None or b is None else round(b - a, 3)
        return found


@dataclass(frozen=True, slots=True, weakref_slot=True)
class RunDiff:
    """The differences of the runs ``a`` and ``b``; parts that were not compared are None."""

    a: str
    b: str
    request: RequestDiff | None = None
    tools: ToolsDiff | None = None
    text: TextDiff | None = None
    usage: NumbersDiff | None = None
    timing: NumbersDiff | None = None

    @property
    def same(self) -> bool:
        """True if all compared parts are the same."""
        parts = (self.request, self.tools, self.text, self.usage, self.timing)
        return all(part is None or part.same for part in parts)
