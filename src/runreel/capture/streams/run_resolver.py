"""Finds the run that a captured response belongs to."""

from __future__ import annotations

import hashlib
import uuid
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from runreel.codec import json_values as pj
from runreel.codec.json_text import loads
from runreel.model.errors import BadInput
from runreel.model.events import NOTE, RESUMED
from runreel.model.identifiers import check_new_id
from runreel.query import run_history
from runreel.recording.deduplication import fingerprint
from runreel.recording.recorder import Recorder
from runreel.store.events import event_log
from runreel.store.projections import run_key_queries

if TYPE_CHECKING:
    from runreel.capture.scope import Scope
    from runreel.store.connection import Connection
    from runreel.store.database import Database


class ResponseIdentity(NamedTuple):
    """What is known of a response or completion at its start.

    ``id`` is its id, ``previous`` the id of the response that it continues. ``may_exist`` is True
    if it may have been recorded already, in part or completely.
    """

    source: str
    id: str | None
    previous: str | None
    may_exist: bool


class ResolvedRun(NamedTuple):
    """A run, and how to deduplicate against it.

    ``earlier_events`` counts fingerprints of the events before a response that continues the run;
    with None, it is the response's own run, and any event of it may be a duplicate.
    """

    run_id: str
    earlier_events: Counter[bytes] | None = None


def recorder_for(database: Database, identity: ResponseIdentity, scope: Scope) -> Recorder:
    """Create the recorder of the run that a response or completion belongs to.

    If several responses continue the same one, the first to write its ``resumed`` note keeps the
    run; the others start new runs. A run that ``scope`` names takes all of them.
    """
    attributes = scope.identity
    if scope.run_id is not None:
        return _recorder_in(database, scope.run_id, identity.source, attributes)
    with database.reading() as connection:
        run = _resolve(connection, identity)
    if run.earlier_events is not None:
        continuation = Recorder(
            database,
            run.run_id,
            source=identity.source,
            via="live",
            identity={**attributes, "after": identity.previous, "response": identity.id},
            offered=run.earlier_events,
        )
        if continuation.begin(lambda: not _is_continued(database, run.run_id, identity)):
            return continuation
        with database.reading() as connection:
            run = _resolve(connection, identity._replace(previous=None))
    return Recorder(database, run.run_id, source=identity.source, via="live", identity=attributes)


def _recorder_in(
    database: Database, run_id: str, source: str, attributes: dict[str, Any]
) -> Recorder:
    """Create a recorder that adds a response to a run, which may not exist yet."""
    with database.reading() as connection:
        exists = event_log.last_position(connection, run_id) >= 0
        earlier = _fingerprints(connection, run_id) if exists else None
    return Recorder(
        database, run_id, source=source, via="live", identity=attributes, offered=earlier
    )


def _resolve(connection: Connection, identity: ResponseIdentity) -> ResolvedRun:
    own = run_id(identity.source, identity.id)
    if identity.may_exist and identity.id is not None:
        existing = run_key_queries.run_of_response(connection, identity.source, identity.id)
        if existing is not None or event_log.last_position(connection, own) >= 0:
            return ResolvedRun(existing or own)
    if identity.previous:
        previous = run_key_queries.run_of_response(connection, identity.source, identity.previous)
        if previous:
            return ResolvedRun(previous, _fingerprints(connection, previous))
    if not identity.may_exist and event_log.last_position(connection, own) >= 0:
        # Some servers use the same id for all responses.
        own = run_id(identity.source, None)
    return ResolvedRun(own)


def _fingerprints(connection: Connection, run_id: str) -> Counter[bytes]:
    stored = run_history.events(connection, run_id)
    rows = ((row.kind, row.raw) for row in stored if row.kind != NOTE)
    return Counter(fingerprint(kind, raw) for kind, raw in rows if raw is not None)


def _is_continued(database: Database, run_id: str, identity: ResponseIdentity) -> bool:
    """Whether a ``resumed`` note says that another response continues the same one."""
    with database.reading() as connection:
        for row in event_log.read(connection, run_id):
            if row.kind == NOTE and row.type == RESUMED and row.payload is not None:
                note = pj.as_object(loads(row.payload))
                same = identity.id is not None and note.get("response") == identity.id
                if note.get("after") == identity.previous and not same:
                    return True
    return False


def run_id(source: str, id_: str | None) -> str:
    """The run id for a response with the id ``id_``, or for one without an id."""
    if not id_:
        return f"{source}-{uuid.uuid4().hex}"
    try:
        check_new_id(id_)
    except BadInput:
        return f"{source}-{hashlib.sha256(id_.encode('utf-8', 'replace')).hexdigest()}"
    return id_
