"""Verification of a log: its file, schema, hash chains and projections.

Four changes are only detected with a checkpoint that is kept elsewhere: truncation, deleted runs,
rollback to an older copy, and recomputed hash chains.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from runreel.audit import verify_spans
from runreel.audit.log_audit import LogAudit, VerifiedCounts
from runreel.model.finding import Finding
from runreel.rebuild.rebuild import require
from runreel.store.events import damage
from runreel.store.schema import comparison, migrations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from runreel.audit.log_audit import Progress
    from runreel.store.connection import Connection
    from runreel.store.worker_pool import WorkerPool

# What workers need for it.
MODULES = ("runreel.audit.verify",)


def verify(
    connection: Connection,
    run_ids: Sequence[str] | None = None,
    *,
    pool: WorkerPool | None = None,
    progress: Progress | None = None,
    counts: VerifiedCounts | None = None,
) -> Iterator[Finding]:
    """Yield every problem of a log, or of some of its runs; nothing if it is intact.

    Checks the file (only without ``run_ids``), the schema and its triggers, then the hash chains
    and projections in one pass over one snapshot. Memory use does not depend on the size of the
    log or of a run. ``progress`` receives the events done and the total; ``counts`` is updated on
    the way. The processes of ``pool`` verify a whole log, each span of its runs in a snapshot of
    its own, with the same findings.

    Raises:
        RunNotFound: if one of ``run_ids`` is neither in the log nor in the projections.
        LogError: if the database cannot be reached, or its schema is of another version.
    """
    migrations.require(connection)
    require(connection, run_ids or ())
    counts = counts or VerifiedCounts()
    if pool is not None and run_ids is None:
        yield from _verify_in_workers(connection, pool, counts, progress)
        return
    yield from _verify_database(connection, whole=run_ids is None)
    with damage.snapshot(connection):
        audit = LogAudit(connection, counts, progress)
        audit.start_progress(run_ids)
        yield from audit.check_version()
        if run_ids is None:
            yield from audit.verify_runs()
            yield from audit.orphan_projections()
        for run_id in run_ids or ():
            yield from audit.verify_run(run_id)
        audit.advance(0)


def _verify_in_workers(
    connection: Connection, pool: WorkerPool, counts: VerifiedCounts, progress: Progress | None
) -> Iterator[Finding]:
    database = pool.start(database_findings)
    with damage.snapshot(connection):
        audit = LogAudit(connection, counts, progress)
        audit.start_progress(None)
        version = list(audit.check_version())
        in_runs = verify_spans.findings(connection, pool, audit)
        # Workers are given more to do meanwhile, and what they find waits.
        early: list[list[Finding]] = []
        while not database.done() and (found := next(in_runs, None)) is not None:
            early.append(found)
        yield from (*database.result(), *version)
        yield from chain.from_iterable(chain(early, in_runs))
        yield from audit.orphan_projections()
        audit.advance(0)


def database_findings(connection: Connection) -> list[Finding]:
    """Return the problems of the file, the schema and the tables about the database."""
    return list(_verify_database(connection, whole=True))


def _verify_database(connection: Connection, *, whole: bool) -> Iterator[Finding]:
    if whole:
        yield from _check("file", damage.file_problems, connection)
    yield from _check("schema", comparison.differences, connection)
    yield from _check("meta", damage.meta_problems, connection)


def _check(
    what: str, check: Callable[[Connection], Iterable[str]], connection: Connection
) -> Iterator[Finding]:
    try:
        for problem in check(connection):
            yield Finding(None, None, what, problem)
    except Exception as error:  # noqa: BLE001 - raised again unless it is damage
        detail = f"cannot be checked: {damage.require_reason(error)}"
        yield Finding(None, None, what, detail)
