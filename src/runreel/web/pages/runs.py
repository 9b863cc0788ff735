"""The list of runs, and of the places in them that a search finds."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from runreel.model.events import RECORDINGS
from runreel.model.search import PARTS, SEARCHED
from runreel.model.selection import STATES
from runreel.web import filters, links, run_list
from runreel.web.query import Page

if TYPE_CHECKING:
    from runreel.api.reel import Reel
    from runreel.web.query import Query

PARAMETERS = (*filters.NAMES, "q", "in", "after", "limit")
# Words of the list that filters select, with the parameters.
_VIEWS = (
    ("all runs", ()),
    ("problems", (("problems", "1"),)),
    ("in progress", (("status", "in_progress"),)),
    ("failed", (("status", "failed"),)),
    ("completed", (("status", "completed"),)),
)


class _Chip(NamedTuple):
    """A filter that is in use, and the URL of the page without it."""

    name: str
    value: str
    remove: str


def answer(reel: Reel, query: Query) -> Page:
    """Return the page of runs; with ``q``, of matches.

    Raises:
        UsageError: if a parameter is invalid.
    """
    zone, zone_name = query.zone()
    text = query.text("q")
    values: dict[str, object] = {
        "query": query,
        "chips": _chips(query),
        "views": [(name, links.runs(*pairs)) for name, pairs in _VIEWS],
        "states": STATES,
        "recordings": RECORDINGS,
        "parts": PARTS,
        "zone": zone,
        "zone_name": zone_name,
    }
    if text is None:
        return Page("runs.html", {**values, "list": run_list.read(reel, query)})
    return Page("matches.html", {**values, **_matches(reel, query, text)})


def _matches(reel: Reel, query: Query, text: str) -> dict[str, object]:
    most = run_list.limit(query)
    problems: list[str] = []
    found = reel.search(
        text,
        in_=query.texts("in") or SEARCHED,
        on_problem=problems.append,
        **filters.read(query),
    )
    matches = list(islice(found, most + 1))
    return {"matches": matches[:most], "more": len(matches) > most, "problems": problems}


def _chips(query: Query) -> list[_Chip]:
    """Return the filters in use. Removing one goes to the first page."""
    shown = [*query.without("after", "limit", "tz")]
    return [
        _Chip(*pair, links.page("/", [other for other in query.without("after") if other != pair]))
        for pair in shown
    ]
