"""The comparison of two runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runreel.model.errors import UsageError
from runreel.model.run_diff import CallChange
from runreel.projection import word_diff
from runreel.query import damaged_runs
from runreel.web import links
from runreel.web.query import Moved, Page

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from runreel.api.reel import Reel
    from runreel.model.run_diff import (
        NumbersDiff,
        RequestChange,
        TextChange,
        TextDiff,
        ValueChange,
    )
    from runreel.web.query import Query

PARAMETERS = ("a", "b", "from", "text")
# Characters of unchanged text around a change.
_AROUND = 200
# Elements of the requests and calls of one page; at least one of them is shown.
_ELEMENTS = 500
# Values of a call, and words of a value that changed.
_VALUES, _WORDS = 20, 20
# Changes of the text on one page.
_CHANGES = 200
# Damaged rows that a page names.
_DAMAGED = 20


class _Part(NamedTuple):
    """Text that is the ``same`` in both runs, ``removed`` or ``added``."""

    change: str
    text: str


class _Value(NamedTuple):
    """A difference of two JSON values; of texts, with the words that differ, but for some."""

    title: str
    change: str
    a: object
    b: object
    words: list[_Part]
    left_out: int

    @property
    def elements(self) -> int:
        """What it needs of a page, at most."""
        return 5 + len(self.words)


class _Call(NamedTuple):
    """A tool call, its rows in both runs, and its differences, but for some."""

    change: str
    name: str | None
    a: int | None
    b: int | None
    values: list[_Value]
    left_out: int

    @property
    def elements(self) -> int:
        """What it needs of a page, at most."""
        return 5 + sum(value.elements for value in self.values)


class _Window(NamedTuple):
    """Which differences a page shows, from 1, and the URLs of others."""

    first: int
    last: int
    total: int
    start: str | None
    next: str | None


class _Number(NamedTuple):
    """A number of both runs, and the difference."""

    name: str
    a: float | None
    b: float | None
    difference: float | None


def answer(reel: Reel, query: Query) -> Page | Moved:
    """Return the comparison of the runs ``a`` and ``b``, or the form that asks for them.

    Raises:
        RunNotFound: if one of the runs is not in the log.
        UsageError: if there are fewer differences than ``from`` or ``text`` says.
    """
    asked = query.text("a"), query.text("b")
    a, b = asked
    if a is None or b is None:
        return Page("diff.html", {"a": a or "", "b": b or "", "found": None})
    a, b = reel.resolve(a), reel.resolve(b)
    if (a, b) != asked:
        return Moved(links.page("/diff", [("a", a), ("b", b), *query.without("a", "b")]))
    found, damaged = damaged_runs.diff(reel.db, a, b)
    assert found.request and found.tools and found.text  # noqa: S101 - all parts are compared
    assert found.usage and found.timing  # noqa: S101
    return Page(
        "diff.html",
        {
            "a": a,
            "b": b,
            "found": found,
            "damaged": damaged[:_DAMAGED],
            "more_damaged": max(len(damaged) - _DAMAGED, 0),
            **_differences(query, [*found.request.changes, *found.tools.calls]),
            **_text(query, found.text),
            "usage": _numbers(found.usage),
            "timing": _numbers(found.timing),
        },
    )


def _differences(
    query: Query, changes: Sequence[RequestChange | CallChange]
) -> Mapping[str, object]:
    """Return the values of the template for requests and calls."""
    start = _first(query, "from", len(changes))
    shown = list(_shown(changes[start:]))
    return {
        "requests": [one for one in shown if isinstance(one, _Value)],
        "calls": [one for one in shown if isinstance(one, _Call)],
        "window": _window(query, "from", start, len(shown), len(changes)),
    }


def _text(query: Query, found: TextDiff) -> Mapping[str, object]:
    """Return the values of the template for the text."""
    total = len(found.changes)
    start = _first(query, "text", total)
    return {
        "text": list(_parts(found.a, found.changes, start, _CHANGES)),
        "text_window": _window(query, "text", start, min(total - start, _CHANGES), total),
    }


def _first(query: Query, name: str, total: int) -> int:
    """Return the first difference to show, from 0.

    Raises:
        UsageError: if there are fewer.
    """
    start = query.number(name) or 0
    if start > total:
        raise UsageError(f"invalid {name} {start}: there are {total} differences")
    return start


def _shown(changes: Iterable[RequestChange | CallChange]) -> Iterator[_Value | _Call]:
    """Yield as many differences as fit on a page, and at least one."""
    elements = 0
    for change in changes:
        one = _call(change) if isinstance(change, CallChange) else _request(change)
        if elements and elements + one.elements > _ELEMENTS:
            return
        elements += one.elements
        yield one


def _window(query: Query, name: str, start: int, count: int, total: int) -> _Window:
    def url(first: int) -> str:
        return links.page("/diff", [*query.without(name), *([(name, str(first))] if first else [])])

    end = start + count
    return _Window(
        start + 1, end, total, url(0) if start else None, url(end) if end < total else None
    )


def _request(change: RequestChange) -> _Value:
    return _value(f"request {change.call + 1} {change.pointer}".strip(), change)


def _call(call: CallChange) -> _Call:
    found = [
        (f"{part} {change.pointer}".strip(), change)
        for part, changes in (("arguments", call.arguments), ("result", call.result))
        for change in changes
    ]
    values = [_value(title, change) for title, change in found[:_VALUES]]
    return _Call(call.change, call.name, call.a, call.b, values, len(found) - len(values))


def _value(title: str, change: ValueChange | RequestChange) -> _Value:
    words: list[_Part] = []
    left_out = 0
    if isinstance(change.a, str) and isinstance(change.b, str):
        changes = word_diff.text_changes(change.a, change.b)
        words = list(_parts(change.a, changes, 0, _WORDS))
        left_out = max(len(changes) - _WORDS, 0)
    return _Value(title, change.change, change.a, change.b, words, left_out)


def _parts(a: str, changes: Sequence[TextChange], first: int, count: int) -> Iterator[_Part]:
    """Yield the text of the first run around some of the changes, and these; the rest is cut."""
    end = changes[first - 1].a[1] if first else 0
    last = first + count
    for number, change in enumerate(changes[first:last], first):
        yield _Part("same", _shortened(a[end : change.a[0]], after_change=number > 0))
        if change.a_text:
            yield _Part("removed", change.a_text)
        if change.b_text:
            yield _Part("added", change.b_text)
        end = change.a[1]
    rest = a[end : changes[last].a[0]] if last < len(changes) else a[end:]
    yield _Part("same", rest if len(rest) <= _AROUND else f"{rest[:_AROUND]} …")


def _shortened(text: str, *, after_change: bool) -> str:
    if len(text) <= 2 * _AROUND:
        return text
    before = text[:_AROUND] if after_change else ""
    return f"{before} … {text[-_AROUND:]}"


def _numbers(found: NumbersDiff) -> list[_Number]:
    difference = found.difference
    return [
        _Number(name, found.a[name], found.b[name], difference[name])
        for name in found.a
        if found.a[name] is not None or found.b[name] is not None
    ]
