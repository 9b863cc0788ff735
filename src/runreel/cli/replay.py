"""``runreel replay``: the stream of a run once more, as it came."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from runreel.cli import jsonify, options, terminal, times
from runreel.cli.events import calls_line
from runreel.cli.output import json_line
from runreel.cli.safe import safe_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from runreel.reel import Reel
    from runreel.replay import Timeline
    from runreel.words.log import StoredEvent

_CLOCKS = {
    "recorded": None,
    "source": "The timing is the source's own: this run was imported.",
    "even": "Nothing is known of the timing: the events come at even intervals.",
}
# time.sleep refuses more than some centuries; a source's clock may claim them.
_LONGEST = 10_000_000.0


class Delta:
    """Prints text as it grows, and what else happens in brackets on lines of its own."""

    def __init__(self) -> None:
        self._text = ""
        self._line_open = False

    def show(self, event: StoredEvent) -> None:
        """Print what the event added."""
        if event.text is not None and event.text != self._text:
            grown = event.text.startswith(self._text)
            if not grown:
                self.end()
            self._print(event.text[len(self._text) :] if grown else event.text)
            self._text = event.text
        if event.tool_calls is not None:
            self._say(f"tool calls: {calls_line(event.tool_calls)}", "cyan")
        if event.error is not None:
            self._say(f"error: {event.error}", "red")

    def end(self) -> None:
        """Begin a new line, unless one is begun."""
        if self._line_open:
            terminal.out("", flush=True)
            self._line_open = False

    def _print(self, text: str) -> None:
        terminal.out(text, end="", flush=True)
        self._line_open = not text.endswith("\n")

    def _say(self, text: str, style: str) -> None:
        self.end()
        terminal.out((f"[{safe_line(text)}]", style), flush=True)


class Cumulative:
    """Prints each event with the whole text so far."""

    def show(self, event: StoredEvent) -> None:
        """Print the event."""
        at = times.local(event.at, precise=True)
        terminal.out((f"--- {event.seq} {safe_line(event.type or event.kind)} {at}", "dim"))
        if event.text is not None:
            terminal.out(event.text)
        if event.tool_calls is not None:
            terminal.out((f"[tool calls: {safe_line(calls_line(event.tool_calls))}]", "cyan"))
        if event.error is not None:
            terminal.out((f"[error: {safe_line(event.error)}]", "red"))
        terminal.flush()

    def end(self) -> None:
        """Nothing is left open."""


class Lines:
    """Prints each event as a line of JSON, the moment it comes."""

    def show(self, event: StoredEvent) -> None:
        """Print the event."""
        terminal.out(json_line(jsonify.event(event)), flush=True)

    def end(self) -> None:
        """Nothing is left open."""


Renderer = Delta | Cumulative | Lines
RENDERERS: dict[str, Callable[[], Renderer]] = {
    "delta": Delta,
    "cumulative": Cumulative,
    "jsonl": Lines,
}


@click.command(
    "replay",
    epilog=options.examples("""
runreel replay latest
runreel replay latest --speed 10 --max-gap 1
runreel replay demo-20251231 --instant --render jsonl
"""),
)
@options.run_argument
@click.option("--speed", type=float, default=1.0, metavar="X", help="So many times as fast.")
@click.option("--max-gap", type=float, metavar="SECONDS", help="No pause longer than this.")
@click.option("--instant", is_flag=True, help="No pauses at all.")
@options.seqs
@click.option(
    "--render",
    type=click.Choice(tuple(RENDERERS)),
    default="delta",
    help="What is new, the whole text each time, or JSON lines.",
)
@click.option("--loop", is_flag=True, help="Again and again, until Ctrl-C.")
@options.reel()
def replay_command(  # noqa: PLR0913 - one for each option
    reel: Reel,
    *,
    run: str,
    speed: float,
    max_gap: float | None,
    instant: bool,
    start: int,
    stop: int | None,
    render: str,
    loop: bool,
) -> None:
    """Replay the stream of a run with its timing.

    --from is inclusive, --to is not. A gap is capped first and divided by the speed then. Where
    the timing is not as it was received, stderr says whose it is.
    """
    timeline = reel.timeline(reel.resolve(run), start=start, stop=stop)
    if not timeline.times:
        terminal.note("No stream events.")
        return
    clock = _CLOCKS[timeline.clock]
    if clock and not instant:
        terminal.note((clock, "dim"))
    while True:
        play(timeline, RENDERERS[render](), speed=speed, max_gap=max_gap, instant=instant)
        if not loop:
            return


def play(
    timeline: Timeline,
    renderer: Renderer,
    *,
    speed: float = 1.0,
    max_gap: float | None = None,
    instant: bool = False,
) -> None:
    """Show each event when it is due. Late by a slow terminal, the next ones catch up."""
    from runreel.replay import paced

    steps: Iterable[tuple[float, StoredEvent]] = paced(
        timeline, speed=speed, max_gap=max_gap, instant=instant
    )
    due = time.monotonic()
    try:
        for pause, event in steps:
            due += pause
            time.sleep(min(max(0.0, due - time.monotonic()), _LONGEST))
            renderer.show(event)
    finally:
        renderer.end()
