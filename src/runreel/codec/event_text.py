"""Events and tool calls in one line of text each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.codec.json_objects import text
from runreel.model.events import NOTE, RUN, STREAM_EVENT

if TYPE_CHECKING:
    from runreel.model.events import StoredEvent
    from runreel.model.results import ToolCallList


def format_calls(calls: ToolCallList) -> str:
    """Format tool calls as ``name(key=value); …``."""
    formatted = []
    for call in calls:
        if call.function is None:
            formatted.append("?()")
        else:
            arguments = ", ".join(
                f"{key}={text(value)}" for key, value in call.function.arguments.items()
            )
            formatted.append(f"{call.function.name}({arguments})")
    return "; ".join(formatted)


def event_text(event: StoredEvent) -> str | None:
    """Summarise an event; None if it has nothing to show."""
    if event.error is not None:
        return event.error
    if event.tool_calls is not None:
        return format_calls(event.tool_calls)
    if event.added:
        return event.added
    if event.kind in (RUN, STREAM_EVENT):
        return None if event.raw is None else ""
    if event.kind == NOTE and isinstance(event.raw, dict):
        return ", ".join(f"{key} {text(value)}" for key, value in event.raw.items())
    return None if event.raw is None else text(event.raw)
