"""Which run it is that a response of a live stream belongs to."""

from __future__ import annotations

import hashlib
import threading
import uuid
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from runreel import queries
from runreel.rules.ids import check_run_id
from runreel.rules.matching import fingerprint
from runreel.store import event_log, run_queries
from runreel.words.errors import BadInput
from runreel.words.log import NOTE

if TYPE_CHECKING:
    from runreel.store.database import Database


class Place(NamedTuple):
    """A run, and what of it is known to be no part of what comes now; None: it may be all."""

    run_id: str
    before: Counter[bytes] | None
    goes_on: bool = False


def place(
    database: Database, source: str, id_: str | None, previous: str | None, *, again: bool
) -> Place:
    """The run of the response or completion ``id_``, which goes on from the one ``previous``.

    ``again`` is whether it may have been recorded before, in part or whole.
    """
    own = run_id(source, id_)
    with database.reading() as connection:
        if again and id_ is not None:
            known = run_queries.run_of_response(connection, source, id_)
            if known is not None or event_log.head(connection, own) >= 0:
                return Place(known or own, None)
        before = previous and run_queries.run_of_response(connection, source, previous)
        if before:
            stored = queries.events(connection, before)
            told = ((row.kind, row.raw) for row in stored if row.kind != NOTE)
            counts = Counter(fingerprint(kind, raw) for kind, raw in told if raw is not None)
            return Place(before, counts, goes_on=True)
        if not again and event_log.head(connection, own) >= 0:
            # A server that calls all that it makes by one name.
            own = run_id(source, None)
    return Place(own, None)


def run_id(source: str, id_: str | None) -> str:
    """What a run is called whose source calls it ``id_``, or does not call it anything."""
    if not id_:
        return f"{source}-{uuid.uuid4().hex}"
    try:
        check_run_id(id_)
    except BadInput:
        return f"{source}-{hashlib.sha256(id_.encode('utf-8', 'replace')).hexdigest()}"
    return id_


class Claims:
    """The responses that this process is about to go on from.

    Two responses can follow one; the first goes on with the run, the other begins one.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: set[tuple[str, str]] = set()

    def take(self, database: Database, previous: str) -> bool:
        """Claim a response; False if somebody else has."""
        claim = (str(database.shown), previous)
        with self._lock:
            free = claim not in self._taken
            self._taken.add(claim)
        return free

    def release(self, database: Database, previous: str) -> None:
        """The log says now who goes on from it."""
        with self._lock:
            self._taken.discard((str(database.shown), previous))
