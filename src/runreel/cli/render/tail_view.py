"""Print events as they come: as lines, as running text on a terminal, as JSON and CSV."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from runreel.cli import time_arguments
from runreel.cli.render import tables, terminal
from runreel.cli.render.list_views import EVENTS
from runreel.cli.render.output import json_text
from runreel.cli.render.replay_renderers import RunningText
from runreel.codec import csv_rows
from runreel.codec.escaping import escape_line
from runreel.codec.event_text import event_text
from runreel.model.events import NOTE, STREAM_EVENT, StoredEvent
from runreel.model.selection import PROBLEMS
from runreel.query.followed_run import GONE, STALE, TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from runreel.cli.render.json_views import JsonObject
    from runreel.cli.render.output import Output
    from runreel.query.followed_run import End

    Items = Iterable[StoredEvent | End]

# Columns of the lines; a longer value moves the rest of its line.
_RUN, _SEQ, _TYPE = 16, 5, 15
_UNKNOWN = "-"


class _Printer(Protocol):
    """Prints events and ends, each at once."""

    def event(self, event: StoredEvent) -> None:
        """Print an event."""

    def end(self, end: End) -> None:
        """Print the end of a run, or of the follow."""

    def close(self) -> None:
        """End the output, also after an error."""


def print_tail(output: Output, items: Items, *, several: bool) -> End:
    """Print all items as they come; return the last one, which is the end of the follow."""
    ends: list[End] = []
    if output.format == "json":
        output.report(EVENTS, _events(items, ends), "items", lambda _: {"end": _value(ends[-1])})
        return ends[-1]
    printer = _printer(output, several=several)
    try:
        for item in items:
            if isinstance(item, StoredEvent):
                printer.event(item)
                continue
            ends.append(item)
            printer.end(item)
            _print_notice(item)
    finally:
        printer.close()
    return ends[-1]


def _events(items: Items, ends: list[End]) -> Iterator[StoredEvent]:
    for item in items:
        if isinstance(item, StoredEvent):
            yield item
            terminal.flush()
        else:
            ends.append(item)
            _print_notice(item)


def _printer(output: Output, *, several: bool) -> _Printer:
    if output.format == "jsonl":
        return _JsonLines()
    if output.format == "csv":
        return _CsvRows()
    if terminal.is_terminal() and not several:
        return _Running()
    return _Lines(several=several)


def _value(end: End) -> JsonObject:
    status = None if end.status is None else end.status.name
    values = {"run_id": end.run_id, "status": status, "recording": end.recording}
    return {"type": "end", **values, "state": end.state}


def _print_notice(end: End) -> None:
    """Say why nothing more comes, unless the run is over."""
    if end.reason == GONE:
        terminal.write_notice(escape_line(f"R{(end.message or '')[1:]}."))
    elif end.reason == STALE:
        terminal.write_notice(
            f"The process that recorded run {escape_line(end.run_id or '')} is gone;"
            " `runreel recover` ends the recording."
        )
    elif end.reason == TIMEOUT:
        terminal.write_notice("Nothing new within the timeout.")


class _JsonLines:
    """A line of JSON for each item."""

    def event(self, event: StoredEvent) -> None:
        terminal.write(json_text(EVENTS.value(event)), flush=True)

    def end(self, end: End) -> None:
        terminal.write(json_text(_value(end)), flush=True)

    def close(self) -> None: ...


class _CsvRows:
    """A row for each event."""

    def __init__(self) -> None:
        terminal.write_raw(csv_rows.header(EVENTS.fields))

    def event(self, event: StoredEvent) -> None:
        terminal.write_raw(csv_rows.row(EVENTS.value(event), EVENTS.fields))
        terminal.flush()

    def end(self, end: End) -> None: ...

    def close(self) -> None: ...


class _Lines:
    """A line for each event, with its run if there are several."""

    def __init__(self, *, several: bool) -> None:
        self._several = several
        self._begun = False

    def _begin(self) -> None:
        """Print the heading before the first line."""
        if self._begun:
            return
        self._begun = True
        at = f"AT ({time_arguments.zone()[1]})"
        heading = [f"{'SEQ':>{_SEQ}}", f"{escape_line(at):{_AT}}", f"{'TYPE':{_TYPE}}", "WHAT"]
        run = [f"{'RUN':{_RUN}}"] if self._several else []
        terminal.write(("  ".join([*run, *heading]), "bold"), flush=True)

    def event(self, event: StoredEvent) -> None:
        begin = self.place(event)
        text, style = _what(event)
        if terminal.is_terminal():
            text = tables.shorten(text, max(terminal.width() - len(begin) - 2, _TYPE))
        content = ("  ", (text, style)) if text else ()
        terminal.write((begin if text else begin.rstrip(), "dim"), *content, flush=True)

    def place(self, event: StoredEvent) -> str:
        """The columns before the content; the first call prints the heading."""
        self._begin()
        at = time_arguments.local_time(event.at, precise=True) or _UNKNOWN
        name = escape_line(event.type or event.kind)
        run = f"{escape_line(event.run_id):{_RUN}}  " if self._several else ""
        return f"{run}{event.seq:>{_SEQ}}  {at:{_AT}}  {name:{_TYPE}}"

    def end(self, end: End) -> None:
        if end.run_id is None:
            return
        run = escape_line(end.run_id)
        word = end.state or _UNKNOWN
        terminal.write(
            f"{run:{_RUN}}  end: " if self._several else f"Run {run}: ",
            (word, "red" if word in PROBLEMS else None),
            f", recording {end.recording}",
            flush=True,
        )

    def close(self) -> None: ...


class _Running(_Lines):
    """The text of one run as it grows, and a line for each other event."""

    def __init__(self) -> None:
        super().__init__(several=False)
        self._text = RunningText()
        self._type: str | None = None

    def event(self, event: StoredEvent) -> None:
        if not _is_text(event):
            self._type = None
            self._text.end()
            super().event(event)
            return
        text, added = event.text or "", event.added or ""
        before = text[: len(text) - len(added)]
        if self._type != event.type or before != self._text.text:
            self._text.go_on_after(before)
            terminal.write((self.place(event).rstrip(), "dim"))
        self._type = event.type
        self._text.show(text)

    def end(self, end: End) -> None:
        self._text.end()
        super().end(end)

    def close(self) -> None:
        self._text.end()


# The width of a time.
_AT = 23


def _is_text(event: StoredEvent) -> bool:
    other = event.error is not None or event.tool_calls is not None
    return bool(event.added) and event.kind == STREAM_EVENT and not other


def _what(event: StoredEvent) -> tuple[str, str | None]:
    text = event_text(event)
    if text is None:
        return _UNKNOWN, "dim"
    style = "cyan" if event.tool_calls is not None else "dim" if event.kind == NOTE else None
    return escape_line(text), "red" if event.error is not None else style


def exit_code(end: End) -> int:
    """Return 0 if nothing more can come or was waited for, else 1."""
    return 1 if end.reason in (GONE, STALE, TIMEOUT) else 0
