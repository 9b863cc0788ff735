"""Erasing what must not stay in the log, without breaking the proof of what does.

Each row that holds something of it loses its payload and salt, and keeps its commitment, so that
the chain stands. What else the payload held goes on standing in a note, with a full block in place
of each erased character; another note says which rows, why and by whom.
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runreel.codec.json_text import dumps
from runreel.codec.masks import masked_payload
from runreel.codec.text_search import SearchPattern, StreamSearch, path_text
from runreel.model.errors import LogError, RunNotFound, UsageError
from runreel.model.events import MASKED, NOTE, OPENED, PRUNED, REDACTED, EventRow
from runreel.model.identifiers import check_reason_and_actor
from runreel.model.maintenance import RedactionMatch
from runreel.projection.projector import RunProjector, project_run
from runreel.recording import event_builder
from runreel.recording.event_builder import EventInput
from runreel.store.connection import RollbackTransaction
from runreel.store.events import event_log, stream_ids
from runreel.store.projections import run_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from runreel.codec.text_search import Match
    from runreel.store.connection import Connection
    from runreel.store.database import Database

_TRIES = 100
_OURS = (MASKED, REDACTED, PRUNED)


@dataclass(slots=True)
class _Plan:
    """What a redaction will do to a run: stand-ins by seq (None: nothing stays), and where."""

    masks: dict[int, str | None] = field(default_factory=dict)
    places: list[RedactionMatch] = field(default_factory=list)


def find(
    database: Database,
    run_ids: Iterable[str] | None,
    *,
    wanted: SearchPattern | None = None,
    seqs: Sequence[int] = (),
) -> Iterator[RedactionMatch]:
    """The places that ``redact`` would erase, run by run, in order; None is every run.

    Raises:
        RunNotFound: if the log has no such run.
        UsageError: if a run has no such row, or it cannot be erased.
    """
    for run_id in _all(database) if run_ids is None else run_ids:
        yield from _Survey(run_id, wanted, seqs).plan(database).places


def redact(  # noqa: PLR0913 - what is to be said of a redaction
    database: Database,
    run_ids: Iterable[str] | None,
    *,
    reason: str,
    actor: str,
    wanted: SearchPattern | None = None,
    seqs: Sequence[int] = (),
) -> Iterator[RedactionMatch]:
    """Erase what ``find`` finds, each run in one transaction; the places that were erased.

    Raises:
        RunNotFound, UsageError: like ``find``.
        LogError: if the database does not let it.
    """
    check_reason_and_actor(reason, actor)
    for run_id in _all(database) if run_ids is None else run_ids:
        yield from _redact(database, run_id, wanted, seqs, reason, actor)


def _all(database: Database) -> Iterator[str]:
    page = [""]
    while page:
        with database.reading() as connection:
            page = stream_ids.ids_after(connection, page[-1])
        yield from page


def _redact(  # noqa: PLR0913, PLR0917 - as above
    database: Database,
    run_id: str,
    wanted: SearchPattern | None,
    seqs: Sequence[int],
    reason: str,
    actor: str,
) -> list[RedactionMatch]:
    survey = _Survey(run_id, wanted, seqs)
    for _ in range(_TRIES):
        # Searching takes as long as the pattern does, and recorders append meanwhile.
        plan = survey.plan(database)
        if not plan.places:
            return plan.places
        with database.writing() as connection, connection.transaction():
            if not survey.still_true(connection):
                raise RollbackTransaction
            if not _carry_out(connection, run_id, plan, reason, actor):
                raise RollbackTransaction
            return plan.places
    raise LogError(f"others append to run {run_id} faster than this process can")


class _Survey:
    """What is to be erased of a run, found without keeping others from it."""

    def __init__(self, run_id: str, wanted: SearchPattern | None, seqs: Sequence[int]) -> None:
        self._run_id = run_id
        self._wanted = wanted
        self._seqs = frozenset(seqs)
        self._begin()

    def plan(self, database: Database) -> _Plan:
        """Read on from the last row that was read, and answer what is to be erased now.

        Raises:
            RunNotFound: if there is no such run.
            UsageError: if it has no such row, or the pattern takes too long.
        """
        for _ in range(_TRIES):
            with database.reading() as connection:
                self._read_on(connection)
                masked = _masked(connection, self._run_id, self._hits(), self._whole.masks)
                if masked is not None and event_log.erased(connection, self._run_id) == self._gone:
                    whole = self._whole
                    places = sorted([*whole.places, *masked.places], key=lambda place: place.seq)
                    return _Plan(whole.masks | masked.masks, places)
            self._begin()
        raise LogError(f"others erase of run {self._run_id} faster than this process can")

    def still_true(self, connection: Connection) -> bool:
        """Whether the run is as it was read; if not, the next plan reads what has changed."""
        if event_log.erased(connection, self._run_id) != self._gone:
            self._begin()
            return False
        last = self._last
        head = event_log.last_position(connection, self._run_id)
        return last is not None and head == last.seq and event_log.contains(connection, last)

    def _begin(self) -> None:
        self._search = None if self._wanted is None else StreamSearch(self._wanted)
        self._last: EventRow | None = None
        self._gone: set[int] = set()
        self._whole = _Plan()

    def _read_on(self, connection: Connection) -> None:
        start = 0 if self._last is None else self._last.seq + 1
        for row in event_log.read(connection, self._run_id, start=start):
            if start and row.type == PRUNED and row.kind == NOTE:
                # What was read before is gone.
                self._begin()
                return self._read_on(connection)
            self._last = row
            if row.redacted is not None:
                self._gone.add(row.seq)
            if row.seq in self._seqs:
                _erase_whole(self._whole, row)
            if self._search is not None:
                self._search.feed(row)
        if self._last is None:
            raise RunNotFound(f"no run is called {self._run_id!r}")
        missing = self._seqs - {place.seq for place in self._whole.places}
        if missing:
            raise UsageError(f"run {self._run_id} has no row {min(missing)}")
        return None

    def _hits(self) -> Sequence[Match]:
        return () if self._search is None else self._search.matches


def _erase_whole(plan: _Plan, row: EventRow) -> None:
    if row.kind == NOTE and row.type in _OURS:
        raise UsageError(f"row {row.seq} of run {row.run_id} tells of an erasure: it stays")
    if row.payload is None:
        raise UsageError(f"row {row.seq} of run {row.run_id} is erased already")
    stays = None
    if row.kind == NOTE and row.type == OPENED and row.seq == 0:
        source = RunProjector(row.run_id)
        source.apply(row)
        # Without its source the rest could not be read.
        stays = dumps({"source": source.state.source})
    plan.masks[row.seq] = stays
    size = len(row.payload or "")
    plan.places.append(RedactionMatch(row.run_id, row.seq, row.kind, row.type, "*", size))


def _masked(
    connection: Connection, run_id: str, hits: Sequence[Match], whole: Mapping[int, object]
) -> _Plan | None:
    """Stand-ins for the rows of ``hits`` that are not erased as a whole; None if one is gone."""
    plan = _Plan()
    by_row: defaultdict[int, list[Match]] = defaultdict(list)
    for hit in hits:
        if hit.seq not in whole:
            by_row[hit.seq].append(hit)
    if not by_row:
        return plan
    # One reading for all: an erased row would have the run's notes read for itself alone.
    for row in event_log.read(connection, run_id, start=min(by_row), stop=max(by_row) + 1):
        if row.seq not in by_row:
            continue
        if row.payload is None:
            return None
        plan.masks[row.seq] = masked_payload(row.payload, by_row[row.seq])
        for hit in by_row[row.seq]:
            size = sum(end - start for start, end in hit.spans)
            plan.places.append(
                RedactionMatch(run_id, row.seq, row.kind, row.type, path_text(hit), size)
            )
    return plan if len(plan.masks) == len(by_row) else None


def _carry_out(connection: Connection, run_id: str, plan: _Plan, reason: str, actor: str) -> bool:
    """Append the notes, erase the rows, project anew; False if another appended meanwhile."""
    folded = RunProjector(run_id)
    digest = b""
    for row in event_log.read(connection, run_id):
        folded.apply_row(row)
        digest = row.digest
    masks, seqs = _with_those_before(connection, run_id, plan)
    entries = [EventInput(NOTE, MASKED, None, {"payloads": masks})] if masks else []
    told = {"seqs": seqs, "reason": reason, "actor": actor}
    entries.append(EventInput(NOTE, REDACTED, None, told))
    made = event_builder.build_events(folded, digest, entries, time.time_ns() // 1_000, 0)
    if not event_log.append(connection, [draft.row for draft in made]):
        return False
    for seq in seqs:
        event_log.erase(connection, run_id, seq)
    anew = project_run(run_id, event_log.read(connection, run_id))
    run_table.save(connection, anew.projection(), force=True)
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
