"""Verification of a log: its file, schema, hash chains and projections.

Four changes are only detected with a checkpoint that is kept elsewhere: truncation, deleted runs,
rollback to an older copy, and recomputed hash chains.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, TypeVar

from runreel.audit.run_verifier import RunVerifier
from runreel.model.finding import Finding
from runreel.rebuild.comparison import ProjectionComparer
from runreel.rebuild.rebuild import require
from runreel.store.events import damage, stream_ids
from runreel.store.events.full_scan import Unreadable, count, scan
from runreel.store.projections import run_prefetch
from runreel.store.projections.run_prefetch import ProjectionPrefetch
from runreel.store.schema import comparison, migrations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from runreel.store.connection import Connection
    from runreel.store.events.full_scan import Row
    from runreel.store.projections.run_prefetch import StoredProjection

    Progress = Callable[[int, int], None]

S = TypeVar("S")
T = TypeVar("T")


@dataclass(slots=True)
class VerifiedCounts:
    """Numbers of runs and events that were verified."""

    runs: int = 0
    events: int = 0


def verify(
    connection: Connection,
    run_ids: Sequence[str] | None = None,
    *,
    progress: Progress | None = None,
    counts: VerifiedCounts | None = None,
) -> Iterator[Finding]:
    """Yield every problem of a log, or of some of its runs; nothing if it is intact.

    Checks the file (only without ``run_ids``), the schema and its triggers, then the hash chains
    and projections in one pass over one snapshot. Memory use does not depend on the size of the
    log or of a run. ``progress`` receives the events done and the total; ``counts`` is updated on
    the way.

    Raises:
        RunNotFound: if one of ``run_ids`` is neither in the log nor in the projections.
        LogError: if the database cannot be reached, or its schema is of another version.
    """
    migrations.require(connection)
    require(connection, run_ids or ())
    yield from _verify_database(connection, whole=run_ids is None)
    with damage.snapshot(connection):
        audit = _Audit(connection, counts or VerifiedCounts(), progress)
        audit.start_progress(run_ids)
        yield from audit.check_version()
        if run_ids is None:
            yield from audit.verify_runs(None)
            yield from audit.orphan_projections()
        for run_id in run_ids or ():
            yield from audit.verify_runs(run_id)
        audit.advance(0)


def _verify_database(connection: Connection, *, whole: bool) -> Iterator[Finding]:
    checks: list[tuple[str, Callable[[Connection], Iterable[str]]]]
    checks = [("file", damage.file_problems)] if whole else []
    checks += [("schema", comparison.differences), ("meta", damage.meta_problems)]
    for what, check in checks:
        try:
            for problem in check(connection):
                yield Finding(None, None, what, problem)
        except Exception as error:  # noqa: BLE001 - raised again unless it is damage
            detail = f"cannot be checked: {damage.require_reason(error)}"
            yield Finding(None, None, what, detail)


class _Audit:
    """One pass over the rows of runs and their projections."""

    def __init__(
        self, connection: Connection, counts: VerifiedCounts, progress: Progress | None
    ) -> None:
        self._connection = connection
        self._counts = counts
        self._progress = progress
        self._total = 0
        self._compares_projections = True
        self._prefetch = ProjectionPrefetch(connection)

    def start_progress(self, run_ids: Sequence[str] | None) -> None:
        """Count the rows to verify, if anyone wants to know the progress."""
        if self._progress is not None:
            self._total = self._read(partial(count, self._connection, run_ids), lambda _: 0)
            self.advance(0)

    def advance(self, events: int) -> None:
        """Count verified events and report the progress."""
        self._counts.events += events
        if self._progress is not None:
            done = self._counts.events
            self._progress(done, max(self._total, done))

    def check_version(self) -> Iterator[Finding]:
        """Report projections of another version, which cannot be compared."""
        ours = migrations.PROJECTION_VERSION
        version = self._read(partial(migrations.projection_version, self._connection), str)
        if version != ours:
            self._compares_projections = False
            detail = f"not compared: version {version}, expected {ours}; run `runreel rebuild`"
            yield Finding(None, None, "projections", detail)

    def verify_runs(self, run_id: str | None) -> Iterator[Finding]:
        """Verify one run, or all runs of the log."""
        name = None
        for name, parts in groupby(scan(self._connection, run_id), key=itemgetter(0)):
            yield from self._verify_run(name, (part for _, part in parts))
        if run_id is not None and name is None:
            yield _orphan(run_id)

    def orphan_projections(self) -> Iterator[Finding]:
        """Report projections of runs that have no events in the log."""
        try:
            yield from map(_orphan, stream_ids.orphan_projections(self._connection))
        except Exception as error:  # noqa: BLE001 - raised again unless it is damage
            detail = f"some cannot be read: {damage.require_reason(error)}"
            yield Finding(None, None, "projections", detail)

    def _verify_run(
        self, run_id: object, parts: Iterable[list[Row] | Unreadable]
    ) -> Iterator[Finding]:
        run = RunVerifier(self._connection, run_id)
        self._counts.runs += run_id is not None
        if run.run_id is not None and self._compares_projections:
            stored = self._read(partial(self._stored, run.run_id), run.add_unreadable_projection)
            if stored is not None:
                run.comparer = ProjectionComparer(run.run_id, stored)
        for part in parts:
            if isinstance(part, Unreadable):
                run.stop(part)
            else:
                run.check_rows(part)
                self.advance(len(part))
            yield from run.found
            run.found.clear()
        run.end()
        yield from run.found

    def _stored(self, run_id: str) -> StoredProjection:
        # The damaged row of a prefetched page may belong to another run.
        return (
            self._read(partial(self._prefetch.get, run_id), lambda _: None)
            or (run_prefetch.stored_projections(self._connection, [run_id])[run_id])
        )

    def _read(self, read: Callable[[], T], damaged: Callable[[str], S]) -> T | S:
        """Return what ``read`` returns; if it meets damage, call ``damaged`` in a new snapshot."""
        try:
            return read()
        except Exception as error:  # noqa: BLE001 - raised again unless it is damage
            reason = damage.require_reason(error)
            damage.restart_snapshot(self._connection)
            return damaged(reason)


def _orphan(run_id: str) -> Finding:
    return Finding(run_id, None, "stray", "the run has a projection but no events")
