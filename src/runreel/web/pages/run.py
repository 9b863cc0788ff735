"""One run: its summary, story, steps and events, as of any of its rows."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from runreel.codec.event_text import event_text
from runreel.model.errors import UsageError
from runreel.query import run_overview
from runreel.web import links
from runreel.web.query import Moved, Page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.api.reel import Reel
    from runreel.model.events import StoredEvent
    from runreel.model.finding import Finding
    from runreel.model.runs import RunSummary
    from runreel.model.steps import RunSteps, Step
    from runreel.web.query import Query

PARAMETERS = ("id", "seq", "tz", "verify")
# Steps of the story, and of the time, that a page shows.
_STORY = 60
_STEPS = 60
# Rows before and after the one that is shown.
_AROUND = 12
# Rows at the end of a run in which its error is looked for.
_ENDING = 20
_MARKED_TOOLS = 8
# Problems of a verification that a page shows.
_FINDINGS = 20
# Units of the width of a bar.
_WIDTH = 1000.0
_NARROWEST = 3.0


class _Bar(NamedTuple):
    """A step with the place of its bar."""

    step: Step
    x: float
    width: float
    share: float


class _Marker(NamedTuple):
    """A row that is worth a look."""

    name: str
    seq: int


class _Row(NamedTuple):
    """An event of the table."""

    event: StoredEvent
    text: str | None


def answer(reel: Reel, query: Query) -> Page | Moved:
    """Return the page of the run ``id``, as of row ``seq``.

    The start of an ID, the ID of a response, and ``latest`` lead to the page of the run.

    Raises:
        RunNotFound: if there is no such run, or it was pruned.
        UsageError: if the run has no such row.
    """
    asked, seq = query.text("id"), query.number("seq")
    zone, zone_name = query.zone()
    if asked is None:
        raise UsageError("no run is named", hint="The list has the pages of all runs.")
    run_id = reel.resolve(asked)
    if run_id != asked:
        return Moved(links.run(run_id, seq, **dict(query.without("id", "seq"))))
    shown, story, now, timing = run_overview.overview(reel.db, run_id, seq)
    here = shown.last_seq
    window = reel.events(
        run_id, start=max(here - _AROUND, 0), stop=min(here + _AROUND, now.last_seq) + 1
    )
    rows = [_Row(event, event_text(event)) for event in window]
    return Page(
        "run.html",
        {
            "run": shown,
            "now": now,
            "seq": here,
            "is_now": seq is None or here == now.last_seq,
            "story": story[-_STORY:],
            "left_out": max(len(story) - _STORY, 0),
            "timing": timing,
            "bars": _bars(timing),
            "markers": list(_markers(now, timing, _error_row(reel, now))),
            "rows": rows,
            "raw": next((row.event.raw for row in rows if row.event.seq == here), None),
            "findings": _findings(reel, run_id) if query.flag("verify") else None,
            "zone": zone,
            "zone_name": zone_name,
        },
    )


def _bars(timing: RunSteps) -> list[_Bar]:
    """Return the bars of the longest steps, in order."""
    if not timing.total_ms:
        return []
    start, scale = timing.steps[0].start_ms, _WIDTH / timing.total_ms
    longest = sorted(timing.steps, key=lambda step: step.start_ms - step.end_ms)[:_STEPS]
    bars = []
    for step in sorted(longest, key=lambda step: (step.start_ms, step.from_seq)):
        taken = step.end_ms - step.start_ms
        width = max(taken * scale, _NARROWEST)
        x = min((step.start_ms - start) * scale, _WIDTH - width)
        bars.append(_Bar(step, round(x, 2), round(width, 2), taken / timing.total_ms))
    return bars


def _markers(now: RunSummary, timing: RunSteps, error: int | None) -> Iterator[_Marker]:
    yield _Marker("start", 0)
    tools = [step for step in timing.steps if step.step == "tool"]
    for step in timing.steps:
        if step.step == "first_text":
            yield _Marker("first text", step.to_seq)
            break
    for step in tools[:_MARKED_TOOLS]:
        yield _Marker(f"tool {step.name}" if step.name else "tool", step.from_seq)
    if timing.longest_gap is not None:
        yield _Marker("longest gap", timing.longest_gap.from_seq)
    if error is not None:
        yield _Marker("error", error)
    yield _Marker("end", now.last_seq)


def _findings(reel: Reel, run_id: str) -> list[Finding]:
    """Verify the run, and return the first problems."""
    return list(islice(reel.verify([run_id]), _FINDINGS))


def _error_row(reel: Reel, now: RunSummary) -> int | None:
    """Return the row of a run's error, among its last rows."""
    if now.error is None:
        return None
    ending = reel.events(now.run_id, start=max(now.last_seq - _ENDING, 0), stop=now.last_seq + 1)
    return next((event.seq for event in ending if event.error is not None), None)
