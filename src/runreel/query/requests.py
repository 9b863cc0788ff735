"""Requests to models as they were sent: stored parts are put together again."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runreel.codec import json_text
from runreel.codec.text_delta import APPENDED
from runreel.model.errors import BadValue
from runreel.model.events import CONTEXT
from runreel.projection.tombstone import is_tombstone
from runreel.sources import requests
from runreel.sources.requests import Reference, Request
from runreel.store.events import event_log, stream_heads
from runreel.store.projections import run_key_queries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runreel.model.events import EventRow
    from runreel.store.connection import Connection
    from runreel.store.projections.run_key_queries import FoundRequest

# Types of the items that stand for parts of a request that the log does not have any more.
REDACTED, PRUNED, MISSING = "runreel.redacted", "runreel.pruned", "runreel.missing"
# Number of rows that the parts of one request are in; a longer chain is damage.
MAX_DEPTH = 256
# Number of rows to compare a request with.
_MAX_CANDIDATES = 16


class StoredRequest(NamedTuple):
    """A whole request, with a reference to its row; ``complete``: the log has all of its items."""

    request: Request
    reference: Reference
    complete: bool


class _Gap(NamedTuple):
    """Items that the log does not have: those of a row that is erased or does not exist."""

    run_id: str
    seq: int
    items: int
    exists: bool


def request_of(connection: Connection, source: str, run_id: str, stop: int) -> requests.Body | None:
    """Return the last request in the rows of a run before ``stop`` as JSON; None if it has none.

    Items that were redacted or pruned are replaced by one item of the type ``runreel.redacted``,
    ``runreel.pruned`` or ``runreel.missing`` with their number, and their run and row.
    """
    seq = event_log.last_of_kind(connection, run_id, CONTEXT, stop)
    if seq is None:
        return None
    found = stored_request(connection, source, run_id, seq)
    return None if found is None else found.request.body


def stored_request(
    connection: Connection, source: str, run_id: str, seq: int
) -> StoredRequest | None:
    """Return the whole request in a row; None if it has none, or the source has no requests."""
    return _stored_request(StoredRows(connection), source, run_id, seq)


def _stored_request(rows: StoredRows, source: str, run_id: str, seq: int) -> StoredRequest | None:
    own = rows.get(run_id, seq)
    if own is None:
        return None
    bodies, gap = _parts(rows, own)
    # What stands for missing items counts as all that are repeated of it.
    number = 0 if gap is None else gap.items
    request = None if gap is None else _replaced(rows.connection, source, gap)
    for body in reversed(bodies):
        repeated = requests.reference_of(body)
        dropped = 0 if repeated is None else max(0, number - repeated.items)
        request = requests.extended(body, source, request, dropped)
        number = requests.number_of_items(source, body)
    if request is None:
        return None
    found = Reference(run_id, seq, number, own.digest.hex(), len(bodies))
    base = requests.reference_of(bodies[0]) if bodies else None
    return StoredRequest(request, found.after(base), gap is None)


def _parts(rows: StoredRows, own: EventRow) -> tuple[list[object], _Gap | None]:
    """Return the stored parts of the request in a row, the last first, and what is missing."""
    bodies: list[object] = []
    row: EventRow | None = own
    gap = _Gap(own.run_id, own.seq, 0, exists=True)
    while len(bodies) <= MAX_DEPTH:
        body = _body(row)
        if body is None:
            return bodies, gap
        bodies.append(body)
        reference = requests.reference_of(body)
        if reference is None:
            return bodies, None
        row = rows.get(reference.run_id, reference.seq, reference)
        if row is not None and row.digest.hex() != reference.digest:
            row = None
        gap = _Gap(reference.run_id, reference.seq, reference.items, exists=row is not None)
    return bodies, gap


def earlier_requests(rows: StoredRows, request: Request) -> list[StoredRequest]:
    """Return the stored requests that a new one repeats: the longest first, then the newest.

    They are those that equal it, and the longest that it goes on from. The keys of all of its
    beginnings are looked up in one query.
    """
    numbers = requests.earlier_keys(request)
    found = _candidates(rows, numbers, waiting=False)
    earlier: list[StoredRequest] = []
    longest = 0
    for row in found:
        number = numbers[row.key]
        if number < longest:
            break
        stored = _repeated(rows, request, row, number)
        if stored is not None:
            earlier.append(stored)
            longest = number if number < len(request.items) else 0
    return earlier


def waiting_runs(rows: StoredRows, request: Request) -> list[str]:
    """Return the runs that wait for results of tools and whose last request this one goes on from.

    Those with the longest request come first, then the newest.
    """
    length = len(request.items)
    keys = requests.earlier_keys(request).items()
    numbers = {key: number for key, number in keys if number < length}
    found = _candidates(rows, numbers, waiting=True)
    return [
        row.run_id for row in found if _repeated(rows, request, row, numbers[row.key]) is not None
    ]


def _candidates(rows: StoredRows, numbers: dict[str, int], *, waiting: bool) -> list[FoundRequest]:
    """Return the rows with keys of requests: those with most items first, then the newest."""
    found = run_key_queries.requests_with(rows.connection, numbers, waiting=waiting)
    found.sort(key=lambda row: (numbers[row.key], row.at), reverse=True)
    del found[_MAX_CANDIDATES:]
    rows.load([(row.run_id, row.seq) for row in found if row.key == found[0].key])
    return found


def _repeated(
    rows: StoredRows, request: Request, row: FoundRequest, number: int
) -> StoredRequest | None:
    """Return the request in a row if a new one begins with all of its items, ``number`` of them."""
    stored = _stored_request(rows, request.source, row.run_id, row.seq)
    if stored is None or not stored.complete or stored.reference.items != number:
        return None
    return stored if requests.begins_with(request, stored.request, number) else None


class StoredRows:
    """Rows of the log, each of which is read once, and several at once."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._rows: dict[tuple[str, int], EventRow | None] = {}

    def get(self, run_id: str, seq: int, source: Reference | None = None) -> EventRow | None:
        """Return a row, None if it does not exist; those that ``source`` lists are needed next."""
        if (run_id, seq) not in self._rows:
            self.load([(run_id, seq), *([] if source is None else source.positions)])
        return self._rows[run_id, seq]

    def load(self, positions: Sequence[tuple[str, int]]) -> None:
        """Read these rows, as far as they are not read, in one query."""
        new = [one for one in dict.fromkeys(positions) if one not in self._rows]
        if new:
            self._rows |= dict.fromkeys(new)
            rows = event_log.read_at(self.connection, new)
            self._rows |= {(row.run_id, row.seq): row for row in rows}


def _body(row: EventRow | None) -> object:
    """Return the stored request in a row; None if it is erased or no request."""
    if row is None or row.kind != CONTEXT or row.payload is None:
        return None
    try:
        body = json_text.loads(row.payload)
    except BadValue:
        return None
    if row.keep is not None and isinstance(body, dict):
        body.pop(APPENDED, None)
    return body


def _replaced(connection: Connection, source: str, gap: _Gap) -> Request | None:
    """Return a request with one item in place of those that the log does not have."""
    type_ = REDACTED
    if not gap.exists:
        found = stream_heads.first_and_last(connection, gap.run_id)
        type_ = PRUNED if found is not None and is_tombstone(found[0]) else MISSING
    item: dict[str, object] = {"type": type_, "run_id": gap.run_id, "seq": gap.seq}
    if gap.items:
        item["items"] = gap.items
    return requests.of_items(source, [item])
