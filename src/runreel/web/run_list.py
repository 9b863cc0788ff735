"""The rows of the list of runs: the same words for the page and for what changes on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runreel.model.errors import UsageError
from runreel.model.runs import Page as RunPage
from runreel.web import filters, links, words

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

    from runreel.api.reel import Reel
    from runreel.model.runs import RunSummary
    from runreel.web.query import Query

_LIMIT = 50
_MAX_LIMIT = 100


class RunRow(NamedTuple):
    """A run in words; ``kind`` is its ``status_name``, and ``cells`` are those of the table."""

    url: str
    kind: str
    run_id: str
    state: str
    started: str
    took: str
    first_text: str
    model: str
    tokens: str
    labels: str

    @property
    def cells(self) -> tuple[str, ...]:
        """The words of the table, in order."""
        return self[2:]


class RunList(NamedTuple):
    """A page of the list, and the URLs of the first page and of the next, if there are such."""

    rows: list[RunRow]
    as_of: str
    first: str | None
    next: str | None


def read(reel: Reel, query: Query) -> RunList:
    """Return the page of the list that a URL names.

    Raises:
        UsageError: if a parameter is invalid.
    """
    selected = filters.read(query)
    zone, _ = query.zone()
    after = query.text("after")
    page = reel.runs(limit=limit(query), after=after, **selected)
    assert isinstance(page, RunPage)  # noqa: S101 - with a limit
    rest = query.without("after")
    return RunList(
        [_row(run, zone) for run in page.items],
        words.time(page.as_of, zone),
        links.page("/", rest) if after else None,
        None if page.next is None else links.page("/", [*rest, ("after", page.next)]),
    )


def limit(query: Query) -> int:
    """Return the number of rows of a page.

    Raises:
        UsageError: if it is too large.
    """
    asked = query.number("limit") or _LIMIT
    if asked > _MAX_LIMIT:
        raise UsageError(f"invalid limit {asked}: use at most {_MAX_LIMIT}")
    return asked


def _row(run: RunSummary, zone: tzinfo | None) -> RunRow:
    return RunRow(
        links.run(run.run_id),
        run.status_name,
        run.run_id,
        run.state,
        words.time(run.started_at, zone),
        words.duration(run.duration_ms),
        words.duration(run.first_text_ms),
        words.clip(run.model, 200),
        words.number(run.usage.total_tokens if run.usage else None),
        ", ".join(_labels(run)),
    )


def _labels(run: RunSummary) -> Iterator[str]:
    for key, value in run.labels.items():
        yield f"{words.clip(key, 100)}={words.clip(value, 100)}"
