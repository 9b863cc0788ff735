"""The lines of the interactive replay, as styled texts: all that it shows of a run.

Text of models and callers is escaped here; it is never read as markup.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from runreel.cli import time_arguments
from runreel.cli.render.tables import either, ellipsis, shorten
from runreel.cli.render.wrapping import wrapped
from runreel.codec.durations import duration_text
from runreel.codec.escaping import escape_line, escape_part
from runreel.codec.event_text import event_text, format_calls
from runreel.codec.joiners import JOINERS
from runreel.model.status import RunStatus
from runreel.model.timestamps import from_micros

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runreel.model.events import StoredEvent
    from runreel.replay.run_index import Mark
    from runreel.replay.run_pages import Moment, RunPages
    from runreel.replay.stepper import Stepper

# A text and its style; those of a line.
Span = tuple[str, str]
Line = list[Span]

RED, CYAN, GREEN, YELLOW = "ansi_red", "ansi_cyan", "ansi_green", "ansi_yellow"
# The text above is read from a multiple of this number of characters on, so that its lines do not
# move while it grows.
_BLOCK = 1_024
# Characters of one text that are looked at to fill a line, or the lines of a tool call.
_LONGEST = 4_000
_NARROW = 60
_TYPE_WIDTH = 16


def fit(text: str, width: int) -> str:
    """Return a text of others as one line of at most ``width`` columns."""
    if len(text) > width:
        # Few characters take no column; what they leave free stays empty.
        text = text[:width].rstrip(JOINERS) + ellipsis()
    return shorten(escape_line(text), max(width, 1))


def duration(micros: int) -> str:
    """Format a time since the run was asked."""
    return duration_text(micros / 1_000) or ""


def heading(stepper: Stepper, moment: Moment, width: int) -> Line:
    """The line with the run, its state and the wall-clock time of the row."""
    facts, index = moment.facts, stepper.index
    unknown = facts.status is RunStatus.RUN_STATUS_UNSPECIFIED
    state = f"{'unknown' if unknown else facts.status.name.lower()}  {facts.recording}"
    at = time_arguments.local_time(from_micros(index.wall[stepper.position]), precise=True)
    right = f"  {state}" if width < _NARROW else f"  {state}  {at}"
    run_id = shorten(escape_line(index.run_id), max(width - len(right), 1), middle=True)
    return [(f"{run_id}{right}"[:width].ljust(width), "reverse")]


def text_lines(moment: Moment, width: int, height: int, scroll: int = 0) -> list[Line]:
    """The end of the text so far, with tool calls and the error: at most ``height`` lines.

    ``scroll`` is the number of lines below them that are not shown.
    """
    below = _outcome(moment, width)
    wanted = max(height + scroll - len(below), 0)
    above: list[Line] = []
    if wanted and moment.text:
        start = max(len(moment.text) - 2 * wanted * width, 0) // _BLOCK * _BLOCK
        shown = escape_part(moment.text, start, len(moment.text))
        above = [[(line, "")] for line in wrapped(shown, width)]
    lines = [*above, *below]
    end = max(len(lines) - scroll, min(height, len(lines)))
    return lines[max(end - height, 0) : end]


def _outcome(moment: Moment, width: int) -> list[Line]:
    """The tool calls that the run waits for, and its error."""
    facts, lines = moment.facts, list[Line]()
    if facts.tool_calls is not None:
        calls = f"[tool calls: {format_calls(facts.tool_calls)[:_LONGEST]}]"
        lines += [[(line, CYAN)] for line in wrapped(escape_line(calls), width)]
    if facts.error is not None or facts.error_code is not None:
        code = "" if facts.error_code is None else f" (code {facts.error_code})"
        label = f"[error: {(facts.error or 'no reason is known')[:_LONGEST]}{code}]"
        lines += [[(line, RED)] for line in wrapped(escape_line(label), width)]
    return lines


class EventLines:
    """The lines of the events around the current one."""

    def __init__(self, stepper: Stepper, pages: RunPages) -> None:
        self._stepper = stepper
        self._pages = pages
        self._cell = lru_cache(maxsize=1_024)(self._uncached_cell)
        self._marked: dict[int, str] = {}
        for mark in stepper.index.marks:
            self._marked[mark.seq] = either("\N{BLACK DIAMOND}", "*")
        self._times = max(len(duration(stepper.index.times[stepper.last])), 7) + 1
        self._numbers = len(str(stepper.last))

    def lines(self, width: int, height: int) -> list[Line]:
        """The lines of at most ``height`` events; the current one is in the middle."""
        stepper = self._stepper
        top = min(stepper.position - height // 2, stepper.last - height + 1)
        top = max(top, stepper.first)
        seqs = range(top, min(top + height, stepper.last + 1))
        return [self._line(seq, width) for seq in seqs]

    def _line(self, seq: int, width: int) -> Line:
        is_current = seq == self._stepper.position
        pointer = either("\N{BLACK RIGHT-POINTING POINTER}", ">") if is_current else " "
        begin = f"{pointer}{self._marked.get(seq, ' ')}{seq:>{self._numbers}}"
        time = f"+{duration(self._stepper.index.times[seq])}"
        begin += f" {time:>{self._times}}  "
        text, style = self._cell(seq, max(width - len(begin), 1))
        return [(begin, "bold" if is_current else "dim"), (text, f"{style}{' bold' * is_current}")]

    def _uncached_cell(self, seq: int, width: int) -> Span:
        event = self._pages.event(seq)
        type_ = fit((event.type or event.kind).lower(), _TYPE_WIDTH)
        what = _what(event)
        style = _style(event)
        if width <= _TYPE_WIDTH + 2:
            return fit(what or type_, width), style
        return f"{type_:{_TYPE_WIDTH}}  {fit(what, width - _TYPE_WIDTH - 2)}", style


def _what(event: StoredEvent) -> str:
    text = event_text(event)
    return "" if text is None else text[:_LONGEST]


def _style(event: StoredEvent) -> str:
    if event.error is not None:
        return RED
    return CYAN if event.tool_calls is not None else ""


def rule(width: int) -> Line:
    """A line between two panes."""
    return [(either("\N{BOX DRAWINGS LIGHT HORIZONTAL}", "-") * width, "dim")]


def slider(stepper: Stepper, width: int) -> Line:
    """The line that shows how far the run is: its time, with the marks, then the numbers."""
    index = stepper.index
    total = index.times[stepper.last]
    row = f"row {stepper.position}/{stepper.last}"
    label = f"  {row}  +{duration(stepper.time)}/{duration(total)}"
    size = width - len(label)
    if size < 2:
        return [(label.strip()[:width], "")]
    bar = [either("\N{BOX DRAWINGS LIGHT HORIZONTAL}", "-")] * size
    done = either("\N{BOX DRAWINGS HEAVY HORIZONTAL}", "=")
    here = _place(stepper, stepper.position, size)
    bar[:here] = [done] * here
    for mark in index.marks:
        if stepper.first <= mark.seq <= stepper.last:
            bar[_place(stepper, mark.seq, size)] = either("\N{BLACK DIAMOND}", "*")
    head = either("\N{BLACK CIRCLE}", "O")
    return [
        ("".join(bar[:here]), GREEN),
        (head, "bold"),
        ("".join(bar[here + 1 :]), "dim"),
        (label, ""),
    ]


def _place(stepper: Stepper, seq: int, size: int) -> int:
    """The column of a row: by its time or, where all rows are at one time, by its number."""
    times, first, last = stepper.index.times, stepper.first, stepper.last
    begin, end, at = times[first], times[last], times[seq]
    if end == begin:
        begin, end, at = first, max(last, first + 1), seq
    return (at - begin) * (size - 1) // (end - begin)


def status(stepper: Stepper, message: str, width: int) -> Line:
    """The last line: what it does, at which speed, what is special about the row, or a message."""
    if stepper.playing:
        doing = "playing"
    else:
        doing = "end" if stepper.position == stepper.last else "paused"
    begin = f"{doing} {stepper.speed:g}x"
    end = "  ? help  q quit"
    label = message or ", ".join(map(_mark_text, stepper.marks())) or _clock(stepper)
    room = width - len(begin) - len(end) - 2
    if room < len(label) and width < _NARROW:
        room, end = width - len(begin) - 2, ""
    shown = fit(label, room) if room > 0 else ""
    style = YELLOW if message else ""
    return [(begin, "bold"), (f"  {shown}", style), (end, "dim")]


def _mark_text(mark: Mark) -> str:
    if mark.gap_ms is None:
        return mark.what
    return f"{mark.what} {duration_text(mark.gap_ms)}"


def _clock(stepper: Stepper) -> str:
    if stepper.index.problem is not None:
        return stepper.index.problem
    return {"recorded": "", "source": "times of the source", "even": "times unknown"}[
        stepper.index.clock
    ]


def help_lines(keys: Sequence[tuple[str, str]]) -> list[Line]:
    """The lines of the help: each key with what it does."""
    width = max(len(key) for key, _ in keys)
    return [[(key.ljust(width), "bold"), (f"  {what}", "")] for key, what in keys]
