"""A connection that breaks right before or after a commit loses nothing and doubles nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import runreel
from runreel import PartialMessage, RunResult, RunStatus, RunStreamEvent, StreamEvent, Usage
from tests.faults.proxy import Cuts, CuttingProxy

if TYPE_CHECKING:
    from runreel import Reel

CUTS = 100


def record(reel: Reel, run_id: str, words: int) -> None:
    with reel.recording(run_id) as recording:
        for n in range(words):
            message = PartialMessage(("word " * n,))
            recording.append(RunStreamEvent(StreamEvent.PARTIAL_MESSAGE, _message=message))
            if n % 3 == 0:
                usage = Usage(n, n, 2 * n)
                recording.result(RunResult(RunStatus.IN_PROGRESS, usage=usage))


def test_a_connection_cut_around_commits_loses_and_doubles_nothing(empty_postgres: str) -> None:
    with runreel.open(empty_postgres) as reel:
        reel.db.upgrade()
    cuts = Cuts({"before": CUTS, "after": CUTS})
    proxy = CuttingProxy(empty_postgres, cuts)
    words, runs = 60, 0
    with runreel.open(proxy.url) as reel:
        while any(cuts.left.values()):
            record(reel, f"run-{runs}", words)
            runs += 1
    proxy.close()
    assert cuts.done == {"before": CUTS, "after": CUTS}
    with runreel.open(empty_postgres) as reel:
        for n in range(runs):
            rows = list(reel.events(f"run-{n}"))
            texts = [row.text for row in rows if row.type == "PARTIAL_MESSAGE"]
            assert texts == ["word " * n for n in range(words)]
            assert [row.seq for row in rows] == list(range(len(rows)))
            assert len([row for row in rows if row.kind == "run"]) == words // 3
            assert (rows[0].type, rows[-1].type) == ("opened", "closed")
        assert reel.rebuild(check=True) == []
