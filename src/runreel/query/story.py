"""The story of a run: what was asked, said, called and answered, step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.projection.projector import RunProjector
from runreel.projection.story import StoryBuilder
from runreel.store.events import event_log

if TYPE_CHECKING:
    from runreel.projection.story import Story
    from runreel.store.connection import Connection


def of_run(connection: Connection, run_id: str, stop: int | None = None) -> Story:
    """Return the story of a run's rows before ``stop``."""
    projector = RunProjector(run_id)
    builder = StoryBuilder(projector)
    for row in event_log.read(connection, run_id, stop=stop):
        builder.add(row, projector.apply(row))
    return builder.story()
