"""Draw a usage report as bars, to the width of the terminal."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from rich.cells import cell_len

from runreel.cli.render import tables, terminal, usage_table
from runreel.cli.render.usage_measures import amount, measured
from runreel.codec.escaping import escape_line

if TYPE_CHECKING:
    from runreel.cli.render.usage_measures import Measured
    from runreel.model.usage import UsageReport

_FULL = "\N{FULL BLOCK}"
# By eighths of a character: none, one eighth, and so on.
_EIGHTHS = ("", *(chr(0x2590 - eighths) for eighths in range(1, 8)))
_LEAST_BAR = 8
_GAP = "  "


def print_chart(report: UsageReport, measure: str) -> None:
    """Print a line with a bar for each group; costs of each currency have a scale of their own."""
    if not report.items:
        return
    width = terminal.width()
    found = [measured(item, measure) for item in report.items]
    labels = [_label(one) for one in found]
    values = [amount(one) for one in found]
    widest = max(map(cell_len, values))
    label_width = min(max(map(cell_len, labels)), max(width // 3, 1))
    room = max(width - label_width - widest - 2 * len(_GAP), _LEAST_BAR)
    scales: dict[str | None, Fraction] = {}
    for one in found:
        scales[one.unit] = max(scales.get(one.unit, Fraction()), one.value or Fraction())
    terminal.write((f"{_title(report, measure)}", "bold"))
    for one, label, value in zip(found, labels, values, strict=True):
        shown = tables.shorten(label, label_width, middle=True)
        padded = shown + " " * (label_width - cell_len(shown))
        bar = _bar(one.value or Fraction(), scales[one.unit], room)
        terminal.write(padded, _GAP, value.rjust(widest), _GAP, (bar, "cyan"))
    for line in usage_table.footer(report):
        terminal.write((line, "dim"))


def _title(report: UsageReport, measure: str) -> str:
    name = {"runs": "RUNS", "total": "TOTAL TOKENS", "cost": "COST"}[measure]
    groups = ", ".join(escape_line(group) for group in report.by)
    return f"{name} by {groups}" if groups else name


def _label(one: Measured) -> str:
    return escape_line(" ".join(tables.UNKNOWN if key is None else key for key in one.key))


def _bar(value: Fraction, largest: Fraction, room: int) -> str:
    """Return a bar of at most ``room`` characters; a value above 0 has at least the thinnest."""
    if not value:
        return ""
    if not terminal.takes_unicode():
        return "#" * max(round(value / largest * room), 1)
    eighths = max(round(value / largest * room * 8), 1)
    return _FULL * (eighths // 8) + _EIGHTHS[eighths % 8]
