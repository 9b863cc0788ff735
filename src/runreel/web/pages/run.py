"""One run: its summary, story, steps and events, as of any of its rows."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from runreel.model.errors import RunreelError, UsageError
from runreel.model.passwords import mask_passwords
from runreel.query import run_overview, run_reading
from runreel.web import checked_runs, links
from runreel.web.pages import run_story
from runreel.web.pages.run_cost import cost_text
from runreel.web.pages.run_story import ShownStory
from runreel.web.query import Moved, Page

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runreel.api.reel import Reel
    from runreel.model.steps import RunSteps, Step
    from runreel.projection.run_marks import Marker
    from runreel.query.run_reading import DamagedSeq
    from runreel.web.query import Query

# Scripts show the timeline on the scale.
PARAMETERS = ("id", "seq", "scale", "tz", "verify")
# Of a run that is read as a whole: scripts get all of its rows.
MOST_ROWS = 300_000
# Steps of the time that a page shows.
_STEPS = 40
# Rows before and after the one that is shown.
_AROUND = 12
_MARKED_TOOLS = 8
# Damaged rows that a page names.
_DAMAGED = 20
# Units of the width of a bar.
_WIDTH = 1000.0
_NARROWEST = 3.0


class _Bar(NamedTuple):
    """A step with the place of its bar."""

    step: Step
    x: float
    width: float
    share: float


class _Rest(NamedTuple):
    """What the page shows of the whole run, or the ``problem`` of reading it.

    ``data`` is for the scripts.
    """

    problem: str | None
    story: ShownStory = ShownStory()
    timing: RunSteps | None = None
    bars: Sequence[_Bar] = ()
    markers: Sequence[Marker] = ()
    damaged: Sequence[DamagedSeq] = ()
    cost: str = ""
    data: Mapping[str, object] | None = None


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
    found = run_overview.overview(reel.db, run_id, seq, around=_AROUND)
    shown, now, rows = found.summary, found.now, found.rows
    here = shown.last_seq
    current = next(row for row in rows if row.event.seq == here)
    return Page(
        "run.html",
        {
            "run": shown,
            "now": now,
            "seq": here,
            "is_now": seq is None or here == now.last_seq,
            "newer": found.newer,
            "older": found.older,
            "rows": rows,
            "current": current,
            "read": partial(_read, reel, run_id, here, now.last_seq + 1),
            "checked": checked_runs.verify(reel, run_id, now.last_seq)
            if query.flag("verify")
            else checked_runs.latest(reel, run_id),
            "zone": zone,
            "zone_name": zone_name,
        },
        streams=True,
    )


def _read(reel: Reel, run_id: str, seq: int, count: int) -> _Rest:
    """Read the whole run, when the first piece of the page was sent."""
    if count > MOST_ROWS:
        return _Rest(
            f"The run has {count:,} rows; a page has the timeline and the story of up to"
            f" {MOST_ROWS:,}. `runreel show --content` and `runreel timeline` have them all."
        )
    try:
        found = run_reading.reading(reel.db, run_id, seq)
    except RunreelError as error:
        return _Rest(mask_passwords(str(error)))
    cost = cost_text(found.summary)
    return _Rest(
        None,
        run_story.shown(found.story),
        found.timing,
        _bars(found.timing),
        _shown_markers(found.markers),
        found.damaged[:_DAMAGED],
        cost,
        {
            "columns": found.columns,
            "markers": found.markers,
            "calls": found.calls,
            "seq": seq,
            "cost": cost,
            "rows_url": links.data(run_id, "rows"),
            "event_url": links.data(run_id, "event"),
        },
    )


def _shown_markers(markers: list[Marker]) -> list[Marker]:
    """Leave out most tool calls of a run that has many."""
    tools = [marker for marker in markers if marker["kind"] == "tool"][_MARKED_TOOLS:]
    return [marker for marker in markers if marker not in tools]


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
