"""The comparison of two runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runreel.projection import word_diff
from runreel.web import links
from runreel.web.query import Moved, Page

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from runreel.api.reel import Reel
    from runreel.model.run_diff import (
        NumbersDiff,
        RequestChange,
        TextChange,
        ToolsDiff,
        ValueChange,
    )
    from runreel.web.query import Query

PARAMETERS = ("a", "b")
# Characters of unchanged text around a change.
_AROUND = 200
# Differences of one part that a page shows.
_MOST = 100


class _Part(NamedTuple):
    """Text that is the ``same`` in both runs, ``removed`` or ``added``."""

    change: str
    text: str


class _Value(NamedTuple):
    """A difference of two JSON values; of texts, with the words that differ."""

    title: str
    change: str
    a: object
    b: object
    words: list[_Part]


class _Call(NamedTuple):
    """A tool call, its rows in both runs, and its differences."""

    change: str
    name: str | None
    a: int | None
    b: int | None
    values: list[_Value]


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
    """
    asked = query.text("a"), query.text("b")
    a, b = asked
    if a is None or b is None:
        return Page("diff.html", {"a": a or "", "b": b or "", "found": None})
    a, b = reel.resolve(a), reel.resolve(b)
    if (a, b) != asked:
        return Moved(links.diff(a, b))
    found = reel.diff(a, b)
    assert found.request and found.tools and found.text  # noqa: S101 - all parts are compared
    assert found.usage and found.timing  # noqa: S101
    calls = list(_calls(found.tools))
    requests = [_value(_request_title(change), change) for change in found.request.changes[:_MOST]]
    return Page(
        "diff.html",
        {
            "a": a,
            "b": b,
            "found": found,
            "requests": requests,
            "calls": calls[:_MOST],
            "left_out": max(len(found.request.changes) - _MOST, 0) + max(len(calls) - _MOST, 0),
            "text": list(_parts(found.text.a, found.text.changes)),
            "usage": _numbers(found.usage),
            "timing": _numbers(found.timing),
        },
    )


def _request_title(change: RequestChange) -> str:
    return f"request {change.call + 1} {change.pointer}".strip()


def _calls(found: ToolsDiff) -> Iterator[_Call]:
    for call in found.calls:
        values = [
            _value(f"{part} {change.pointer}".strip(), change)
            for part, changes in (("arguments", call.arguments), ("result", call.result))
            for change in changes[:_MOST]
        ]
        yield _Call(call.change, call.name, call.a, call.b, values)


def _value(title: str, change: ValueChange | RequestChange) -> _Value:
    words: list[_Part] = []
    if isinstance(change.a, str) and isinstance(change.b, str):
        words = list(_parts(change.a, word_diff.text_changes(change.a, change.b)))
    return _Value(title, change.change, change.a, change.b, words)


def _parts(a: str, changes: Iterable[TextChange]) -> Iterator[_Part]:
    """Yield the text of the first run with the changes; what is far from all of them is cut."""
    end = 0
    for change in changes:
        yield _Part("same", _shortened(a[end : change.a[0]], after_change=bool(end)))
        if change.a_text:
            yield _Part("removed", change.a_text)
        if change.b_text:
            yield _Part("added", change.b_text)
        end = change.a[1]
    rest = a[end:]
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
