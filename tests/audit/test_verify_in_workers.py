"""A log that several processes verify: they find what one finds, however it is damaged."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import runreel
from runreel.audit import verify_spans
from runreel.audit.log_audit import VerifiedCounts
from runreel.audit.verify import verify
from runreel.importing.import_files import import_files
from runreel.model.columns import RUNS
from runreel.store.worker_process import WorkerLost
from tests import logs, traffic
from tests.audit import flips
from tests.inline_pool import Inline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from runreel import Reel
    from runreel.model.finding import Finding
    from runreel.store.connection import Connection

SHORT = [f"run-{number:03d}" for number in range(30)]


@pytest.fixture(autouse=True)
def small_spans(monkeypatch) -> None:
    monkeypatch.setattr(verify_spans, "_RUNS", 3)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log that has some of everything."""
    path: Path = tmp_path_factory.mktemp("whole") / "whole.db"
    flips.make(path)
    return path


@pytest.fixture
def told(reel: Reel, tmp_path: Path) -> Reel:
    """A log of many short runs."""
    lines = [line for run_id in SHORT for line in traffic.streamed(run_id, "A word or two")]
    import_files(reel.db, [traffic.write(tmp_path / "lines.jsonl", lines)])
    return reel


def findings(reel: Reel, *, inline: bool) -> tuple[list[Finding] | str, VerifiedCounts]:
    counts = VerifiedCounts()
    pool: Any = Inline(reel.db) if inline else None
    try:
        with reel.db.reading(checked=False) as connection:
            return list(verify(connection, pool=pool, counts=counts)), counts
    except Exception as error:  # noqa: BLE001 - any may be raised for a damaged file
        return f"{type(error).__name__}: {error}", VerifiedCounts()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_is_found_alike(whole: Path, tmp_path: Path, place: float, bit: int) -> None:
    flipped = bytearray(whole.read_bytes())
    flipped[int(place * len(flipped))] ^= 1 << bit
    copy = tmp_path / "flipped.db"
    for left in tmp_path.glob("flipped.db*"):
        left.unlink()
    copy.write_bytes(flipped)
    with runreel.open(copy) as reel:
        assert findings(reel, inline=True) == findings(reel, inline=False)


def test_every_wrong_column_is_named(told: Reel) -> None:
    columns = [name for name in RUNS if name not in ("run_id", "result")]
    with told.db.writing() as connection, connection.transaction():
        kept = dict(zip(RUNS, connection.one(f"SELECT {', '.join(RUNS)} FROM runs"), strict=True))
        texts = {name for name in columns if isinstance(kept[name], str)}
        for run_id, name in zip(SHORT, columns, strict=False):
            change = f"{name} || 'x'" if name in texts else f"coalesce({name}, 0) + 1"
            if kept[name] is None:
                continue
            connection.execute(f"UPDATE runs SET {name} = {change} WHERE run_id = ?", (run_id,))
    changed = {
        (run_id, name)
        for run_id, name in zip(SHORT, columns, strict=False)
        if kept[name] is not None and name != "projected_seq"
    }
    alone, counts = findings(told, inline=False)
    assert (alone, counts) == findings(told, inline=True)
    named = {(one.run_id, one.detail.split()[0]) for one in alone if not isinstance(one, str)}
    assert changed
    assert changed <= named


def test_processes_find_what_one_finds(told: Reel) -> None:
    assert list(told.verify(jobs=2)) == []
    with logs.unguarded(told):
        logs.execute(told, "UPDATE events SET payload = 'x' WHERE run_id = 'run-004' AND seq = 1")
    logs.execute(told, "UPDATE runs SET status = 'FAILED' WHERE run_id = 'run-020'")
    logs.execute(told, "DELETE FROM run_text WHERE run_id = 'run-029'")
    done: list[tuple[int, int]] = []
    alone = list(told.verify())
    assert {one.run_id for one in alone} == {"run-004", "run-020", "run-029"}
    assert list(told.verify(jobs=3, progress=lambda *step: done.append(step))) == alone
    assert done[-1][0] == done[-1][1]
    assert sorted(done) == done


def test_a_run_that_is_added_between_spans_is_verified(told: Reel, tmp_path: Path) -> None:
    class Growing(Inline):
        def map(self, parts: Iterable[Callable[[Connection], Any]]) -> Iterator[Any]:
            for number, result in enumerate(super().map(parts)):
                if not number:
                    lines = traffic.streamed("run-002-later", "More")
                    import_files(told.db, [traffic.write(tmp_path / "more.jsonl", lines)])
                yield result

    counts, pool = VerifiedCounts(), Growing(told.db)
    with told.db.reading() as connection:
        assert not list(verify(connection, pool=pool, counts=counts))  # type: ignore[arg-type]
    assert counts.runs in {len(SHORT), len(SHORT) + 1}


def test_a_process_that_was_killed_is_told_of(told: Reel, monkeypatch) -> None:
    monkeypatch.setattr(verify_spans, "verify_span", killed)
    with pytest.raises(WorkerLost, match="has ended"):
        list(told.verify(jobs=2))


def killed(connection: Connection, span: object) -> None:
    del connection, span
    os.kill(os.getpid(), signal.SIGKILL)


def test_the_command_prints_the_same(told: Reel) -> None:
    logs.execute(told, "UPDATE runs SET status = 'FAILED' WHERE run_id = 'run-020'")
    printed = [command(told, "verify", "-o", "jsonl", "-j", jobs) for jobs in ("1", "2")]
    assert printed[0] == printed[1]
    assert "run-020" in printed[0]


def command(reel: Reel, *words: str) -> str:
    line = [sys.executable, "-m", "runreel", *words]
    settings_ = os.environ | {"RUNREEL_DB": reel.db.url.text, "DO_NOT_TRACK": "true"}
    done = subprocess.run(line, env=settings_, check=False, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    return done.stdout
