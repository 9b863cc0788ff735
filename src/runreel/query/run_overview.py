"""Everything about a run on one page: its state and story at one of its rows, and its steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runreel.query import run_history, run_steps, story
from runreel.store.events import damage

if TYPE_CHECKING:
    from runreel.model.runs import RunSummary
    from runreel.model.steps import RunSteps
    from runreel.model.story import StoryStep
    from runreel.store.database import Database


class RunOverview(NamedTuple):
    """A run as of a row (``summary``, ``story``), and as it is now (``now``, ``timing``)."""

    summary: RunSummary
    story: tuple[StoryStep, ...]
    now: RunSummary
    timing: RunSteps


def overview(database: Database, run_id: str, seq: int | None = None) -> RunOverview:
    """Return a run after row ``seq`` (None: the last one), read from one snapshot.

    Raises:
        RunNotFound: if the log has no such run, or it was pruned.
        UsageError: if the run has no such row.
    """
    with database.reading() as connection, damage.snapshot(connection):
        shown = run_history.state(connection, run_id, seq).summary
        now = shown if seq is None else run_history.state(connection, run_id).summary
        steps = story.of_run(connection, run_id, shown.last_seq + 1).steps
        return RunOverview(shown, steps, now, run_steps.of_run(connection, run_id))
