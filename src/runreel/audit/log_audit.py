"""One pass over the rows of runs and their projections, which finds what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from runreel.audit.run_verifier import RunVerifier
from runreel.model.finding import Finding
from runreel.rebuild.comparison import ProjectionComparer
from runreel.store.events import damage, stream_ids
from runreel.store.events.full_scan import END, WHOLE, Span, Unreadable, count, is_after, scan
from runreel.store.projections import run_prefetch
from runreel.store.projections.run_prefetch import ProjectionPrefetch
from runreel.store.schema import migrations

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


class LogAudit:
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
        # Of the span that was verified: the first row in it or after it, and the first after it.
        self.first: object = END
        self.following: object = END
        # Something could not be read.
        self.has_gaps = False

    def start_progress(self, run_ids: Sequence[str] | None) -> None:
        """Count the rows to verify, if anyone wants to know the progress."""
        if self._progress is not None:
            self._total = self._read(partial(count, self._connection, run_ids), lambda _: 0)
            self.advance(0)

    def add(self, runs: int, events: int) -> None:
        """Count what was verified elsewhere."""
        self._counts.runs += runs
        self.advance(events)

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

    def verify_run(self, run_id: str) -> Iterator[Finding]:
        """Verify one run."""
        yield from self._verify(scan(self._connection, run_id), WHOLE)
        if self.first == END:
            yield _orphan(run_id)

    def verify_runs(self, span: Span = WHOLE) -> Iterator[Finding]:
        """Verify the runs of the log, or of a span of it; sets ``first`` and ``following``."""
        yield from self._verify(scan(self._connection, span=span), span)

    def _verify(
        self, parts: Iterable[tuple[object, list[Row] | Unreadable]], span: Span
    ) -> Iterator[Finding]:
        self.first = self.following = END
        run: RunVerifier | None = None
        name: object = END
        for run_id, part in parts:
            if run is None or run_id != name:
                if run is not None:
                    run.end()
                    yield from run.found
                if self.first == END:
                    self.first = run_id
                if is_after(span, run_id):
                    self.following = run_id
                    return
                run, name = self._begin(run_id), run_id
            if isinstance(part, Unreadable):
                self.has_gaps = True
                run.stop(part)
            else:
                run.check_rows(part)
                self.advance(len(part))
            if run.found:
                yield from run.found
                run.found.clear()
        if run is not None:
            run.end()
            yield from run.found

    def orphan_projections(self) -> Iterator[Finding]:
        """Report projections of runs that have no events in the log."""
        try:
            yield from map(_orphan, stream_ids.orphan_projections(self._connection))
        except Exception as error:  # noqa: BLE001 - raised again unless it is damage
            detail = f"some cannot be read: {damage.require_reason(error)}"
            yield Finding(None, None, "projections", detail)

    def _begin(self, run_id: object) -> RunVerifier:
        run = RunVerifier(self._connection, run_id)
        self._counts.runs += run_id is not None
        if run.run_id is not None and self._compares_projections:
            try:
                stored = self._prefetch.get(run.run_id)
            except Exception as error:  # noqa: BLE001 - raised again unless it is damage
                reread = self._read_again(run, error)
                if reread is None:
                    return run
                stored = reread
            run.comparer = ProjectionComparer(run.run_id, stored)
        return run

    def _read_again(self, run: RunVerifier, error: Exception) -> StoredProjection | None:
        # The damaged row of a prefetched page may belong to another run.
        run_id = str(run.run_id)
        self._restart(error)
        read = partial(run_prefetch.stored_projections, self._connection, [run_id])
        found = self._read(read, run.add_unreadable_projection)
        return None if found is None else found[run_id]

    def _read(self, read: Callable[[], T], damaged: Callable[[str], S]) -> T | S:
        """Return what ``read`` returns; if it meets damage, call ``damaged`` in a new snapshot."""
        try:
            return read()
        except Exception as error:  # noqa: BLE001 - raised again unless it is damage
            return damaged(self._restart(error))

    def _restart(self, error: Exception) -> str:
        """Read on in a new snapshot after an error, and return the damage that caused it."""
        reason = damage.require_reason(error)
        self.has_gaps = True
        damage.restart_snapshot(self._connection)
        return reason


def _orphan(run_id: str) -> Finding:
    return Finding(run_id, None, "stray", "the run has a projection but no events")
