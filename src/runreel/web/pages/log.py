"""The log itself: its health, its sizes and settings."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from runreel.doctor import check_health
from runreel.model.errors import DatabaseUnavailable
from runreel.model.timestamps import to_micros
from runreel.web.query import Page

if TYPE_CHECKING:
    from runreel.api.reel import Reel
    from runreel.web.query import Query

PARAMETERS = ()


def answer(reel: Reel, query: Query) -> Page:  # noqa: ARG001 - it has no parameters
    """Return the checks of ``runreel doctor`` and the facts of ``runreel db status``.

    Raises:
        LogError: if the log cannot be read.
    """
    found = check_health(reel.db, now=to_micros(datetime.now(UTC)))
    if not found.reached:
        (check,) = found.checks
        raise DatabaseUnavailable(check.found, hint=check.advice)
    facts: list[tuple[str, object]] = []
    for name, value in reel.db.status().items():
        title = name.replace("_", " ")
        if isinstance(value, Mapping):
            facts += [(f"{title}: {key}", inner) for key, inner in value.items()]
        else:
            facts.append((title, value))
    return Page("log.html", {"name": reel.url_shown, "checks": found.checks, "facts": facts})
