"""The story of a run: what was asked, said, called and answered, step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.projection.projector import RunProjector
from runreel.projection.story import StoryBuilder
from runreel.store.events import event_log

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runreel.model.events import EventRow
    from runreel.projection.story import Story
    from runreel.store.connection import Connection


def of_run(connection: Connection, run_id: str, stop: int | None = None) -> Story:
    """Return the story of a run's rows before ``stop``."""
    return of_rows(RunProjector(run_id), event_log.read(connection, run_id, stop=stop))


def of_rows(projector: RunProjector, rows: Iterable[EventRow]) -> Story:
    """Return the story of a run's first rows, which the projector applies."""
    builder = StoryBuilder(projector)
    for row in rows:
        builder.add(row, projector.apply(row))
    return builder.story()
