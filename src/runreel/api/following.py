"""The part of a ``Reel`` that follows runs."""

from __future__ import annotations

# Types of signatures are imported at run time because `checked` resolves them.
# ruff: noqa: TC001, TC003
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

from runreel.model.arguments import checked
from runreel.model.events import StoredEvent
from runreel.store.database import Database

if TYPE_CHECKING:
    from runreel.query.follow import FollowRequest


class FollowMixin:
    """Yields events as they are committed."""

    db: Database

    @checked
    def follow(
        self,
        run_id: str | None = None,
        *,
        start: int | None = None,
        timeout: float | None = None,
    ) -> Iterator[StoredEvent]:
        """Yield the events of a run, then new ones as any process commits them.

        It begins at position ``start``, by default the first, and ends when the recording has
        ended, or its process no longer exists, or the run was pruned: then the last event is the
        tombstone. A run that is not in the log yet is awaited for ``timeout``, by default two
        seconds.

        Without ``run_id``, yield new events of all runs that are open or that open later; with
        ``start``, also those that open runs have already, from this position. This ends only by
        ``timeout``.

        It also ends after ``timeout`` seconds without a new event. To continue later, pass the
        position after the last event as ``start``. No connection is held between two looks at the
        log, and the iterator may be left at any time.

        Raises:
            RunNotFound: if the run is not in the log, or was pruned before.
            UsageError: if ``start`` or ``timeout`` is negative.
        """
        from runreel.query import follow

        return follow.events(self.db, _request(run_id, start, timeout))

    @checked
    def afollow(
        self,
        run_id: str | None = None,
        *,
        start: int | None = None,
        timeout: float | None = None,
    ) -> AsyncIterator[StoredEvent]:
        """Follow asynchronously, for ``async for``; otherwise like ``follow``."""
        from runreel.query import follow

        return follow.aevents(self.db, _request(run_id, start, timeout))


def _request(run_id: str | None, start: int | None, timeout: float | None) -> FollowRequest:
    from runreel.query import follow

    if run_id is not None:
        return follow.FollowRequest(follow.exactly(run_id), start, timeout=timeout)
    # New events only, unless a position says where to begin.
    return follow.FollowRequest(start=start, last=0 if start is None else None, timeout=timeout)
