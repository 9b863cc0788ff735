"""What keeps a log in order: proved, rebuilt, rid of what must go, ended where it was left open."""

from __future__ import annotations

# Names of the signatures are imported at run time: their types are checked.
# ruff: noqa: TC001, TC003
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime

from runreel.model.arguments import checked
from runreel.model.finding import Finding
from runreel.model.maintenance import Recovered, RedactionMatch
from runreel.model.run_filter import Status, Time
from runreel.model.runs import Difference, OpenRecording, PrunedRun
from runreel.store.admin.vacuum import Space
from runreel.store.database import Database


class MaintenanceMixin:
    """The part of a ``Reel`` that looks after its log.

    What it does is imported by whoever does it: a command that lists runs has no use for it.
    """

    db: Database

    @checked
    def verify(
        self,
        run_ids: Sequence[str] | None = None,
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> Iterator[Finding]:
        """Everything that is wrong with the log, or with some of its runs; nothing if it is intact.

        ``progress`` is told rows done and rows in all. What only a checkpoint shows, see
        ``runreel verify --checkpoint``.

        Raises:
            RunNotFound: if one of the runs is neither in the log nor in the projections.
            LogError: if the database cannot be reached, or is not of this version.
        """
        from runreel.audit import verify as audit

        with self.db.reading() as connection:
            yield from audit.verify(connection, run_ids, progress=progress)

    @checked
    def rebuild(
        self,
        run_ids: Sequence[str] | None = None,
        *,
        check: bool = False,
        jobs: int = 1,
        progress: Callable[[int, int], None] | None = None,
    ) -> list[Difference]:
        """Make the projections what the log says, of some runs or all; what differed.

        With ``check`` nothing is changed. ``jobs`` is how many processes fold. ``progress`` is
        told runs done and runs in all.

        Raises:
            RunNotFound: if one of the runs is neither in the log nor in the projections.
            LogError: if the log of a run is damaged; of the others everything is done by then.
        """
        from runreel.rebuild.comparison import DamagedRun
        from runreel.rebuild.rebuild import differences
        from runreel.rebuild.worker_pool import workers

        damaged: list[Finding] = []
        with workers(self.db, jobs) as processes:
            found = list(
                differences(
                    self.db,
                    None if run_ids is None else list(run_ids),
                    check_only=check,
                    others=processes,
                    progress=progress,
                    on_damage=damaged.append,
                )
            )
        if damaged:
            raise DamagedRun(damaged[0], others=len(damaged) - 1)
        return found

    @checked
    def redact(  # noqa: PLR0913 - what is to be said of a redaction
        self,
        run_ids: Iterable[str] | None,
        wanted: str | re.Pattern[str] | None = None,
        *,
        reason: str,
        actor: str,
        seqs: Sequence[int] = (),
        dry_run: bool = False,
    ) -> Iterator[RedactionMatch]:
        """Erase a text, or what a pattern matches, wherever it stands in these runs; each place.

        Run by run, as the iterator is read; None is every run. ``seqs`` are whole rows of a run
        instead. With ``dry_run`` nothing is changed. See ``release`` for the bytes.

        Raises:
            RunNotFound: if the log has no such run.
            UsageError: if a run has no such row, or there is nothing to look for.
            LogError: if the database does not let it.
        """
        from runreel.codec.text_search import SearchPattern
        from runreel.retention import redaction

        look = None if wanted is None else SearchPattern(wanted)
        if dry_run:
            yield from redaction.find(self.db, run_ids, wanted=look, seqs=seqs)
        else:
            yield from redaction.redact(
                self.db, run_ids, wanted=look, seqs=seqs, reason=reason, actor=actor
            )

    @checked
    def prune(  # noqa: PLR0913 - which runs, and what is to be said of it
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
        """Let runs go that ended before a time, of any of these statuses or all; each run.

        Batch by batch, as the iterator is read; with ``dry_run`` nothing is changed. Of each run
        a row stays that says what went, when, by whom and why; with ``keep_usage`` the usage too,
        else it also goes of runs that were pruned with it before. Open recordings stay.
        Times and statuses are as in ``runs``. ``progress`` is told runs done and runs in all. See
        ``release`` for the bytes.

        Raises:
            UsageError: if the time, a status, the reason or the actor is invalid.
            LogError: if the database does not let it.
        """
        from runreel.model.run_filter import moment, status_choice
        from runreel.model.timestamps import to_micros
        from runreel.retention import pruning

        order = pruning.PruneRequest(
            to_micros(moment("before", before, now=datetime.now(UTC))),
            status_choice(statuses or None),
            keep_usage,
            reason,
            actor,
        )
        return pruning.prune(self.db, order, dry_run=dry_run, batch=batch, progress=progress)

    def size(self) -> int:
        """The bytes that the log takes: of a SQLite file with its WAL, or of Postgres' tables."""
        return self.db.size()

    @checked
    def release(self, *, purge: bool = False) -> Space:
        """Let go of the bytes of what was erased or pruned; ``purge`` rewrites the tables."""
        return self.db.release(purge=purge)

    def recoverable(self) -> list[OpenRecording]:
        """The recordings that nobody has closed, and whether their processes still live."""
        from runreel.query import runs as queries

        with self.db.reading() as connection:
            return queries.open_recordings(connection)

    @checked
    def recover(self, resume: Callable[[OpenRecording], None] | None = None) -> Iterator[Recovered]:
        """Deal with recordings whose process is gone: resumed by ``resume``, else interrupted."""
        from runreel.recording import recovery

        return recovery.recover(self.db, resume)
