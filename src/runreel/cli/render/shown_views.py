"""The views of runs as ``runreel show`` prints them, without and with their content."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.cli.render import json_views, shapes, shapes_look, story_view
from runreel.cli.render.output import ListView
from runreel.codec import object_shapes

if TYPE_CHECKING:
    from runreel.cli.render.json_views import JsonObject
    from runreel.query.run_history import ShownRun


def _with_content(shown: ShownRun) -> JsonObject:
    steps = list(map(story_view.step_value, shown.story))
    return {**json_views.run(shown.summary), **json_views.content(shown), "story": steps}


# The tables of these are no lists: see ``run_detail``.
BARE: ListView[ShownRun] = ListView(
    "runs", object_shapes.RUN, (), lambda shown: json_views.run(shown.summary)
)
WITH_CONTENT: ListView[ShownRun] = ListView(
    "runs", {**object_shapes.RUN, **shapes.CONTENT, **shapes_look.STORY}, (), _with_content
)
