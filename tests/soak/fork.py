"""Programs fork while they record and read; every process of theirs records."""

from __future__ import annotations

import runreel
from tests.faults import forks

ROUNDS = {"sqlite": 225, "postgresql": 45}


def run(url: str, rounds: int) -> dict[str, int]:
    """What all processes acknowledged is in the log, its chains are intact, and none hangs."""
    with runreel.open(url) as reel:
        reel.db.upgrade()
    return dict(forks.rounds(url, rounds))
