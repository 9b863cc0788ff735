"""The rows of a run that are worth a look, and its tool calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from runreel.model.story import TextStep, ToolCallStep

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runreel.model.steps import RunSteps
    from runreel.model.story import StoryStep
    from runreel.projection.run_columns import RunColumns

_LONGEST = 200


class Marker(TypedDict):
    """A row that is worth a look.

    ``kind`` is ``start``, ``first_text``, ``tool``, ``gap``, ``error``, ``damage`` or ``end``.
    """

    kind: str
    name: str
    seq: int


class CallBar(TypedDict):
    """A tool call from its row to that of its result, None if none came."""

    name: str
    seq: int
    result_seq: int | None


def markers(
    timing: RunSteps, columns: RunColumns, story: Sequence[StoryStep], damaged: Sequence[int]
) -> list[Marker]:
    """Return the markers of a run in the order of their rows."""
    found = sorted(_markers(timing, columns, story), key=lambda marker: marker["seq"])
    found += (Marker(kind="damage", name="damaged row", seq=seq) for seq in damaged)
    found.sort(key=lambda marker: marker["seq"])
    last = Marker(kind="end", name="end", seq=len(columns["kind"]) - 1)
    return [Marker(kind="start", name="start", seq=0), *found, last]


def calls(story: Sequence[StoryStep]) -> list[CallBar]:
    """Return the tool calls of a whole story."""
    return [
        CallBar(name=(step.name or "?")[:_LONGEST], seq=step.seq, result_seq=step.result_seq)
        for step in story
        if isinstance(step, ToolCallStep)
    ]


def _markers(timing: RunSteps, columns: RunColumns, story: Sequence[StoryStep]) -> Iterator[Marker]:
    for step in story:
        if isinstance(step, TextStep):
            yield Marker(kind="first_text", name="first text", seq=step.from_seq)
            break
    for call in calls(story):
        yield Marker(kind="tool", name=f"tool {call['name']}", seq=call["seq"])
    if timing.longest_gap is not None:
        yield Marker(kind="gap", name="longest gap", seq=timing.longest_gap.from_seq)
    for state in columns["states"]:
        if state["error"] is not None:
            yield Marker(kind="error", name="error", seq=state["seq"])
            break
