"""The list view of what a search finds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.cli.render import json_views, shapes_search
from runreel.cli.render.output import ListView
from runreel.cli.render.tables import Column, time_column

if TYPE_CHECKING:
    from runreel.cli.render.json_views import JsonObject
    from runreel.model.search import Match


def _match(match: Match) -> JsonObject:
    return json_views.fill(shapes_search.MATCH, match, **{"in": match.in_})


MATCHES: ListView[Match] = ListView(
    "matches",
    shapes_search.MATCH,
    (
        Column("RUN", lambda match: match.run_id, min_width=16, cut_middle=True),
        Column("IN", lambda match: match.in_),
        Column("SEQ", lambda match: match.seq, right=True),
        time_column("AT", lambda match: match.at),
        Column("SNIPPET", lambda match: match.snippet, min_width=24),
    ),
    _match,
)
