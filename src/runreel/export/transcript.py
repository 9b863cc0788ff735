"""A run as a document for readers, before it becomes Markdown or HTML.

All texts are those of the log: the writers of formats escape them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runreel.codec import json_objects
from runreel.codec.durations import duration_text
from runreel.codec.json_values import as_object, text_in
from runreel.model.messages import FileChunk, describe_source
from runreel.model.story import (
    ErrorStep,
    NoteStep,
    ReasoningStep,
    RequestStep,
    TextStep,
    ToolCallStep,
)
from runreel.model.timestamps import rfc3339
from runreel.query import run_history, run_reading

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.export.formats import ExportJob
    from runreel.model.messages import Citation
    from runreel.model.results import Usage, UsageDetails
    from runreel.model.runs import RunSummary
    from runreel.model.steps import RunSteps
    from runreel.model.story import StoryStep
    from runreel.query.run_reading import RunReading


class Block(NamedTuple):
    """A text of the log with a label in front; ``is_json``: it is JSON."""

    label: str | None
    text: str
    is_json: bool = False


class Entry(NamedTuple):
    """A step: its title, the time since the run was asked, and what it holds.

    ``blocks`` are texts of the log, ``remarks`` are sentences of runreel. ``subject`` is a text of
    the log for the title: the name of a tool.
    """

    kind: str
    title: str
    subject: str | None
    since: str
    blocks: tuple[Block, ...]
    remarks: tuple[str, ...]
    seq: int


class Transcript(NamedTuple):
    """A run: its facts by name, its steps, the sources that it cites, and where the time went.

    ``reading`` has its rows.
    """

    summary: RunSummary
    facts: tuple[tuple[str, str], ...]
    entries: tuple[Entry, ...]
    cited: tuple[Block, ...]
    timing: RunSteps
    reading: RunReading


def of_run(job: ExportJob, run_id: str) -> Transcript:
    """Return the transcript of a run that is not pruned.

    Raises:
        LogError: if a row cannot be read.
    """
    shown = run_history.state(job.connection, run_id)
    found = run_reading.of_run(job.connection, run_id)
    for damaged in found.damaged:
        raise damaged.error
    cited = () if shown.result.is_failed else shown.result.citations
    return Transcript(
        shown.summary,
        tuple((name, value) for name, value in _facts(shown.summary) if value),
        tuple(map(_entry, found.story)),
        tuple(_sources(cited)),
        found.timing,
        found,
    )


def _facts(run: RunSummary) -> Iterator[tuple[str, str | None]]:
    yield "Status", run.state
    if run.error is not None:
        yield "Error", _failure(run.error.message, run.error.code)
    yield "Source", run.source
    yield "Model", run.model
    yield "Assistant", run.assistant_id
    yield "Thread", run.thread_id
    yield "Response", run.response_id
    yield "Labels", ", ".join(f"{key}={value}" for key, value in run.labels.items())
    yield "Started", rfc3339(run.requested_at or run.started_at)
    yield "First text", _after(run.first_text_ms)
    yield "Took", duration_text(run.duration_ms)
    yield "Recording", run.recording
    yield "Rows", f"{run.last_seq + 1:,}"
    yield "Usage", _usage(run.usage, run.usage_details)


def _after(milliseconds: float | None) -> str | None:
    return None if milliseconds is None else f"after {duration_text(milliseconds)}"


def _usage(usage: Usage | None, details: UsageDetails | None) -> str:
    if usage is None:
        return "unknown"
    more = ""
    if details is not None and details.cached_tokens:
        more += f", {details.cached_tokens:,} cached"
    if details is not None and details.cache_write_tokens:
        more += f", {details.cache_write_tokens:,} cache write"
    if details is not None and details.reasoning_tokens:
        more += f", {details.reasoning_tokens:,} reasoning"
    return (
        f"{usage.total_tokens:,} tokens: {usage.input_text_tokens:,} in,"
        f" {usage.completion_tokens:,} out{more}"
    )


def _entry(step: StoryStep) -> Entry:
    subject, blocks, remarks = _content(step)
    since = f"row {step.seq}" if step.delta_ms is None else f"+{duration_text(step.delta_ms)}"
    title = step.step.replace("_", " ").capitalize()
    return Entry(step.step, title, subject, since, tuple(blocks), tuple(remarks), step.seq)


def _content(step: StoryStep) -> tuple[str | None, list[Block], list[str]]:
    """Return the subject, the blocks and the remarks of a step."""
    match step:
        case RequestStep():
            blocks = [Block(message.role, message.text) for message in step.messages]
            return None, blocks, list(_remarks_on_request(step))
        case TextStep() | ReasoningStep():
            return None, [Block(None, step.text)], []
        case ToolCallStep():
            return step.name or "?", *_call(step)
        case ErrorStep():
            return None, [Block(None, _failure(step.message, step.code))], []
        case NoteStep():
            return None, [Block(None, step.text)], []


def _remarks_on_request(step: RequestStep) -> Iterator[str]:
    if step.repeated:
        yield f"Repeats {_counted(step.repeated, 'earlier item')}."
    if step.items is None:
        yield "Its content is not in the log."
    elif not step.items:
        yield "Nothing is new in it."
    elif not step.messages:
        yield f"It has {_counted(len(step.items), 'new item')}, none of which asks: {_kinds(step)}."


def _kinds(step: RequestStep) -> str:
    kinds = (
        text_in(value, "type") or text_in(value, "role")
        for value in map(as_object, step.items or ())
    )
    # Only names: everything else is text of a program.
    return ", ".join(kind if kind and kind.replace("_", "").isalnum() else "?" for kind in kinds)


def _call(step: ToolCallStep) -> tuple[list[Block], list[str]]:
    label = "arguments" if step.id is None else f"arguments, call {step.id}"
    blocks = [Block(label, json_objects.text(step.arguments or {}, indent=2), is_json=True)]
    remarks = []
    if not step.complete:
        remarks.append("The model did not finish this call.")
    if step.result_seq is None:
        return blocks, [*remarks, "No result came."]
    took = ""
    if step.result_delta_ms is not None and step.delta_ms is not None:
        took = f" after {duration_text(step.result_delta_ms - step.delta_ms)}"
    label = f"result{took}"
    if isinstance(step.result, str):
        blocks.append(Block(label, step.result))
    else:
        blocks.append(Block(label, json_objects.text(step.result, indent=2), is_json=True))
    return blocks, remarks


def _failure(message: str | None, code: int | str | None) -> str:
    return (message or "no reason is known") + ("" if code is None else f" (code {code})")


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _sources(citations: tuple[Citation, ...]) -> Iterator[Block]:
    for position, citation in enumerate(citations, 1):
        for source in citation.sources:
            if isinstance(source, FileChunk):
                yield Block(f"[{position}] {describe_source(source)}", source.text)
            else:
                yield Block(f"[{position}]", describe_source(source))
