"""Redaction: erases text from the log and keeps the hash chain of the rest valid.

Each affected row loses its payload and salt but keeps its commitment, so the chain stays valid. A
note of type ``masked`` keeps the payload with a block in place of each erased character. A note of
type ``redacted`` records which rows were erased, why and by whom.
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runreel.codec.json_text import dumps
from runreel.codec.masks import masked_payload
from runreel.codec.text_search import SearchPattern, StreamSearch, path_text
from runreel.model.errors import LogError, UsageError
from runreel.model.events import MASKED, NOTE, OPENED, PRUNED, REDACTED, EventRow
from runreel.model.identifiers import check_reason_and_actor, not_found
from runreel.model.maintenance import RedactionMatch
from runreel.projection.key_frames import KeyFrames
from runreel.projection.projector import RunProjector, project_run
from runreel.recording import event_builder
from runreel.store.connection import RollbackTransaction
from runreel.store.events import event_log, stream_ids
from runreel.store.projections import key_frame_table, run_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from runreel.codec.text_search import Match
    from runreel.store.connection import Connection
    from runreel.store.database import Database

_MAX_ATTEMPTS = 100
_PROTECTED_NOTES = (MASKED, REDACTED, PRUNED)


@dataclass(slots=True)
class _Plan:
    """The rows to erase in one run: masked payloads by position (None: erase all), and matches."""

    masks: dict[int, str | None] = field(default_factory=dict)
    matches: list[RedactionMatch] = field(default_factory=list)


def find(
    database: Database,
    run_ids: Iterable[str] | None,
    *,
    wanted: SearchPattern | None = None,
    seqs: Sequence[int] = (),
) -> Iterator[RedactionMatch]:
    """Yield the matches that ``redact`` would erase, run by run in order; None means all runs.

    Raises:
        RunNotFound: if a run is not in the log.
        UsageError: if a run lacks one of the rows ``seqs``, or the row cannot be erased.
    """
    for run_id in _all_runs(database) if run_ids is None else run_ids:
        yield from _Search(run_id, wanted, seqs).plan(database).matches


def redact(  # noqa: PLR0913 - options of the operation
    database: Database,
    run_ids: Iterable[str] | None,
    *,
    reason: str,
    actor: str,
    wanted: SearchPattern | None = None,
    seqs: Sequence[int] = (),
) -> Iterator[RedactionMatch]:
    """Erase what ``find`` finds, each run in one transaction, and yield the erased matches.

    Raises:
        RunNotFound, UsageError: as for ``find``.
        LogError: if the database refuses.
    """
    check_reason_and_actor(reason, actor)
    for run_id in _all_runs(database) if run_ids is None else run_ids:
        yield from _redact(database, _Search(run_id, wanted, seqs), reason, actor)


def _all_runs(database: Database) -> Iterator[str]:
    page = [""]
    while page:
        with database.reading() as connection:
            page = stream_ids.ids_after(connection, page[-1])
        yield from page


def _redact(database: Database, search: _Search, reason: str, actor: str) -> list[RedactionMatch]:
    for _ in range(_MAX_ATTEMPTS):
        # A search may take long, so it runs outside the transaction while recorders append.
        plan = search.plan(database)
        if not plan.matches:
            return plan.matches
        with database.writing() as connection, connection.transaction():
            if search.is_current(connection) and _apply(
                connection, search.run_id, plan, reason, actor
            ):
                return plan.matches
            raise RollbackTransaction
    raise LogError(
        f"other processes append to run {search.run_id} faster than this process can redact it"
    )


class _Search:
    """Finds what to erase in a run, without blocking recorders."""

    def __init__(self, run_id: str, wanted: SearchPattern | None, seqs: Sequence[int]) -> None:
        self.run_id = run_id
        self._wanted = wanted
        self._seqs = frozenset(seqs)
        self._restart()

    def plan(self, database: Database) -> _Plan:
        """Read the rows added since the last call, and return what to erase now.

        Raises:
            RunNotFound: if the run is not in the log.
            UsageError: if the run lacks a requested row, or the pattern takes too long.
        """
        for _ in range(_MAX_ATTEMPTS):
            with database.reading() as connection:
                self._read_new_rows(connection)
                whole = self._whole_rows
                hits = () if self._search is None else self._search.matches
                masked = _plan_masks(connection, self.run_id, hits, whole.masks)
                erased = event_log.erased(connection, self.run_id)
                if masked is not None and erased == self._erased:
                    matches = sorted([*whole.matches, *masked.matches], key=lambda one: one.seq)
                    return _Plan(whole.masks | masked.masks, matches)
            self._restart()
        raise LogError(
            f"other processes redact run {self.run_id} faster than this process can read it"
        )

    def is_current(self, connection: Connection) -> bool:
        """True if the run has not changed since it was read; otherwise ``plan`` must run again."""
        if event_log.erased(connection, self.run_id) != self._erased:
            self._restart()
            return False
        last = self._last
        head = event_log.last_position(connection, self.run_id)
        return last is not None and head == last.seq and event_log.contains(connection, last)

    def _restart(self) -> None:
        self._search = None if self._wanted is None else StreamSearch(self._wanted)
        self._last: EventRow | None = None
        self._erased: set[int] = set()
        self._whole_rows = _Plan()

    def _read_new_rows(self, connection: Connection) -> None:
        start = 0 if self._last is None else self._last.seq + 1
        for row in event_log.read(connection, self.run_id, start=start):
            if start and row.type == PRUNED and row.kind == NOTE:
                # The run was pruned, so the rows read so far no longer exist.
                self._restart()
                return self._read_new_rows(connection)
            self._last = row
            if row.redacted is not None:
                self._erased.add(row.seq)
            if row.seq in self._seqs:
                _plan_whole_row(self._whole_rows, row)
            if self._search is not None:
                self._search.feed(row)
        if self._last is None:
            raise not_found(self.run_id)
        missing = self._seqs - {match.seq for match in self._whole_rows.matches}
        if missing:
            raise UsageError(f"run {self.run_id} has no row {min(missing)}")
        return None


def _plan_whole_row(plan: _Plan, row: EventRow) -> None:
    if row.kind == NOTE and row.type in _PROTECTED_NOTES:
        raise UsageError(
            f"row {row.seq} of run {row.run_id} records an erasure and cannot be erased"
        )
    if row.payload is None:
        raise UsageError(f"row {row.seq} of run {row.run_id} has already been erased")
    mask = None
    if row.kind == NOTE and row.type == OPENED and row.seq == 0:
        projector = RunProjector(row.run_id)
        projector.apply(row)
        # The other rows cannot be decoded without the source.
        mask = dumps({"source": projector.state.source})
    plan.masks[row.seq] = mask
    size = len(row.payload or "")
    plan.matches.append(RedactionMatch(row.run_id, row.seq, row.kind, row.type, "*", size))


def _plan_masks(
    connection: Connection, run_id: str, hits: Sequence[Match], whole: Mapping[int, object]
) -> _Plan | None:
    """Mask the rows of ``hits`` that are not in ``whole``; None if one was erased meanwhile."""
    plan = _Plan()
    by_row: defaultdict[int, list[Match]] = defaultdict(list)
    for hit in hits:
        if hit.seq not in whole:
            by_row[hit.seq].append(hit)
    if not by_row:
        return plan
    # One range for all rows: reading each row alone would load the run's notes every time.
    for row in event_log.read(connection, run_id, start=min(by_row), stop=max(by_row) + 1):
        if row.seq not in by_row:
            continue
        if row.payload is None:
            return None
        plan.masks[row.seq] = masked_payload(row.payload, by_row[row.seq])
        for hit in by_row[row.seq]:
            size = sum(end - start for start, end in hit.spans)
            plan.matches.append(
                RedactionMatch(run_id, row.seq, row.kind, row.type, path_text(hit), size)
            )
    return plan if len(plan.masks) == len(by_row) else None


def _apply(connection: Connection, run_id: str, plan: _Plan, reason: str, actor: str) -> bool:
    """Append the notes, erase the rows and rebuild the projection; False on an append conflict."""
    projector = RunProjector(run_id)
    digest = b""
    for row in event_log.read(connection, run_id):
        projector.apply(row)
        digest = row.digest
    masks, seqs = _merge_earlier_masks(connection, run_id, plan)
    entries = [event_builder.note(MASKED, {"payloads": masks})] if masks else []
    redaction = {"seqs": seqs, "reason": reason, "actor": actor}
    entries.append(event_builder.note(REDACTED, redaction))
    events = event_builder.build_events(projector, digest, entries, time.time_ns() // 1_000, 0)
    if not event_log.append(connection, [event.row for event in events]):
        return False
    for seq in seqs:
        event_log.erase(connection, run_id, seq)
    redacted = project_run(run_id, event_log.read(connection, run_id), frames=KeyFrames())
    key_frame_table.replace(connection, run_id, redacted.drain_frames())
    run_table.save(connection, redacted.projection(), force=True)
    return True


def _merge_earlier_masks(
    connection: Connection, run_id: str, plan: _Plan
) -> tuple[dict[str, str], list[int]]:
    """Return the masked payloads for the new note, and the positions to erase.

    Masks of rows that were erased earlier are in notes. A note with a row of ``plan`` is erased
    as well, and its other masks move to the new note.
    """
    seqs = set(plan.masks)
    masks = {str(seq): mask for seq, mask in plan.masks.items() if mask is not None}
    for seq, earlier in event_log.masked_notes(connection, run_id).items():
        if seqs.isdisjoint(earlier):
            continue
        seqs -= earlier.keys()
        seqs.add(seq)
        masks = {str(s): mask for s, mask in earlier.items() if s not in plan.masks} | masks
    erased = event_log.erased(connection, run_id)
    return masks, sorted(seqs - erased)
