"""Whether anything was committed to a log since the last look."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runreel.model.identifiers import not_found
from runreel.query import run_history, runs
from runreel.store.events import damage, event_log

if TYPE_CHECKING:
    from runreel.model.runs import RunSummary
    from runreel.store.database import Database


class RunNews(NamedTuple):
    """A run as it is now; ``is_erased`` if rows were redacted after the row that was asked for."""

    summary: RunSummary
    is_erased: bool


def change_hint(database: Database) -> object:
    """Return a value that is another one later if something was committed in between.

    A server of several nodes may have committed something all the same.
    """
    with database.reading() as connection:
        return connection.driver.change_hint(connection)


def run_news(database: Database, run_id: str, after: int) -> RunNews:
    """Return what is new about a run since its row ``after``.

    Raises:
        RunNotFound: if the log has no such run, or it was pruned.
    """
    with database.reading() as connection, damage.snapshot(connection):
        run_history.require_logged(connection, run_id)
        for summary in runs.some_runs(connection, [run_id]):
            return RunNews(summary, event_log.has_erasures(connection, run_id, after + 1))
    raise not_found(run_id)
