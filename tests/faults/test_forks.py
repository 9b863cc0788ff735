"""Programs that record and fork: every process keeps what it acknowledged, and none hangs."""

from __future__ import annotations

import pytest

from tests.conftest import BACKENDS
from tests.faults.forks import NAMES, fork_round


@pytest.mark.parametrize("scenario", NAMES)
def test_nothing_acknowledged_is_lost(db_url: str, backend: str, scenario: str) -> None:
    seen = fork_round(db_url, scenario, seed=BACKENDS.index(backend))
    assert seen["acknowledged"] > seen["children"] > 1
