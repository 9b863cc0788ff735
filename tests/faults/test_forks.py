"""Programs that record and fork: every process keeps what it acknowledged, and none hangs."""

from __future__ import annotations

import pytest

from tests.faults.forks import NAMES, fork_round


@pytest.mark.parametrize("scenario", NAMES)
def test_nothing_acknowledged_is_lost(db_url: str, backend: str, scenario: str) -> None:
    for seed in range(2 if backend == "sqlite" else 1):
        seen = fork_round(db_url, scenario, seed)
        assert seen["acknowledged"] > seen["children"] > 1
