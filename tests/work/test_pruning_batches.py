"""Letting many runs go: in batches, whatever stops it, by whom, and where the bytes are then."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import uuid
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from sqlalchemy import make_url

import runreel
from runreel.importing.batch import Batch
from runreel.model.errors import LogError
from runreel.recording.recorder import Recorder
from runreel.retention import pruning
from runreel.store.schema import roles as grants
from tests import logs
from tests.work.ages import (
    SECRET,
    prune,
    tell,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from runreel.api.reel import Reel


def test_what_is_interrupted_between_batches_can_be_done_again(reel: Reel) -> None:
    for n in range(9):
        tell(reel, f"run-{n}", 100)

    def interrupt(done: int, runs: int) -> None:
        assert runs == 9
        if done == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prune(reel, batch=2, progress=interrupt)
    assert len(reel.runs(limit=0)) == 3
    whole(reel)
    steps: list[tuple[int, int]] = []
    assert len(prune(reel, batch=2, progress=lambda *step: steps.append(step))) == 3
    assert steps == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_a_batch_of_long_runs_is_shorter(reel: Reel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "MAX_ROWS", 8)
    sizes: list[int] = []
    delete_runs = pruning._Pruner.delete_runs
    monkeypatch.setattr(
        pruning._Pruner,
        "delete_runs",
        lambda work, plans: (sizes.append(len(plans)), delete_runs(work, plans))[1],
    )
    for n in range(5):
        tell(reel, f"run-{n}", 100)
    prune(reel)
    assert sizes == [2, 2, 1]


PRUNE = """
import sys
from datetime import datetime, timezone
import runreel
reel = runreel.open(sys.argv[1])
print("ready", flush=True)
for run in reel.prune(datetime.now(timezone.utc), batch=10, keep_usage=True):
    print(run.run_id, flush=True)
"""

RUNS = 1_000


def fill(reel: Reel, runs: int) -> None:
    """Many runs, in few transactions."""
    batch = Batch(reel.db)
    said: dict[str, Any] = {"source": "plain", "via": "program", "clock": lambda: 10**18}
    for n in range(runs):
        recorder = Recorder(reel.db, f"run-{n:04d}", batch=batch, **said)
        recorder.append("stream_event", {"type": "PARTIAL_MESSAGE", "text": f"Hello, {n}"})
        recorder.append(
            "run", {"type": "COMPLETED", "usage": {"prompt_tokens": n, "completion_tokens": 0}}
        )
        recorder.close()
        if batch.is_full:
            batch.flush()
    batch.flush()


def test_who_is_killed_in_the_middle_leaves_no_run_half_gone(reel: Reel, db_url: str) -> None:
    fill(reel, RUNS)
    before = reel.usage(("day", "status"))
    seen = 0
    for after in (250, 500):
        child = subprocess.Popen(
            [sys.executable, "-c", PRUNE, db_url], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        for _ in range(after - seen):
            child.stdout.readline()
        child.send_signal(signal.SIGKILL)
        child.communicate()
        gone = len(reel.runs(recording="pruned", limit=0))
        assert after <= gone < RUNS
        lengths = dict.fromkeys(logs.run_ids(reel), 0)
        for row in logs.rows(reel):
            lengths[row.run_id] += 1
        assert sorted(lengths.values()) == [1] * gone + [4] * (RUNS - gone)
        assert reel.usage(("day", "status")) == before
        seen = gone
    whole(reel)
    assert len(prune(reel, 0, keep_usage=True)) == RUNS - seen
    assert {row.type for row in logs.rows(reel)} == {"pruned"}
    assert reel.usage(("day", "status")) == before
    whole(reel)


def test_the_bytes_leave_the_file(db_url: str, backend: str, tmp_path: Path) -> None:
    with runreel.open(db_url) as reel:
        for n in range(300):
            tell(reel, f"run-{n}", 100, labels={"of": SECRET}, model=SECRET)
        tell(reel, "young", 1)
        before = reel.size()
        assert len(prune(reel)) == 300
        space = reel.release()
        if backend == "postgresql":
            assert space.left
            assert reel.release(purge=True).after < before
            return
        assert (space.left, space.after) == ((), reel.size())
        assert space.unused
        assert space.after > space.unused
        assert b"run-1" in _bytes(tmp_path), "of each a tombstone"
        assert _bytes(tmp_path).count(SECRET.encode()) == 1, "the young one's"
        purged = reel.release(purge=True)
        assert purged.after <= before - space.unused
        assert purged.unused == 0
        whole(reel)


def _bytes(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.glob("log.db*"))


def test_the_redactor_of_postgres_may_prune_and_the_recorder_not(db_url: str, backend: str) -> None:
    if backend == "sqlite":
        # Who may write the file may prune; the triggers hold there as well.
        return
    with runreel.open(db_url) as reel:
        tell(reel, "old", 100)
        tell(reel, "old-too", 100)
    with roles(db_url) as url_of:
        refused = pytest.raises(LogError, match="permission denied")
        with runreel.open(url_of("recorder")) as recorder, refused:
            prune(recorder)
        with runreel.open(url_of("redactor")) as redactor:
            assert prune(redactor, batch=1, keep_usage=True) == {
                "old": "pruned",
                "old-too": "pruned",
            }
            redactor.release()
        with runreel.open(db_url) as reel:
            assert len(logs.rows(reel)) == 2
            whole(reel)


@contextlib.contextmanager
def roles(db_url: str) -> Iterator[Callable[[str], str]]:
    """The roles of ``db grants``, and where each of them finds the log."""
    tag = uuid.uuid4().hex[:8]
    names = {name: f"{name}_{tag}" for name in ("owner", "recorder", "reader", "redactor")}
    listed = ", ".join(names.values())
    with psycopg.connect(db_url, autocommit=True) as client:
        client.execute(grants.roles_sql(grants.Roles(**names)))
        for name in names.values():
            client.execute(f"ALTER ROLE {name} LOGIN")
        try:
            url = make_url(db_url)
            yield lambda role: url.set(username=names[role]).render_as_string(hide_password=False)
        finally:
            client.execute(f"REASSIGN OWNED BY {listed} TO CURRENT_USER")
            client.execute(f"DROP OWNED BY {listed}; DROP ROLE {listed}")
