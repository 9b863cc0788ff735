"""The differences of two runs, as JSON and for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.cli.render import json_views, shapes_look, tables, terminal
from runreel.cli.render.tables import Column
from runreel.codec.durations import duration_text
from runreel.codec.escaping import escape, escape_line
from runreel.model.run_diff import ADDED, CHANGED, REMOVED, SAME
from runreel.projection import word_diff

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from runreel.cli.render.json_views import JsonObject
    from runreel.cli.render.terminal import StyledText
    from runreel.model.run_diff import (
        CallChange,
        NumbersDiff,
        RequestChange,
        RequestDiff,
        RunDiff,
        TextChange,
        TextDiff,
        ToolsDiff,
        ValueChange,
    )

# Characters of unchanged text that are printed around a change.
_AROUND = 60
_SIGNS = {SAME: "=", CHANGED: "~", ADDED: "+", REMOVED: "-"}
_STYLES = {SAME: "dim", CHANGED: "yellow", ADDED: "green", REMOVED: "red"}


def value(found: RunDiff) -> JsonObject:
    """Convert the differences to their JSON object."""
    return {
        "a": found.a,
        "b": found.b,
        "same": found.same,
        "request": found.request
        and {
            "same": found.request.same,
            "changes": [
                json_views.fill(shapes_look.REQUEST_CHANGE, change)
                for change in found.request.changes
            ],
        },
        "tools": found.tools
        and {"same": found.tools.same, "calls": list(map(_call_value, found.tools.calls))},
        "text": found.text
        and {"same": found.text.same, "changes": list(map(_text_value, found.text.changes))},
        "usage": found.usage and _numbers_value(found.usage),
        "timing": found.timing and _numbers_value(found.timing),
    }


def _call_value(call: CallChange) -> JsonObject:
    changes = {
        name: [json_views.fill(shapes_look.VALUE_CHANGE, change) for change in listed]
        for name, listed in (("arguments", call.arguments), ("result", call.result))
    }
    return json_views.fill(shapes_look.CALL_CHANGE, call, **changes)


def _text_value(change: TextChange) -> JsonObject:
    return json_views.fill(shapes_look.TEXT_CHANGE, change, a=list(change.a), b=list(change.b))


def _numbers_value(found: NumbersDiff) -> JsonObject:
    return {"same": found.same, "a": found.a, "b": found.b, "difference": found.difference}


def print_diff(found: RunDiff, a: str, b: str) -> None:
    """Print each compared part: that it is the same, or its differences.

    Where both runs have the same ID, ``a`` and ``b`` are what the user calls them.
    """
    names = ("", "") if found.a != found.b or a == b else (f"  {a}", f"  {b}")
    terminal.write(("A  ", "red"), escape_line(found.a + names[0]))
    terminal.write(("B  ", "green"), escape_line(found.b + names[1]))
    if found.request is not None:
        _section("Request", same=found.request.same)
        _print_request(found.request)
    if found.tools is not None:
        _section("Tools", same=found.tools.same)
        _print_tools(found.tools)
    if found.text is not None:
        _section("Text", same=found.text.same)
        _print_text(found.text)
    for title, numbers in (("Usage", found.usage), ("Timing", found.timing)):
        if numbers is not None:
            _section(title, same=numbers.same)
            _print_numbers(numbers)


def _section(title: str, *, same: bool) -> None:
    terminal.write("")
    terminal.write(
        (title, "bold"), ("  same" if same else "  differs", "dim" if same else "yellow")
    )


def _print_request(found: RequestDiff) -> None:
    for change in found.changes:
        _print_change(change, _request_name(change))


def _request_name(change: RequestChange) -> str:
    call = f"request {change.call + 1}" if change.call or not change.pointer else ""
    return f"{call} {change.pointer}".strip()


def _print_tools(found: ToolsDiff) -> None:
    if found.same:
        return
    for call in found.calls:
        rows = " ".join(
            f"{side} row {row}" for side, row in (("A", call.a), ("B", call.b)) if row is not None
        )
        style = _STYLES[call.change]
        name = escape_line(call.name or tables.UNKNOWN)
        terminal.write((f"  {_SIGNS[call.change]} {name}", style), (f"  {rows}", "dim"))
        for change in call.arguments:
            _print_change(change, f"arguments {change.pointer}".strip(), indent="      ")
        for change in call.result:
            _print_change(change, f"result {change.pointer}".strip(), indent="      ")


def _print_change(change: ValueChange | RequestChange, name: str, *, indent: str = "  ") -> None:
    sign = _SIGNS[change.change]
    title = f"{indent}{sign} {escape_line(name)}: "
    if isinstance(change.a, str) and isinstance(change.b, str):
        changes = word_diff.text_changes(change.a, change.b)
        for number, line in enumerate(_lines(change.a, changes)):
            blank = " " * len(title)
            terminal.write((title if number == 0 else blank, _STYLES[CHANGED]), *line)
        return
    parts: list[StyledText] = [(title, _STYLES[change.change])]
    if change.change != ADDED:
        parts.append((f"[-{json_views.text(change.a)}-]", "red"))
    if change.change != REMOVED:
        parts.append((f"{{+{json_views.text(change.b)}+}}", "green"))
    terminal.write(*parts)


def _print_text(found: TextDiff) -> None:
    for line in _lines(found.a, found.changes):
        indent = "  " if any(text for text, _ in line) else ""
        terminal.write(indent, *line)


def _lines(a: str, changes: Iterable[TextChange]) -> Iterator[list[tuple[str, str | None]]]:
    """Yield a text with its changes, in lines; what is far from all changes is left out."""
    line: list[tuple[str, str | None]] = []
    for text, style in _marked(a, list(changes)):
        first, *rest = escape(text).split("\n")
        line.append((first, style))
        for part in rest:
            yield line
            line = [(part, style)]
    if line:
        yield line


def _marked(a: str, changes: list[TextChange]) -> Iterator[tuple[str, str | None]]:
    end = 0
    for number, change in enumerate(changes):
        yield _shortened(a[end : change.a[0]], at_start=number == 0), None
        if change.a_text:
            yield f"[-{change.a_text}-]", "red"
        if change.b_text:
            yield f"{{+{change.b_text}+}}", "green"
        end = change.a[1]
    if changes:
        yield _shortened(a[end:], at_end=True), None


def _shortened(text: str, *, at_start: bool = False, at_end: bool = False) -> str:
    if len(text) <= 2 * _AROUND:
        return text
    before = "" if at_start else text[:_AROUND]
    after = "" if at_end else text[-_AROUND:]
    return f"{before} ... {after}"


def _print_numbers(found: NumbersDiff) -> None:
    names = [name for name in found.a if found.a[name] is not None or found.b[name] is not None]
    if found.same or not names:
        return
    times = names[0].endswith("_ms")
    difference = found.difference

    def shown(number: float | None, *, signed: bool = False) -> str | None:
        if number is None:
            return None
        sign = "+" if signed and number > 0 else ""
        return sign + (str(duration_text(number)) if times else f"{number:,}")

    columns: tuple[Column[str], ...] = (
        Column("", lambda name: name.removesuffix("_ms")),
        Column("A", lambda name: shown(found.a[name]), right=True),
        Column("B", lambda name: shown(found.b[name]), right=True),
        Column("B - A", lambda name: shown(difference[name], signed=True), right=True),
    )
    tables.print_table(columns, names)
