"""Print the events of a replay at their times."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from runreel.cli import time_arguments
from runreel.cli.render import json_views, terminal
from runreel.cli.render.output import json_text
from runreel.codec.escaping import escape_line
from runreel.codec.event_text import format_calls
from runreel.codec.joiners import stable_length
from runreel.replay.player import timed_events

if TYPE_CHECKING:
    from collections.abc import Callable

    from runreel.model.events import StoredEvent
    from runreel.model.timeline import Timeline

# time.sleep fails for a delay of centuries, and a faulty clock of a source may imply one.
_LONGEST = 10_000_000.0


class RunningText:
    """Prints a text as it grows; one that changes otherwise begins a new line."""

    def __init__(self) -> None:
        self.text = ""
        self._shown = 0
        self._line_open = False

    def go_on_after(self, text: str) -> None:
        """Print only what follows ``text``, on a new line."""
        self.end()
        self.text, self._shown = text, len(text)

    def show(self, text: str) -> None:
        """Print what was added to the text since the last call."""
        if text == self.text:
            return
        if not text.startswith(self.text):
            self.end()
            self._shown = 0
        self.text = text
        self._add(stable_length(text))

    def end(self) -> None:
        """Print text that was held back, and end the line."""
        self._add(len(self.text))
        if self._line_open:
            terminal.write("", flush=True)
            self._line_open = False

    def _add(self, stop: int) -> None:
        if stop <= self._shown:
            return
        terminal.write_part(self.text, self._shown, stop)
        self._line_open = self.text[stop - 1] != "\n"
        self._shown = stop


class DeltaRenderer:
    """Prints text as it grows; tool calls and errors go on separate lines in brackets."""

    def __init__(self) -> None:
        self._running = RunningText()

    def show(self, event: StoredEvent) -> None:
        """Print the addition of the event."""
        if event.text is not None:
            self._running.show(event.text)
        if event.tool_calls is not None:
            self._print_bracketed(f"tool calls: {format_calls(event.tool_calls)}", "cyan")
        if event.error is not None:
            self._print_bracketed(f"error: {event.error}", "red")

    def end(self) -> None:
        """Print text that was held back, and end the line."""
        self._running.end()

    def _print_bracketed(self, text: str, style: str) -> None:
        self.end()
        terminal.write((f"[{escape_line(text)}]", style), flush=True)


class CumulativeRenderer:
    """Prints each event with the whole text so far."""

    def show(self, event: StoredEvent) -> None:
        """Print the event."""
        at = time_arguments.local_time(event.at, precise=True)
        terminal.write((f"--- {event.seq} {escape_line(event.type or event.kind)} {at}", "dim"))
        if event.text is not None:
            terminal.write(event.text)
        if event.tool_calls is not None:
            terminal.write((f"[tool calls: {escape_line(format_calls(event.tool_calls))}]", "cyan"))
        if event.error is not None:
            terminal.write((f"[error: {escape_line(event.error)}]", "red"))
        terminal.flush()

    def end(self) -> None:
        """Do nothing: each event is printed completely."""


class JsonRenderer:
    """Prints each event as a line of JSON."""

    def show(self, event: StoredEvent) -> None:
        """Print the event."""
        terminal.write(json_text(json_views.event(event)), flush=True)

    def end(self) -> None:
        """Do nothing: each event is printed completely."""


Renderer = DeltaRenderer | CumulativeRenderer | JsonRenderer
RENDERERS: dict[str, Callable[[], Renderer]] = {
    "delta": DeltaRenderer,
    "cumulative": CumulativeRenderer,
    "jsonl": JsonRenderer,
}


def play(
    timeline: Timeline,
    renderer: Renderer,
    *,
    speed: float = 1.0,
    max_gap: float | None = None,
    instant: bool = False,
) -> None:
    """Show each event at its time; after a delay by a slow terminal, later events catch up."""
    steps = timed_events(timeline, speed=speed, max_gap=max_gap, instant=instant)
    show_at = time.monotonic()
    try:
        for pause, event in steps:
            show_at += pause
            time.sleep(min(max(0.0, show_at - time.monotonic()), _LONGEST))
            renderer.show(event)
    finally:
        renderer.end()
