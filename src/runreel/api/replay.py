"""The part of a ``Reel`` that replays recorded streams."""

from __future__ import annotations

# Types of signatures are imported at run time because `checked` resolves them.
# ruff: noqa: TC001, TC003
from collections.abc import AsyncIterator, Iterator

from runreel.model.arguments import checked
from runreel.model.results import RunStreamEvent
from runreel.model.timeline import Timeline
from runreel.store.database import Database


class ReplayMixin:
    """Replays the stream of a run with its timing."""

    db: Database

    @checked
    def timeline(self, run_id: str, *, start: int = 0, stop: int | None = None) -> Timeline:
        """Return the times of a run's stream events, and which clock they come from.

        Raises:
            RunNotFound: if the run is not in the log.
        """
        from runreel.replay import player as replays

        return replays.timeline(self.db, run_id, start=start, stop=stop)

    @checked
    def replay(
        self,
        run_id: str,
        *,
        speed: float = 1.0,
        max_gap: float | None = None,
        instant: bool = False,
    ) -> Iterator[RunStreamEvent]:
        """Yield the stream events of a run with their original delays.

        ``speed`` divides the delays, ``max_gap`` (seconds) limits each of them, ``instant`` skips
        them all.

        Raises:
            RunNotFound: if the run is not in the log.
            UsageError: if ``speed`` or ``max_gap`` is out of range.
        """
        from runreel.replay import player as replays

        timeline = self.timeline(run_id)
        return replays.replay(timeline, speed=speed, max_gap=max_gap, instant=instant)

    @checked
    def areplay(
        self,
        run_id: str,
        *,
        speed: float = 1.0,
        max_gap: float | None = None,
        instant: bool = False,
    ) -> AsyncIterator[RunStreamEvent]:
        """Replay asynchronously, for ``async for``; otherwise like ``replay``."""
        from runreel.replay import player as replays

        return replays.areplay(
            lambda: self.timeline(run_id), speed=speed, max_gap=max_gap, instant=instant
        )
