"""Print one run for people, from its id to its text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.cli import time_arguments
from runreel.cli.render import story_view, tables, terminal
from runreel.cli.render.list_views import recording_cell, state_cell
from runreel.cli.render.tables import number
from runreel.codec.durations import duration_text
from runreel.codec.escaping import escape_line
from runreel.codec.event_text import format_calls
from runreel.model.messages import FileChunk, Message, describe_source

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runreel.cli.render.tables import TableCell
    from runreel.model.messages import Citation
    from runreel.model.results import RunResult
    from runreel.model.runs import RunError, RunSummary
    from runreel.model.story import StoryStep


def print_run(
    summary: RunSummary, result: RunResult, story: Sequence[StoryStep] | None = None
) -> None:
    """Print a run for people, with its story if that is given."""
    tables.print_fields((*_facts(summary), *_finish_reason(result)))
    content = story is not None
    if summary.tool_calls is not None and not content:
        _section("Tool calls")
        for call in summary.tool_calls:
            line = format_calls(type(summary.tool_calls)((call,)))
            terminal.write(
                "  ", escape_line(line), ("" if call.id is None else f"  {call.id}", "dim")
            )
    if not result.is_failed:
        _print_citations(result.citations, content=content)
    if story is not None:
        story_view.print_story(story)


def _facts(run: RunSummary) -> Iterator[tuple[str, str | TableCell | None]]:
    state, style = state_cell(run)
    status = "" if run.status.name.lower() == state else f" ({run.status.name})"
    yield "Run", (run.run_id, "bold")
    yield "Status", (state + status, style)
    if run.error is not None:
        yield "Error", (_error(run.error), "red")
    yield "Recording", recording_cell(run)
    yield "Source", run.source
    yield "Assistant", run.assistant_id
    yield "Thread", run.thread_id
    yield "Model", run.model
    if run.billed_model is not None:
        yield "Billed model", run.billed_model
    if run.service_tier is not None:
        yield "Service tier", run.service_tier
    yield "Labels", ", ".join(f"{key}={value}" for key, value in run.labels.items()) or None
    yield "Created by", run.created_by
    yield "Created", time_arguments.local_time(run.created_at)
    yield "Requested", time_arguments.local_time(run.requested_at)
    yield "Started", time_arguments.local_time(run.started_at)
    yield "First text", _after(run.first_text_ms)
    yield "Finished", time_arguments.local_time(run.finished_at)
    yield "Took", duration_text(run.duration_ms)
    yield "Time zone", time_arguments.zone()[1]
    yield "Events", f"{number(run.events)} in the stream, {number(run.last_seq + 1)} rows"
    yield "Usage", _usage(run)


def _finish_reason(result: RunResult) -> Iterator[tuple[str, str | TableCell | None]]:
    """The finish reason, unless the answer simply ended."""
    message = None if result.is_failed else result.message
    reason = message.finish_reason if isinstance(message, Message) else None
    if reason not in (None, "stop", "tool_calls", "function_call"):
        yield "Finish reason", reason


def _print_citations(citations: tuple[Citation, ...], *, content: bool) -> None:
    if not citations:
        return
    _section("Citations")
    for position, citation in enumerate(citations, 1):
        for source in citation.sources:
            terminal.write(f"  [{position}] ", escape_line(describe_source(source)))
            if content and isinstance(source, FileChunk):
                for line in source.text.splitlines():
                    terminal.write("      ", (line, "dim"))


def _section(title: str) -> None:
    terminal.write("")
    terminal.write((title, "bold"))


def _error(error: RunError) -> str:
    code = "" if error.code is None else f" (code {error.code})"
    return f"{error.message or tables.UNKNOWN}{code}"


def _after(milliseconds: float | None) -> str | None:
    return None if milliseconds is None else f"after {duration_text(milliseconds)}"


def _usage(run: RunSummary) -> str | None:
    usage, details = run.usage, run.usage_details
    if usage is None:
        return None
    cached = None if details is None else details.cached_tokens
    written = None if details is None else details.cache_write_tokens
    reasoned = None if details is None else details.reasoning_tokens
    return (
        f"{number(usage.total_tokens)} tokens:"
        f" {number(usage.input_text_tokens)} in{_share(cached, 'cached')}"
        f"{_share(written, 'cache write')},"
        f" {number(usage.completion_tokens)} out{_share(reasoned, 'reasoning')}{_of_calls(run)}"
    )


def _of_calls(run: RunSummary) -> str:
    if run.calls == run.calls_with_usage:
        return ""
    return f"; of {number(run.calls_with_usage)} of {number(run.calls)} model calls"


def _share(tokens: int | None, name: str) -> str:
    return f" ({number(tokens)} {name})" if tokens else ""
