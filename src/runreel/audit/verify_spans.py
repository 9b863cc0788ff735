"""Verification by several processes: each verifies spans of runs, and the spans must join up.

A span ends with the first row after it, in the order of the scan, and the next one begins there.
Where they do not join, because the file is damaged or a run was added between them, or where
something cannot be read, one process verifies the rest: so the findings are those of one pass.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from runreel.audit.log_audit import LogAudit, VerifiedCounts
from runreel.store.events import damage, stream_ids
from runreel.store.events.full_scan import END, Span
from runreel.store.worker_process import WorkerLost

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.model.finding import Finding
    from runreel.store.connection import Connection
    from runreel.store.worker_pool import WorkerPool

# Number of runs of a span: fewer need more statements, with more one worker may wait for another.
_RUNS = 100


class VerifiedSpan(NamedTuple):
    """What was found in a span: see ``LogAudit``; ``is_sure`` is false if it may not be all."""

    span: Span
    first: object
    following: object
    is_sure: bool
    findings: list[Finding]
    runs: int
    events: int


def verify_span(connection: Connection, span: Span) -> VerifiedSpan:
    """Verify the runs of a span in a snapshot."""
    counts = VerifiedCounts()
    with damage.snapshot(connection):
        audit = LogAudit(connection, counts, None)
        for _ in audit.check_version():
            # The main process reports it.
            pass
        found = list(audit.verify_runs(span))
    joins = audit.first, audit.following, not audit.has_gaps
    return VerifiedSpan(span, *joins, found, counts.runs, counts.events)


def findings(connection: Connection, pool: WorkerPool, audit: LogAudit) -> Iterator[list[Finding]]:
    """Yield the problems of all runs in order, an empty list for a span without one."""
    waiting: VerifiedSpan | None = None
    results = pool.map(partial(verify_span, span=span) for span in _spans(connection))
    while True:
        try:
            result = next(results, None)
        except WorkerLost:
            raise
        except Exception:  # noqa: BLE001 - one process finds out what it is
            break
        if waiting is not None:
            if not _join(connection, waiting, result):
                break
            audit.add(waiting.runs, waiting.events)
            yield waiting.findings
        if result is None:
            return
        waiting = result
    rest = Span(None if waiting is None else waiting.span.after, None)
    yield from ([finding] for finding in audit.verify_runs(rest))


def _spans(connection: Connection) -> Iterator[Span]:
    """Yield spans of few runs; the last one has no end, as runs may be added meanwhile."""
    after: str | None = None
    for run_ids in stream_ids.id_pages(connection, _RUNS):
        last: object = run_ids[-1]
        # A damaged id may be of any type, and is sorted after all others.
        if not isinstance(last, str):
            break
        yield Span(after, last)
        after = last
    yield Span(after, None)


def _join(connection: Connection, span: VerifiedSpan, later: VerifiedSpan | None) -> bool:
    """Return whether no row can be between a span and the next one, or the end of the log."""
    if not span.is_sure or (later is not None and not later.is_sure):
        return False
    # A server is asked for the rows of a span and no others.
    if not connection.driver.in_process:
        return True
    return span.following == (END if later is None else later.first)
