"""The steps of a run: as JSON, and as bars for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.cli.render import json_views, shapes_look, tables, terminal
from runreel.cli.render.output import ListView
from runreel.cli.render.tables import Column, TableCell
from runreel.codec.durations import duration_text

if TYPE_CHECKING:
    from runreel.cli.render.json_views import JsonObject
    from runreel.model.steps import RunSteps, Step

_STYLES = {
    "request": "cyan",
    "first_text": "blue",
    "stream": "green",
    "tool": "yellow",
    "idle": "red",
}
_CLOCKS = {
    "recorded": None,
    "source": "Times of the source: this run was imported.",
    "even": "No times are known: every event counts 0.1s.",
}
_BAR = 30
_LEAST_BAR = 8
# Width of the columns other than the bar, for most runs.
_OTHERS = 46
_EIGHTHS = " \u258f\u258e\u258d\u258c\u258b\u258a\u2589"
_FULL = "\N{FULL BLOCK}"

STEPS: ListView[Step] = ListView("steps", shapes_look.STEP, ())
STEPS_OF_RUNS: ListView[tuple[str, Step]] = ListView(
    "steps",
    shapes_look.STEP_OF_RUN,
    (),
    lambda pair: json_views.fill(shapes_look.STEP_OF_RUN, pair[1], run_id=pair[0]),
)


def value(found: RunSteps) -> JsonObject:
    """Convert the steps of a run to their JSON object."""
    gap = found.longest_gap
    return {
        "run_id": found.run_id,
        "clock": found.clock,
        "steps": [STEPS.value(step) for step in found.steps],
        "shares": found.shares,
        "longest_gap": None if gap is None else json_views.fill(shapes_look.GAP, gap),
    }


RUNS: ListView[RunSteps] = ListView("runs", shapes_look.TIMELINE, (), value)


def print_timeline(found: RunSteps) -> None:
    """Print a row with a bar for each step, then the shares and the longest gap."""
    if clock := _CLOCKS[found.clock]:
        terminal.write_notice((clock, "dim"))
    if not found.steps:
        terminal.write_notice("The run took no time.")
        return
    tables.print_table(_columns(found), found.steps)
    terminal.write("")
    total = duration_text(found.total_ms)
    shares = ", ".join(f"{name} {share:.0%}" for name, share in found.shares.items())
    terminal.write(f"Total {total}: {shares}")
    gap = found.longest_gap
    if gap is not None:
        rows = f"rows {gap.from_seq} to {gap.to_seq}"
        terminal.write(f"Longest gap {duration_text(gap.ms)}, {rows}")


def _columns(found: RunSteps) -> tuple[Column[Step], ...]:
    start, total = found.steps[0].start_ms, found.total_ms
    width = _BAR
    if terminal.is_terminal():
        width = max(_LEAST_BAR, min(_BAR, terminal.width() - _OTHERS))

    def bar(step: Step) -> TableCell:
        begin, end = ((time - start) / total * width for time in (step.start_ms, step.end_ms))
        return _bar(begin, end), _STYLES[step.step]

    return (
        Column("STEP", lambda step: (step.step, _STYLES[step.step])),
        Column("START", lambda step: f"+{duration_text(step.start_ms)}", right=True),
        Column("TOOK", lambda step: duration_text(step.end_ms - step.start_ms), right=True),
        Column("SHARE", lambda step: f"{(step.end_ms - step.start_ms) / total:.0%}", right=True),
        Column("", bar, drop_priority=1),
        Column("ROWS", lambda step: f"{step.from_seq}-{step.to_seq}", drop_priority=3),
        Column("NAME", lambda step: step.name, min_width=8, drop_priority=2),
    )


def _bar(begin: float, end: float) -> str:
    """Draw the columns from ``begin`` to ``end``; a step without width has a thin line."""
    if not terminal.takes_unicode():
        first = int(begin)
        return " " * first + "#" * max(1, round(end) - first)
    first, eighths = int(begin), max(1, round((end - int(begin)) * 8))
    full, rest = divmod(eighths, 8)
    return " " * first + _FULL * full + (_EIGHTHS[rest] if rest else "")
