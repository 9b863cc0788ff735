"""Recorders of live runs are killed at random moments; others finish what they began."""

from __future__ import annotations

import runreel
from tests.live.assistants_service import AssistantsService
from tests.live.processes import killing_round
from tests.logs import verify

ROUNDS = {"sqlite": 60, "postgresql": 15}


def run(url: str, rounds: int) -> dict[str, int]:
    """Two processes die in each round, a third finishes the run; each event is there once."""
    with runreel.open(url) as reel, AssistantsService() as service:
        reel.db.upgrade()
        finished = [killing_round(reel, url, service, seed) for seed in range(rounds)]
        return {
            "killed": 2 * rounds,
            "events": sum(one.stored for one in finished),
            "acknowledged": sum(one.seen for one in finished),
            "rows in intact chains": verify(reel),
            "differences after a rebuild": len(reel.rebuild(check=True)),
        }
