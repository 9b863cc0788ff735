"""The views of runs as ``runreel show`` prints them, without and with their content."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.cli.render import json_views, priced_runs, shapes, shapes_look, story_view
from runreel.cli.render.output import ListView

if TYPE_CHECKING:
    from runreel.cli.render.json_views import JsonObject
    from runreel.cli.render.priced_runs import RunPrices
    from runreel.query.run_history import ShownRun


def view(prices: RunPrices, *, content: bool) -> ListView[ShownRun]:
    """The view of runs; its table is no list: see ``run_detail``."""
    if not content:
        return ListView("runs", priced_runs.SHAPE, (), lambda shown: prices.value(shown.summary))

    def with_content(shown: ShownRun) -> JsonObject:
        steps = list(map(story_view.step_value, shown.story))
        return {**prices.value(shown.summary), **json_views.content(shown), "story": steps}

    return ListView(
        "runs", {**priced_runs.SHAPE, **shapes.CONTENT, **shapes_look.STORY}, (), with_content
    )
