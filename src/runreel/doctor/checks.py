"""What a check of a log's health answers."""

from __future__ import annotations

from typing import NamedTuple

OK = "ok"
WARN = "warn"
BAD = "bad"


class Check(NamedTuple):
    """One thing that was looked at; ``advice`` is what to do where it is not ``ok``."""

    name: str
    verdict: str
    found: str
    advice: str | None = None


class Examination(NamedTuple):
    """Every check, in order; ``reached`` is whether there was a log to look at."""

    checks: tuple[Check, ...]
    reached: bool

    @property
    def is_bad(self) -> bool:
        """Whether something has to be mended."""
        return any(check.verdict == BAD for check in self.checks)
