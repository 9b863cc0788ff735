"""The interactive replay on a terminal: panes, keys and the clock."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, ClassVar

from textual.app import App
from textual.containers import Horizontal
from textual.filter import NoColor
from textual.widgets import Input

from runreel.cli.interactive import drawing
from runreel.cli.interactive.help_screen import HelpScreen
from runreel.cli.interactive.keys import BINDINGS
from runreel.cli.interactive.pane import Pane
from runreel.model.errors import RunreelError, UsageError
from runreel.model.search import PARTS
from runreel.replay.run_pages import RunPages

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.filter import LineFilter
    from textual.timer import Timer

    from runreel.api.reel import Reel
    from runreel.cli.interactive.drawing import Line
    from runreel.replay.stepper import Stepper

# Seconds between two screens at least.
_FRAME = 1 / 30
_SIGNS = {"/": "text to search", ":": "row, or time such as +1:30"}


class StepperApp(App[None]):
    """Steps through a run; ``failure`` is the error that ended it, ``signal`` the signal."""

    ENABLE_COMMAND_PALETTE = False
    AUTO_FOCUS = None
    BINDINGS: ClassVar[list[BindingType]] = [*BINDINGS]
    CSS = """
    Pane { height: 1; text-wrap: nowrap; }
    #text { height: 3fr; min-height: 2; }
    #events { height: 2fr; min-height: 2; }
    #prompt { height: 1; display: none; }
    #sign { width: 1; }
    #entry { width: 1fr; border: none; height: 1; padding: 0; background: transparent; }
    """

    def __init__(
        self,
        reel: Reel,
        stepper: Stepper,
        *,
        playing: bool = True,
        colors: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._reel = reel
        self.stepper = stepper
        self._pages = RunPages(reel.db, stepper.index.run_id, len(stepper.index.times))
        self._moment = self._pages.at(stepper.position)
        self._events = drawing.EventLines(stepper, self._pages)
        self._starts_playing = playing
        self._clock = clock
        self._timer: Timer | None = None
        self._scroll = 0
        self._asks = ""
        self._snippets: dict[int, str] = {}
        self.message = ""
        self.failure: Exception | None = None
        self.signal = 0
        # A theme with the colours of the terminal.
        self.theme = "ansi-dark"
        self._colors = colors

    def compose(self) -> ComposeResult:
        """Lay out the panes, from top to bottom."""
        yield Pane(self._heading, "heading")
        yield Pane(self._text, "text")
        yield Pane(self._rule, "rule")
        yield Pane(self._events.lines, "events")
        yield Pane(self._slider, "slider")
        yield Pane(self._status, "status")
        with Horizontal(id="prompt"):
            yield Pane(lambda _width, _height: [[(self._asks, "bold")]], "sign")
            yield Input(id="entry", compact=True, select_on_focus=False)

    def on_mount(self) -> None:
        """Begin to play."""
        self.query_one("#entry", Input).can_focus = False
        self.app_suspend_signal.subscribe(self, lambda _: self.stepper.pause(), immediate=True)
        self.app_resume_signal.subscribe(self, lambda _: self._resumed())
        if self._starts_playing:
            self.action_play()

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Return what changes the styles of all lines: nothing, or leave out colours."""
        filters = super().get_line_filters()
        return filters if self._colors else [*filters, NoColor()]

    def _handle_exception(self, error: Exception) -> None:
        self.failure = self.failure or error
        super()._handle_exception(error)

    def _fatal_error(self) -> None:
        # Textual would print the values of variables, which are not escaped.
        self._close_messages_no_wait()

    def stop(self, number: int) -> None:
        """End because of a signal."""
        self.signal = number
        self.exit()

    def _resumed(self) -> None:
        """Draw everything again: meanwhile, others have used the terminal."""
        self._moved()
        self.screen.refresh(layout=True)
        self.refresh(repaint=True, layout=True)

    def action_play(self) -> None:
        """Play, or pause."""
        if self.stepper.playing:
            self._tick()
            self.stepper.pause()
        else:
            self.stepper.play(self._clock())
        self._moved()

    def action_step(self, rows: int) -> None:
        """Move by some rows."""
        self.stepper.step(rows)
        self._moved()

    def action_end(self, direction: int) -> None:
        """Move to the first row (-1) or to the last one (1)."""
        self.stepper.go(self.stepper.last if direction > 0 else self.stepper.first)
        self._moved()

    def action_mark(self, direction: int) -> None:
        """Move to the mark before or after."""
        found = self.stepper.next_mark(direction)
        self._moved("" if found else "no mark " + ("after this row" if direction > 0 else "before"))

    def action_hit(self, direction: int) -> None:
        """Move to the hit before or after."""
        found = self.stepper.next_hit(direction)
        self._moved(self._hit() if found else "nothing was searched yet: press /")

    def action_speed(self, factor: float) -> None:
        """Play faster or slower."""
        self.stepper.faster(factor, self._clock())
        self._schedule()
        self._redraw()

    def action_scroll(self, direction: int) -> None:
        """Scroll the text by a page, upwards if ``direction`` is 1."""
        pane = self.query_one("#text", Pane)
        width, height = pane.size
        scroll = max(self._scroll + direction * max(height - 1, 1), 0)
        shown = drawing.text_lines(self._moment, width, height, scroll)
        # At the beginning of the text, there is nothing more to scroll.
        if direction < 0 or shown != drawing.text_lines(self._moment, width, height, self._scroll):
            self._scroll = scroll
        self._redraw()

    def action_ask(self, sign: str) -> None:
        """Ask what to search for, or where to go."""
        self.stepper.pause()
        self._asks = sign
        entry = self.query_one("#entry", Input)
        entry.value, entry.placeholder = "", _SIGNS[sign]
        self._show_prompt(shown=True)

    def action_cancel(self) -> None:
        """Leave the prompt, or the message."""
        self._show_prompt(shown=False)
        self._moved()

    def action_help(self) -> None:
        """Show the keys."""
        self.stepper.pause()
        self._moved()
        self.push_screen(HelpScreen())

    def action_interrupt(self) -> None:
        """End as Ctrl-C does."""
        import signal

        self.stop(signal.SIGINT)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Do what was asked for."""
        self._show_prompt(shown=False)
        if not event.value:
            self._moved()
        elif self._asks == "/":
            self._moved("searching")
            self.run_worker(self._search(event.value), exclusive=True)
        else:
            self._go_to(event.value)

    def _go_to(self, place: str) -> None:
        try:
            self.stepper.go_to(place)
        except UsageError as error:
            self._moved(str(error))
        else:
            self._moved()

    async def _search(self, text: str) -> None:
        problems: list[str] = []
        try:
            self._snippets = await asyncio.to_thread(self._find, text, problems.append)
        except RunreelError as error:
            self._moved(str(error))
            return
        found = self.stepper.find(self._snippets)
        self._moved(self._hit() if found else "; ".join(problems) or "not found")

    def _find(self, text: str, report: Callable[[str], None]) -> dict[int, str]:
        """Return the rows that complete an occurrence, each with its text; takes long."""
        found: dict[int, str] = {}
        run_ids = [self.stepper.index.run_id]
        for match in self._reel.search(text, run_ids=run_ids, in_=PARTS, on_problem=report):
            found.setdefault(match.seq, f"{match.in_}: {match.snippet}")
        return found

    def _hit(self) -> str:
        hits, position = self.stepper.hits, self.stepper.position
        snippet = self._snippets.get(position, "")
        return f"{hits.index(position) + 1}/{len(hits)} {snippet}"

    def _show_prompt(self, *, shown: bool) -> None:
        entry = self.query_one("#entry", Input)
        entry.can_focus = shown
        self.query_one("#prompt").display = shown
        self.query_one("#status").display = not shown
        self.set_focus(entry if shown else None)
        self._redraw()

    def _tick(self) -> None:
        if self.stepper.advance(self._clock()) or not self.stepper.playing:
            self._moved()
        else:
            self._schedule()

    def _schedule(self) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        wait = self.stepper.wait(self._clock())
        if wait is not None:
            self._timer = self.set_timer(max(wait, _FRAME), self._tick)

    def _moved(self, message: str = "") -> None:
        """Show the current row, and go on to play."""
        self.message = message
        self._scroll = 0
        self._moment = self._pages.at(self.stepper.position)
        self._schedule()
        self._redraw()

    def _redraw(self) -> None:
        for pane in self.query(Pane):
            pane.refresh()

    def _heading(self, width: int, _height: int) -> list[Line]:
        return [drawing.heading(self.stepper, self._moment, width)]

    def _text(self, width: int, height: int) -> list[Line]:
        return drawing.text_lines(self._moment, width, height, self._scroll)

    def _rule(self, width: int, _height: int) -> list[Line]:
        return [drawing.rule(width)]

    def _slider(self, width: int, _height: int) -> list[Line]:
        return [drawing.slider(self.stepper, width)]

    def _status(self, width: int, _height: int) -> list[Line]:
        return [drawing.status(self.stepper, self.message, width)]
