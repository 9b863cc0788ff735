"""Erasing what must not stay in the log, without breaking the proof of what does.

Each row that holds something of it loses its payload and salt, and keeps its commitment, so that
the chain stands. What else the payload held goes on standing in a note, with a full block in place
of each erased character; another note says which rows, why and by whom.
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from runreel import drafts
from runreel.drafts import Entry
from runreel.projector import Fold, fold
from runreel.rules.ids import check_said
from runreel.rules.json_text import dumps
from runreel.rules.masks import stand_in
from runreel.rules.search import Search, Wanted, shown
from runreel.store import event_log, known_runs, read_models
from runreel.store.connection import GiveUp
from runreel.words.errors import LogError, RunNotFound, UsageError
from runreel.words.log import MASKED, NOTE, OPENED, PRUNED, REDACTED, EventRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from runreel.rules.search import Hit
    from runreel.store.connection import Connection
    from runreel.store.database import Database

_TRIES = 100
_OURS = (MASKED, REDACTED, PRUNED)


class Place(NamedTuple):
    """Where something to be erased stands; ``where`` is a path into the row's JSON or ``text``."""

    run_id: str
    seq: int
    kind: str
    type: str | None
    where: str
    characters: int


@dataclass(slots=True)
class _Plan:
    """What a redaction will do to a run: stand-ins by seq (None: nothing stays), and where."""

    masks: dict[int, str | None] = field(default_factory=dict)
    places: list[Place] = field(default_factory=list)


def find(
    database: Database,
    run_ids: Iterable[str] | None,
    *,
    wanted: Wanted | None = None,
    seqs: Sequence[int] = (),
) -> Iterator[Place]:
    """The places that ``redact`` would erase, run by run, in order; None is every run.

    Raises:
        RunNotFound: if the log has no such run.
        UsageError: if a run has no such row, or it cannot be erased.
    """
    for run_id in _all(database) if run_ids is None else run_ids:
        with database.reading() as connection:
            places = _plan(connection, run_id, wanted, seqs).places
        yield from places


def redact(  # noqa: PLR0913 - what is to be said of a redaction
    database: Database,
    run_ids: Iterable[str] | None,
    *,
    reason: str,
    actor: str,
    wanted: Wanted | None = None,
    seqs: Sequence[int] = (),
) -> Iterator[Place]:
    """Erase what ``find`` finds, each run in one transaction; the places that were erased.

    Raises:
        RunNotFound, UsageError: like ``find``.
        LogError: if the database does not let it.
    """
    check_said(reason, actor)
    for run_id in _all(database) if run_ids is None else run_ids:
        yield from _redact(database, run_id, wanted, seqs, reason, actor)


def _all(database: Database) -> Iterator[str]:
    page = [""]
    while page:
        with database.reading() as connection:
            page = known_runs.logged_after(connection, page[-1])
        yield from page


def _redact(  # noqa: PLR0913, PLR0917 - as above
    database: Database,
    run_id: str,
    wanted: Wanted | None,
    seqs: Sequence[int],
    reason: str,
    actor: str,
) -> list[Place]:
    for _ in range(_TRIES):
        with database.writing() as connection, connection.transaction():
            plan = _plan(connection, run_id, wanted, seqs)
            if plan.places and not _carry_out(connection, run_id, plan, reason, actor):
                raise GiveUp
            return plan.places
    raise LogError(f"others append to run {run_id} faster than this process can")


def _plan(connection: Connection, run_id: str, wanted: Wanted | None, seqs: Sequence[int]) -> _Plan:
    plan = _Plan()
    searching = Search(wanted) if wanted is not None else None
    rows = 0
    for row in event_log.read(connection, run_id):
        rows += 1
        if row.seq in seqs:
            _erase_whole(plan, row)
        if searching is not None:
            searching.take(row)
    if not rows:
        raise RunNotFound(f"no run is called {run_id!r}")
    missing = set(seqs) - {place.seq for place in plan.places}
    if missing:
        raise UsageError(f"run {run_id} has no row {min(missing)}")
    if searching is not None:
        _mask(connection, run_id, plan, searching.hits)
    return plan


def _erase_whole(plan: _Plan, row: EventRow) -> None:
    if row.kind == NOTE and row.type in _OURS:
        raise UsageError(f"row {row.seq} of run {row.run_id} tells of an erasure: it stays")
    if row.payload is None:
        raise UsageError(f"row {row.seq} of run {row.run_id} is erased already")
    stays = None
    if row.kind == NOTE and row.type == OPENED and row.seq == 0:
        source = Fold(row.run_id)
        source.take(row)
        # Without its source the rest could not be read.
        stays = dumps({"source": source.state.source})
    plan.masks[row.seq] = stays
    size = len(row.payload or "")
    plan.places.append(Place(row.run_id, row.seq, row.kind, row.type, "*", size))


def _mask(connection: Connection, run_id: str, plan: _Plan, hits: Sequence[Hit]) -> None:
    by_row: defaultdict[int, list[Hit]] = defaultdict(list)
    for hit in hits:
        if hit.seq not in plan.masks:
            by_row[hit.seq].append(hit)
    if not by_row:
        return
    # One reading for all: an erased row would have the run's notes read for itself alone.
    for row in event_log.read(connection, run_id, start=min(by_row), stop=max(by_row) + 1):
        if row.seq not in by_row:
            continue
        plan.masks[row.seq] = stand_in(str(row.payload), by_row[row.seq])
        for hit in by_row[row.seq]:
            size = sum(end - start for start, end in hit.spans)
            plan.places.append(Place(run_id, row.seq, row.kind, row.type, shown(hit), size))
    plan.places.sort(key=lambda place: place.seq)


def _carry_out(connection: Connection, run_id: str, plan: _Plan, reason: str, actor: str) -> bool:
    """Append the notes, erase the rows, project anew; False if another appended meanwhile."""
    folded = Fold(run_id)
    digest = b""
    for row in event_log.read(connection, run_id):
        folded.advance(row)
        digest = row.digest
    masks, seqs = _with_those_before(connection, run_id, plan)
    entries = [Entry(NOTE, MASKED, None, {"payloads": masks})] if masks else []
    told = {"seqs": seqs, "reason": reason, "actor": actor}
    entries.append(Entry(NOTE, REDACTED, None, told))
    made = drafts.draft(folded, digest, entries, time.time_ns() // 1_000, 0)
    if not event_log.append(connection, [draft.row for draft in made]):
        return False
    for seq in seqs:
        event_log.erase(connection, run_id, seq)
    anew = fold(run_id, event_log.read(connection, run_id))
    read_models.save(connection, anew.projected(), anyway=True)
    return True


def _with_those_before(
    connection: Connection, run_id: str, plan: _Plan
) -> tuple[dict[str, str], list[int]]:
    """The stand-ins that will stand, and the rows to erase.

    What is left of rows that were erased before stands in notes, and goes with them.
    """
    seqs = set(plan.masks)
    masks = {str(seq): mask for seq, mask in plan.masks.items() if mask is not None}
    for seq, told in event_log.masked_notes(connection, run_id).items():
        if seqs.isdisjoint(told):
            continue
        seqs -= told.keys()
        seqs.add(seq)
        masks = {str(s): mask for s, mask in told.items() if s not in plan.masks} | masks
    erased = event_log.erased(connection, run_id)
    return masks, sorted(seqs - erased)
