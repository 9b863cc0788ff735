"""The part of a ``Reel`` that looks into runs: what they did, and when."""

from __future__ import annotations

# Types of signatures are imported at run time because `checked` resolves them.
# ruff: noqa: TC001, TC003
from collections.abc import Sequence
from datetime import date, datetime

from runreel.model.arguments import checked
from runreel.model.run_diff import PARTS, RunDiff
from runreel.model.run_filter import moment
from runreel.model.steps import Step
from runreel.model.story import StoryStep
from runreel.store.database import Database
from runreel.system import wall_clock


class LookMixin:
    """Shows what runs did."""

    db: Database

    @checked
    def story(
        self, run_id: str, at: int | datetime | date | str | None = None
    ) -> tuple[StoryStep, ...]:
        """Return what happened in a run, step by step, now or as of ``at``.

        Steps are requests, reasoning, text, tool calls with their results, errors and
        notes, in order. ``at`` is the position of an event or a time, as for ``result``.

        Raises:
            RunNotFound: if the run is not in the log, or did not exist yet at that time.
            UsageError: if the run has no such event, or the time is invalid.
        """
        from runreel.query import run_history

        if at is not None and not isinstance(at, int):
            at = moment("at", at, now=wall_clock.now())
        return run_history.show(self.db, run_id, at, exact=True, with_content=True).story

    @checked
    def steps(self, run_id: str, *, idle: float = 1.0) -> tuple[Step, ...]:
        """Return where the time of a run went: its steps from the request to the end, in order.

        They cover the whole time without overlap. A pause of more than ``idle`` seconds in a stream
        is a step of its own.

        Raises:
            RunNotFound: if the run is not in the log.
            UsageError: if ``idle`` is negative.
        """
        from runreel.query import run_steps

        return run_steps.steps(self.db, run_id, idle=idle).steps

    @checked
    def diff(self, a: str, b: str, *, parts: Sequence[str] = PARTS) -> RunDiff:
        """Return the differences of run ``b`` from run ``a``.

        ``parts`` are those to compare, of ``request``, ``tools``, ``text``, ``usage`` and
        ``timing``; the others are None in the result. ``diff(a, b).same`` is true if all of them
        are the same.

        Raises:
            RunNotFound: if one of the runs is not in the log.
            UsageError: if a part is unknown.
        """
        from runreel.query import run_diff

        return run_diff.diff(self.db, a, b, (parts,) if isinstance(parts, str) else parts)
