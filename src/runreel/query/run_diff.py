"""Compares two runs: request, tool calls, text, usage and timing."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, NamedTuple

from runreel.model.errors import UsageError
from runreel.model.results import Usage, UsageDetails
from runreel.model.run_diff import (
    PARTS,
    NumbersDiff,
    RequestChange,
    RequestDiff,
    RunDiff,
    TextDiff,
    ToolsDiff,
)
from runreel.model.story import RequestStep, TextStep, ToolCallStep
from runreel.projection import call_alignment, json_diff, word_diff
from runreel.query import requests, run_history, run_steps, story
from runreel.sources import conversation
from runreel.store.events import damage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from runreel.model.runs import RunSummary
    from runreel.model.steps import RunSteps
    from runreel.model.story import StoryStep
    from runreel.store.connection import Connection
    from runreel.store.database import Database

Numbers = dict[str, float | None]


class ComparedRun(NamedTuple):
    """What is compared of a run; ``requests`` are those that ask something, as JSON."""

    summary: RunSummary
    requests: list[object]
    story: tuple[StoryStep, ...]
    steps: RunSteps


def diff(database: Database, a: str, b: str, parts: Iterable[str] = PARTS) -> RunDiff:
    """Return the differences of two runs in these parts, read from one snapshot.

    Raises:
        RunNotFound: if the log lacks one of them.
        UsageError: if a part is unknown.
    """
    parts = check_parts(parts)
    with database.reading() as connection, damage.snapshot(connection):
        run_ids = [run_history.with_id(connection, one) for one in (a, b)]
        runs = {run_id: read(connection, run_id) for run_id in dict.fromkeys(run_ids)}
    first, second = (runs[run_id] for run_id in run_ids)
    return compare(first, second, parts)


def diff_of(a: tuple[Database, str], b: tuple[Database, str], parts: Iterable[str]) -> RunDiff:
    """Return the differences of two runs of two logs, which may have the same ID.

    Raises:
        RunNotFound: if a log lacks its run.
        UsageError: if a part is unknown.
    """
    parts = check_parts(parts)
    return compare(_read_of(*a), _read_of(*b), parts)


def _read_of(database: Database, run_id: str) -> ComparedRun:
    with database.reading() as connection, damage.snapshot(connection):
        return read(connection, run_history.with_id(connection, run_id))


def check_parts(parts: Iterable[str]) -> tuple[str, ...]:
    """Return the parts to compare.

    Raises:
        UsageError: if one is unknown.
    """
    chosen = tuple(parts)
    for part in chosen:
        if part not in PARTS:
            raise UsageError(f"unknown part {part!r}", hint=f"Parts: {', '.join(PARTS)}.")
    return chosen


def read(connection: Connection, run_id: str) -> ComparedRun:
    """Read what is compared of a run.

    Raises:
        RunNotFound: if the log has no such run.
    """
    summary = run_history.state(connection, run_id).summary
    steps = story.of_run(connection, run_id, summary.last_seq + 1).steps
    return compared(connection, summary, steps, run_steps.of_run(connection, run_id))


def compared(
    connection: Connection, summary: RunSummary, steps: tuple[StoryStep, ...], timing: RunSteps
) -> ComparedRun:
    """Return what is compared of a run that is read but for its requests."""
    return ComparedRun(summary, list(_requests(connection, summary, steps)), steps, timing)


def compare(a: ComparedRun, b: ComparedRun, parts: Iterable[str] = PARTS) -> RunDiff:
    """Return the differences of two runs in these parts."""
    chosen = frozenset(parts)
    text_a, text_b = _text(a.story), _text(b.story)
    return RunDiff(
        a.summary.run_id,
        b.summary.run_id,
        RequestDiff(tuple(_request_changes(a, b))) if "request" in chosen else None,
        ToolsDiff(tuple(call_alignment.aligned(_calls(a), _calls(b))))
        if "tools" in chosen
        else None,
        TextDiff(text_a, text_b, word_diff.text_changes(text_a, text_b))
        if "text" in chosen
        else None,
        NumbersDiff(_usage(a.summary), _usage(b.summary)) if "usage" in chosen else None,
        NumbersDiff(_timing(a), _timing(b)) if "timing" in chosen else None,
    )


def _requests(
    connection: Connection, summary: RunSummary, steps: Iterable[StoryStep]
) -> Iterator[object]:
    """Yield the first request, whole, and what later ones ask that was not asked before."""
    source = summary.source
    for number, step in enumerate(one for one in steps if isinstance(one, RequestStep)):
        items = [conversation.comparable(source, item) for item in step.items or ()]
        if number == 0:
            found = requests.stored_request(connection, source, summary.run_id, step.seq)
            if found is not None:
                yield found.request.body
            else:
                yield items[0] if len(items) == 1 else items
            continue
        asked = [item for item in items if any(conversation.asked(source, item))]
        if asked:
            yield asked


def _request_changes(a: ComparedRun, b: ComparedRun) -> Iterator[RequestChange]:
    for found in json_diff.value_changes(a.requests, b.requests):
        call, _, pointer = found.pointer.removeprefix("/").partition("/")
        shown = f"/{pointer}" if pointer else ""
        yield RequestChange(int(call), shown, found.change, found.a, found.b)


def _calls(run: ComparedRun) -> list[ToolCallStep]:
    return [step for step in run.story if isinstance(step, ToolCallStep)]


def _text(steps: Iterable[StoryStep]) -> str:
    """Return the texts of a run; answers are separated by an empty line."""
    answers: dict[int, str] = {}
    for step in steps:
        if isinstance(step, TextStep):
            answers[step.answer] = answers.get(step.answer, "") + step.text
    return "\n\n".join(answers.values())


def _usage(summary: RunSummary) -> Numbers:
    numbers: Numbers = {}
    for type_, usage in ((Usage, summary.usage), (UsageDetails, summary.usage_details)):
        for field in fields(type_):
            value = getattr(usage, field.name, None)
            if value is None or isinstance(value, int):
                numbers[field.name] = value
    return numbers


def _timing(run: ComparedRun) -> Numbers:
    """Return the times of a run in ms, None where they are unknown."""
    if run.steps.clock == "even":
        return dict.fromkeys(_TIMES)
    spent, gap = run.steps.spent_ms, run.steps.longest_gap
    return {
        "first_text_ms": run.summary.first_text_ms,
        "duration_ms": run.summary.duration_ms,
        "longest_gap_ms": None if gap is None else gap.ms,
        "request_ms": round(spent.get("request", 0.0), 3),
        "stream_ms": round(spent.get("stream", 0.0), 3),
        "tool_ms": round(spent.get("tool", 0.0), 3),
        "idle_ms": round(spent.get("idle", 0.0), 3),
    }


_TIMES = (
    "first_text_ms",
    "duration_ms",
    "longest_gap_ms",
    "request_ms",
    "stream_ms",
    "tool_ms",
    "idle_ms",
)
