"""Recording through connections that break right before and right after commits."""

from __future__ import annotations

import runreel
from runreel import RunResult, RunStatus, Usage
from tests.cli.stories import partial
from tests.faults.proxy import Cuts, CuttingProxy

WORDS = 60


def cut_commits(url: str, cuts: int) -> dict[str, int]:
    """Cut so many commits before, and as many after, they are carried out; what is there then.

    Nothing is lost, and nothing stored twice.
    """
    with runreel.open(url) as reel:
        reel.db.upgrade()
    planned = Cuts({"before": cuts, "after": cuts})
    proxy = CuttingProxy(url, planned)
    runs = 0
    with runreel.open(proxy.url) as reel:
        while any(planned.left.values()):
            _record(reel, f"run-{runs}")
            runs += 1
    proxy.close()
    assert planned.done == {"before": cuts, "after": cuts}
    with runreel.open(url) as reel:
        events = sum(_whole(reel, f"run-{n}") for n in range(runs))
        assert list(reel.verify()) == []
    return {"cut before": cuts, "cut after": cuts, "runs": runs, "events, each once": events}


def _record(reel: runreel.Reel, run_id: str) -> None:
    with reel.recording(run_id) as recording:
        for n in range(WORDS):
            recording.append(partial("word " * n))
            if n % 3 == 0:
                recording.result(RunResult(RunStatus.IN_PROGRESS, usage=Usage(n, 2 * n, n)))


def _whole(reel: runreel.Reel, run_id: str) -> int:
    rows = list(reel.events(run_id))
    texts = [row.text for row in rows if row.type == "PARTIAL_MESSAGE"]
    assert texts == ["word " * n for n in range(WORDS)]
    assert [row.seq for row in rows] == list(range(len(rows)))
    assert len([row for row in rows if row.kind == "run"]) == WORDS // 3
    assert (rows[0].type, rows[-1].type) == ("opened", "closed")
    return len(rows)
