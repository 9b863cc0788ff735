"""The part of a ``Reel`` for audit, retention, rebuild and recovery."""

from __future__ import annotations

# Types of signatures are imported at run time because `checked` resolves them.
# ruff: noqa: TC001, TC003
import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from runreel.model.arguments import checked
from runreel.model.finding import Finding
from runreel.model.maintenance import Recovered, RedactionMatch, Space
from runreel.model.run_filter import Status, Time
from runreel.model.runs import Difference, OpenRecording, PrunedRun
from runreel.store.database import Database
from runreel.system import wall_clock


class MaintenanceMixin:
    """Verifies, rebuilds, redacts, prunes and recovers a log.

    Methods import what they need, so that other commands start fast.
    """

    db: Database

    @checked
    def verify(
        self,
        run_ids: Sequence[str] | None = None,
        *,
        jobs: int = 1,
        progress: Callable[[int, int], None] | None = None,
    ) -> Iterator[Finding]:
        """Verify the log, or some of its runs, and yield each problem; nothing if it is intact.

        ``jobs`` is the number of worker processes that verify a whole log.
        ``progress`` receives the events done and the total. For the problems that only a
        checkpoint reveals, see ``runreel verify --checkpoint``.

        Raises:
            RunNotFound: if one of the runs is neither in the log nor in the projections.
            LogError: if the database cannot be reached, or its schema is of another version.
        """
        from runreel.audit import verify as audit
        from runreel.store.worker_pool import workers

        with (
            workers(self.db, 1 if run_ids is not None else jobs, audit.MODULES) as pool,
            self.db.reading() as connection,
        ):
            yield from audit.verify(connection, run_ids, pool=pool, progress=progress)

    @checked
    def rebuild(
        self,
        run_ids: Sequence[str] | None = None,
        *,
        check: bool = False,
        jobs: int = 1,
        progress: Callable[[int, int], None] | None = None,
    ) -> list[Difference]:
        """Rebuild the projections of some or all runs from the log, and return what differed.

        ``check`` only compares and changes nothing. ``jobs`` is the number of worker processes.
        ``progress`` receives the runs done and the total.

        Raises:
            RunNotFound: if one of the runs is neither in the log nor in the projections.
            LogError: if the log of a run is damaged; all other runs have been rebuilt by then.
        """
        from runreel.rebuild.comparison import DamagedRun
        from runreel.rebuild.rebuild import MODULES, differences
        from runreel.store.worker_pool import workers

        damaged: list[Finding] = []
        with workers(self.db, jobs, MODULES) as processes:
            found = list(
                differences(
                    self.db,
                    None if run_ids is None else list(run_ids),
                    check_only=check,
                    pool=processes,
                    progress=progress,
                    on_damage=damaged.append,
                )
            )
        if damaged:
            raise DamagedRun(damaged[0], other_runs=len(damaged) - 1)
        return found

    @checked
    def redact(  # noqa: PLR0913 - options of the operation
        self,
        run_ids: Iterable[str] | None,
        wanted: str | re.Pattern[str] | None = None,
        *,
        reason: str,
        actor: str,
        seqs: Sequence[int] = (),
        dry_run: bool = False,
    ) -> Iterator[RedactionMatch]:
        """Erase a text, or the matches of a pattern, from runs; yields each match.

        Runs are redacted one by one while you iterate; ``run_ids`` None means all runs. ``seqs``
        erases whole events by their positions instead. ``dry_run`` changes nothing. To free the
        disk space, call ``release``.

        Raises:
            RunNotFound: if a run is not in the log.
            UsageError: if a run lacks one of ``seqs``, or the pattern is invalid.
            LogError: if the database refuses.
        """
        from runreel.codec.text_search import SearchPattern
        from runreel.retention import redaction

        pattern = None if wanted is None else SearchPattern(wanted)
        if dry_run:
            yield from redaction.find(self.db, run_ids, wanted=pattern, seqs=seqs)
        else:
            yield from redaction.redact(
                self.db, run_ids, wanted=pattern, seqs=seqs, reason=reason, actor=actor
            )

    @checked
    def prune(  # noqa: PLR0913 - options of the operation
        self,
        before: Time,
        *,
        statuses: Status | Sequence[Status] = (),
        keep_usage: bool = False,
        reason: str | None = None,
        actor: str | None = None,
        batch: int = 100,
        dry_run: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> Iterator[PrunedRun]:
        """Delete runs that ended before a time; yields each run.

        Runs are deleted in batches while you iterate; ``dry_run`` changes nothing. ``statuses``
        limits it to runs of any of these statuses. Of each run a tombstone remains: one row that
        records what was deleted, when, by whom and why. ``keep_usage`` keeps the usage as well;
        without it, usage kept by earlier prunings is deleted too. Open recordings are skipped.
        Times and statuses are as in ``runs``. ``progress`` receives the runs done and the total.
        To free the disk space, call ``release``.

        Raises:
            UsageError: if the time, a status, the reason or the actor is invalid.
            LogError: if the database refuses.
        """
        from runreel.model.run_filter import moment, status_choice
        from runreel.model.timestamps import to_micros
        from runreel.retention import pruning

        request = pruning.PruneRequest(
            to_micros(moment("before", before, now=wall_clock.now())),
            status_choice(statuses or None),
            keep_usage,
            reason,
            actor,
        )
        return pruning.prune(self.db, request, dry_run=dry_run, batch=batch, progress=progress)

    def size(self) -> int:
        """Return the size of the log in bytes: of the SQLite file and its WAL, or of the tables."""
        return self.db.size()

    @checked
    def release(self, *, purge: bool = False) -> Space:
        """Free the disk space of erased and pruned rows; ``purge`` rewrites the tables."""
        return self.db.release(purge=purge)

    def recoverable(self) -> list[OpenRecording]:
        """Return the open recordings, and whether their processes are still running."""
        from runreel.query.open_recordings import open_recordings

        with self.db.reading() as connection:
            return open_recordings(connection)

    @checked
    def recover(self, resume: Callable[[OpenRecording], None] | None = None) -> Iterator[Recovered]:
        """Resume or interrupt the recordings whose process has ended; yields every open recording.

        ``resume`` continues a recording to its end, or raises ``SourceError``. Recordings that are
        not resumed are marked as interrupted. Those of running processes and of other hosts are
        left open.
        """
        from runreel.recording import recovery

        return recovery.recover(self.db, resume)
