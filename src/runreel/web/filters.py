"""The filters of ``runreel runs``, under the same names, in the URL of a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.model import periods
from runreel.model.errors import UsageError
from runreel.model.run_filter import Filters, moment
from runreel.model.selection import Interval
from runreel.system import wall_clock

if TYPE_CHECKING:
    from datetime import datetime, tzinfo

    from runreel.web.query import Query

_FLAGS = ("has-error", "no-usage", "problems")
_TEXTS = ("status", "source", "assistant", "thread", "model", "recording", "error-contains")
NAMES = (
    *_TEXTS,
    *_FLAGS,
    *("label", "since", "until", "on", "slower-than", "min-tokens", "tz"),
)


def read(query: Query) -> Filters:
    """Return the filters of a URL as keywords of ``Reel.runs``.

    Raises:
        UsageError: if a value is invalid.
    """
    zone, _ = query.zone()
    now = wall_clock.now()
    given: dict[str, object] = {
        **{_keyword(name): query.texts(name) or None for name in _TEXTS},
        **{_keyword(name): query.flag(name) for name in _FLAGS},
        "labels": _labels(query.texts("label")) or None,
        "slower_than": query.text("slower-than"),
        "min_tokens": query.number("min-tokens"),
        "on": [_interval(text, now, zone) for text in query.texts("on")] or None,
    }
    for name in ("since", "until"):
        text = query.text(name)
        given[name] = None if text is None else moment(name, text, now=now, zone=zone)
    filters: Filters = given  # type: ignore[assignment]
    return filters


def _keyword(name: str) -> str:
    return name.replace("-", "_")


def _labels(pairs: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise UsageError(f"label {pair!r} is not of the form K=V")
        found.setdefault(key, []).append(value)
    return found


def _interval(text: str, now: datetime, zone: tzinfo | None) -> Interval:
    try:
        return Interval(*periods.period(text, now=now, zone=zone))
    except ValueError as error:
        raise UsageError(f"on: {error}") from None
