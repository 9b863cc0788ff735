"""Finds the run in the log that has a message of a model, which a copy of its session repeats."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.codec.json_values import as_object, object_in, text_in
from runreel.projection.projector import RunProjector
from runreel.sources.archives.claude_code import copy_key
from runreel.sources.archives.lines import CLAUDE_CODE
from runreel.store.events import event_log
from runreel.store.projections import run_key_queries

if TYPE_CHECKING:
    from runreel.store.connection import Connection
    from runreel.store.database import Database

# Number of runs with the id of a message that are looked at: gateways may repeat ids.
_MOST = 4


class StoredMessages:
    """Looks up messages in a log, unless it had none when this was made."""

    def __init__(self, database: Database) -> None:
        self._database = database
        with database.reading() as connection:
            self._is_empty = not run_key_queries.has_responses(connection)

    def run_of(self, line: dict[str, object], own: str) -> str | None:
        """Return the run with the message in a line, None if only the run ``own`` may have it."""
        id_ = text_in(object_in(line, "message"), "id")
        if id_ is None or self._is_empty or copy_key(line) is None:
            return None
        with self._database.reading() as connection:
            found = run_key_queries.runs_with_response(connection, id_, _MOST)
            if own in found:
                return None
            return next((run for run in found if _has(connection, run, line)), None)


def _has(connection: Connection, run_id: str, line: dict[str, object]) -> bool:
    """Return whether a run has the same line of a message."""
    projector, wanted = RunProjector(run_id), copy_key(line)
    for row in event_log.read(connection, run_id):
        value = as_object(projector.apply(row).value)
        if projector.state.source != CLAUDE_CODE:
            return False
        if copy_key(value) == wanted:
            return True
    return False
