"""The list of runs, and of the places in them that a search finds."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from runreel.model.errors import UsageError
from runreel.model.events import RECORDINGS
from runreel.model.runs import Page as RunPage
from runreel.model.search import PARTS, SEARCHED
from runreel.model.selection import STATES
from runreel.web import filters, links
from runreel.web.query import Page

if TYPE_CHECKING:
    from runreel.api.reel import Reel
    from runreel.web.query import Query

PARAMETERS = (*filters.NAMES, "q", "in", "after", "limit")
_LIMIT = 50
_MAX_LIMIT = 100
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
    selected = filters.read(query)
    zone, zone_name = query.zone()
    limit = query.number("limit") or _LIMIT
    if limit > _MAX_LIMIT:
        raise UsageError(f"invalid limit {limit}: use at most {_MAX_LIMIT}")
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
    if text is not None:
        problems: list[str] = []
        found = reel.search(
            text,
            in_=query.texts("in") or SEARCHED,
            on_problem=problems.append,
            **selected,
        )
        matches = list(islice(found, limit + 1))
        values |= {"matches": matches[:limit], "more": len(matches) > limit, "problems": problems}
        return Page("matches.html", values)
    page = reel.runs(limit=limit, after=query.text("after"), **selected)
    assert isinstance(page, RunPage)  # noqa: S101 - with a limit
    rest = query.without("after")
    values |= {
        "runs": page.items,
        "as_of": page.as_of,
        "first": links.page("/", rest) if query.text("after") else None,
        "next": None if page.next is None else links.page("/", [*rest, ("after", page.next)]),
    }
    return Page("runs.html", values)


def _chips(query: Query) -> list[_Chip]:
    """Return the filters in use. Removing one goes to the first page."""
    shown = [*query.without("after", "limit", "tz")]
    return [
        _Chip(*pair, links.page("/", [other for other in query.without("after") if other != pair]))
        for pair in shown
    ]
