"""The results of health checks."""

from __future__ import annotations

from typing import NamedTuple

OK = "ok"
WARN = "warn"
BAD = "bad"


class Check(NamedTuple):
    """The result of one check; ``advice`` says what to do if the verdict is not ``ok``."""

    name: str
    verdict: str
    found: str
    advice: str | None = None


class HealthReport(NamedTuple):
    """All checks in order; ``reached`` is False if the database could not be opened."""

    checks: tuple[Check, ...]
    reached: bool

    @property
    def is_bad(self) -> bool:
        """True if at least one check failed."""
        return any(check.verdict == BAD for check in self.checks)
