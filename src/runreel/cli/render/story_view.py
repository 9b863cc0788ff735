"""The story of a run, as JSON and for people."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from runreel.cli.render import json_views, terminal
from runreel.cli.render.wrapping import wrapped
from runreel.codec.durations import duration_text
from runreel.codec.escaping import escape, escape_line
from runreel.codec.event_text import format_calls
from runreel.codec.json_values import as_object, text_in
from runreel.model.results import FunctionCall, ToolCall, ToolCallList
from runreel.model.story import (
    AskedMessage,
    ErrorStep,
    NoteStep,
    ReasoningStep,
    RequestStep,
    TextStep,
    ToolCallStep,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from runreel.cli.render.json_views import JsonObject
    from runreel.model.story import StoryStep

# A line of a step: its text and style.
Line = tuple[str, str | None]

_TITLES: dict[str, Line] = {
    "request": ("Request", "bold cyan"),
    "reasoning": ("Reasoning", "dim"),
    "text": ("Text", "bold"),
    "tool_call": ("Tool call", "bold yellow"),
    "error": ("Error", "bold red"),
    "note": ("Note", "dim"),
}
_INDENT = "  "


def step_value(step: StoryStep) -> JsonObject:
    """Convert a step to its JSON object."""
    names = [field.name for field in fields(step)]
    values = {name: getattr(step, name) for name in names}
    if isinstance(step, RequestStep):
        values["items"] = None if step.items is None else list(step.items)
        values["messages"] = [
            {"role": message.role, "text": message.text} for message in step.messages
        ]
    return {"step": step.step, **{name: json_views.plain(item) for name, item in values.items()}}


def print_story(steps: Iterable[StoryStep]) -> None:
    """Print each step with its time, its title and its content below."""
    width = terminal.width() - len(_INDENT) if terminal.is_terminal() else None
    for step in steps:
        terminal.write("")
        terminal.write(_TITLES[step.step], (f"  {_since(step)}", "dim"), (_more(step), "dim"))
        for text, style in _lines(step):
            for line in wrapped(escape(text), width):
                terminal.write(_INDENT if line else "", (line, style))


def _since(step: StoryStep) -> str:
    return f"row {step.seq}" if step.delta_ms is None else f"+{duration_text(step.delta_ms)}"


def _more(step: StoryStep) -> str:
    if isinstance(step, RequestStep) and step.repeated:
        return f"  after {terminal.counted(step.repeated, 'earlier item')}"
    if isinstance(step, ToolCallStep) and step.id is not None:
        return f"  {escape_line(step.id)}"
    return ""


def _lines(step: StoryStep) -> Iterator[Line]:
    match step:
        case RequestStep():
            yield from _request(step)
        case TextStep():
            yield step.text, None
        case ReasoningStep():
            yield step.text, "dim"
        case ToolCallStep():
            yield from _call(step)
        case ErrorStep():
            code = "" if step.code is None else f" (code {step.code})"
            yield f"{step.message or 'no reason is known'}{code}", "red"
        case NoteStep():
            yield step.text, None


def _request(step: RequestStep) -> Iterator[Line]:
    for message in step.messages:
        yield from _message(message)
    if step.items is None:
        yield "its content is not in the log", "dim"
    elif not step.items:
        yield "nothing new", "dim"
    elif not step.messages:
        kinds = ", ".join(map(_kind, step.items))
        yield f"{terminal.counted(len(step.items), 'new item')}: {kinds}", "dim"


def _kind(item: object) -> str:
    value = as_object(item)
    return text_in(value, "type") or text_in(value, "role") or "?"


def _message(message: AskedMessage) -> Iterator[Line]:
    yield f"{message.role}: {message.text}", None


def _call(step: ToolCallStep) -> Iterator[Line]:
    function = None if step.name is None else FunctionCall(step.name, step.arguments or {})
    yield format_calls(ToolCallList((ToolCall(step.id, function),))), None
    if not step.complete:
        yield "the model did not finish this call", "red"
    if step.result_seq is None:
        yield "no result came", "dim"
        return
    took = ""
    if step.result_delta_ms is not None and step.delta_ms is not None:
        took = f" after {duration_text(step.result_delta_ms - step.delta_ms)}"
    yield f"result{took}:", "dim"
    result = step.result
    yield result if isinstance(result, str) else json_views.text(result), "green"
