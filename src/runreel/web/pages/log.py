"""The log itself: its health, its sizes and settings, and its proof when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from runreel.doctor import check_health
from runreel.model.errors import DatabaseUnavailable
from runreel.model.timestamps import to_micros
from runreel.system import wall_clock
from runreel.web.query import Page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.api.reel import Reel
    from runreel.model.finding import Finding
    from runreel.web.query import Query

PARAMETERS = ("verify",)
# Rows of a table that are counted: to count them reads them.
_COUNTED = 10_000
# Problems of a verification that a page shows.
_FINDINGS = 50


class _Fact(NamedTuple):
    """A value of the log in words."""

    name: str
    text: str


def answer(reel: Reel, query: Query) -> Page:
    """Return the checks of ``runreel doctor`` and the facts of ``runreel db status``.

    With ``verify``, the whole log is verified.

    Raises:
        LogError: if the log cannot be read.
    """
    found = check_health(reel.db, now=to_micros(wall_clock.now()))
    if not found.reached:
        (check,) = found.checks
        raise DatabaseUnavailable(check.found, hint=check.advice)
    return Page(
        "log.html",
        {
            "name": reel.url_shown,
            "checks": found.checks,
            "facts": list(_facts(reel.db.status(count_up_to=_COUNTED + 1))),
            "findings": _findings(reel) if query.flag("verify") else None,
        },
    )


def _findings(reel: Reel) -> list[Finding]:
    """Verify the log, and return the first problems."""
    return list(islice(reel.verify(), _FINDINGS))


def _facts(status: Mapping[str, object]) -> Iterator[_Fact]:
    for name, value in status.items():
        title = name.replace("_", " ")
        if not isinstance(value, Mapping):
            yield _Fact(title, _words(name, value))
            continue
        for key, inner in value.items():
            yield _Fact(f"{title}: {key}", _words(name, inner))


def _words(name: str, value: object) -> str:
    if type(value) is not int:
        return "unknown" if value is None else str(value)
    if name == "rows" and value > _COUNTED:
        return f"more than {_COUNTED:,}"
    return f"{value:,}"
