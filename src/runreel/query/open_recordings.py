"""Open recordings, and whether their processes still exist."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runreel.codec.json_text import loads
from runreel.codec.json_values import as_object
from runreel.model.events import NOTE, OPEN, OPENED, RESUMED
from runreel.model.runs import OpenRecording
from runreel.model.selection import RunFilter
from runreel.model.timestamps import from_micros
from runreel.store.events import event_log
from runreel.store.projections import run_queries
from runreel.system import process_identity

if TYPE_CHECKING:
    from runreel.model.runs import RunSummary
    from runreel.store.connection import Connection


def open_recordings(connection: Connection) -> list[OpenRecording]:
    """Return all recordings that are neither closed nor interrupted, oldest first."""
    page = run_queries.page(connection, RunFilter(recording=(OPEN,)), limit=0, after=None)
    return [_open_recording(connection, item) for item in reversed(page)]


def is_abandoned(note: str | None) -> bool:
    """True if ``note`` is of a process of this host that no longer exists.

    ``note`` is the JSON of the note that starts a session.
    """
    return _is_alive(_note_value(note)) is False


def _open_recording(connection: Connection, item: RunSummary) -> OpenRecording:
    opened_note: dict[str, Any] = {}
    opened_at = last_at = item.started_at
    last_seq = -1
    for row in event_log.read(connection, item.run_id):
        last_at, last_seq = from_micros(row.at), row.seq
        if row.kind == NOTE and row.type in (OPENED, RESUMED):
            opened_note, opened_at = _note_value(row.payload), last_at
    return OpenRecording(
        run_id=item.run_id,
        source=item.source,
        opened_at=opened_at,
        host=opened_note.get("host"),
        pid=opened_note.get("pid"),
        process_started=opened_note.get("started"),
        last_event_at=last_at,
        last_seq=last_seq,
        alive=_is_alive(opened_note),
    )


def _note_value(payload: str | None) -> dict[str, Any]:
    return {} if payload is None else as_object(loads(payload))


def _is_alive(opened_note: dict[str, Any]) -> bool | None:
    host, pid = opened_note.get("host"), opened_note.get("pid")
    if not isinstance(host, str) or not isinstance(pid, int):
        return None
    return process_identity.alive(process_identity.Process(host, pid, opened_note.get("started")))
