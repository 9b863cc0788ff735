"""Which run it is that a response of a live stream belongs to."""

from __future__ import annotations

import hashlib
import uuid
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from runreel.codec import plain_json as pj
from runreel.codec.json_text import loads
from runreel.model.errors import BadInput
from runreel.model.events import NOTE, RESUMED
from runreel.model.identifiers import check_new_id
from runreel.query import run_history
from runreel.recording.deduplication import fingerprint
from runreel.recording.recorder import Recorder
from runreel.store.events import event_log
from runreel.store.projections import run_queries

if TYPE_CHECKING:
    from runreel.store.connection import Connection
    from runreel.store.database import Database


class ResponseIdentity(NamedTuple):
    """What is known of a response or completion when it begins: its id, that of the one before.

    ``again`` is whether it may have been recorded before, in part or whole.
    """

    source: str
    id: str | None
    previous: str | None
    again: bool


class ResolvedRun(NamedTuple):
    """A run, and what of it is known to be no part of what comes now; None: it may be all."""

    run_id: str
    before: Counter[bytes] | None = None
    continues: bool = False


def recorder_for(
    database: Database, told: ResponseIdentity, labels: dict[str, str] | None
) -> Recorder:
    """The recorder of the run that a response or completion belongs to.

    Of several responses that go on from one, the run goes on with the one whose recorder is the
    first to say so in the log; the others begin runs of their own.
    """
    identity: dict[str, Any] = {"labels": labels} if labels else {}
    with database.reading() as connection:
        place = _resolve(connection, told)
    if place.continues:
        continuation = Recorder(
            database,
            place.run_id,
            source=told.source,
            via="live",
            identity={**identity, "after": told.previous, "response": told.id},
            offered=place.before,
        )
        if continuation.begin(lambda: not _is_taken(database, place.run_id, told)):
            return continuation
        with database.reading() as connection:
            place = _resolve(connection, told._replace(previous=None))
    return Recorder(database, place.run_id, source=told.source, via="live", identity=identity)


def _resolve(connection: Connection, told: ResponseIdentity) -> ResolvedRun:
    own = run_id(told.source, told.id)
    if told.again and told.id is not None:
        known = run_queries.run_of_response(connection, told.source, told.id)
        if known is not None or event_log.last_position(connection, own) >= 0:
            return ResolvedRun(known or own)
    before = told.previous and run_queries.run_of_response(connection, told.source, told.previous)
    if before:
        stored = run_history.events(connection, before)
        rows = ((row.kind, row.raw) for row in stored if row.kind != NOTE)
        counts = Counter(fingerprint(kind, raw) for kind, raw in rows if raw is not None)
        return ResolvedRun(before, counts, continues=True)
    if not told.again and event_log.last_position(connection, own) >= 0:
        # A server that calls all that it makes by one name.
        own = run_id(told.source, None)
    return ResolvedRun(own)


def _is_taken(database: Database, run_id: str, told: ResponseIdentity) -> bool:
    """Whether another response goes on from the same one, as the run's notes say."""
    with database.reading() as connection:
        for row in event_log.read(connection, run_id):
            if row.kind == NOTE and row.type == RESUMED and row.payload is not None:
                note = pj.as_object(loads(row.payload))
                same = told.id is not None and note.get("response") == told.id
                if note.get("after") == told.previous and not same:
                    return True
    return False


def run_id(source: str, id_: str | None) -> str:
    """What a run is called whose source calls it ``id_``, or does not call it anything."""
    if not id_:
        return f"{source}-{uuid.uuid4().hex}"
    try:
        check_new_id(id_)
    except BadInput:
        return f"{source}-{hashlib.sha256(id_.encode('utf-8', 'replace')).hexdigest()}"
    return id_
