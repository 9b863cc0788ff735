"""Single bits of a log's file flip."""

from __future__ import annotations

from pathlib import Path

from tests.audit.flips import FINE, flip

ROUNDS = {"sqlite": 6_000}


def run(url: str, rounds: int) -> dict[str, int]:
    """By what each was seen; none changes what the log holds in silence."""
    seen = flip(Path(url), count=rounds, seed=1)
    assert set(seen) <= FINE, seen
    return dict(seen)
