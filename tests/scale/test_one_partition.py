"""Whose partitions of the log the server reads or writes, as it counts by itself."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

import runreel
from runreel import PartialMessage, RunResult, RunStatus, RunStreamEvent, StreamEvent, Usage
from runreel.importing.import_files import import_files
from runreel.model.events import STREAM_EVENT
from runreel.recording.recorder import Recorder
from runreel.store.database import Database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from runreel.api.reel import Reel

PARTITIONS = 16
KNOWN = [f"known-{n}" for n in range(60)]
# What the server counts of a table: scans of all of it, of its indexes, and rows that changed.
_COUNTED = "seq_scan + coalesce(idx_scan, 0) + n_tup_ins + n_tup_upd + n_tup_del"
_COUNTS = f"SELECT relname, {_COUNTED} FROM pg_stat_all_tables WHERE relname ~ '^events_p'"
_OTHERS = """
SELECT count(*) FROM pg_stat_activity
 WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""


class Watched:
    """A log in partitions, and what is done with each of them."""

    def __init__(self, url: str) -> None:
        self.url = url

    def touched(self, work: Callable[[Reel], object]) -> set[str]:
        """The partitions that are read or written when this is done."""
        before = self._counts()
        with runreel.open(self.url) as reel:
            work(reel)
        after = self._counts()
        return {name for name in after if after[name] != before[name]}

    def of(self, *run_ids: str) -> set[str]:
        """The partitions that these runs are in."""
        sql = "SELECT DISTINCT tableoid::regclass::text FROM events WHERE run_id = ANY (%s)"
        with psycopg.connect(self.url) as client:
            return {name for (name,) in client.execute(sql, (list(run_ids),))}

    def _counts(self) -> dict[str, int]:
        # A connection tells what it did when it ends, at the latest.
        with psycopg.connect(self.url, autocommit=True) as client:
            end = time.monotonic() + 30
            while client.execute(_OTHERS).fetchone() != (0,):
                assert time.monotonic() < end, "somebody still uses the log"
                time.sleep(0.005)
            return dict(client.execute(_COUNTS).fetchall())


@pytest.fixture(scope="module")
def watched(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A log with some runs in every partition, which the server has looked at."""
    name = f"runreel_watched_{tmp_path_factory.mktemp('x').parent.name.replace('-', '_')}"
    with psycopg.connect(postgres_url, autocommit=True) as client:
        client.execute(f'CREATE DATABASE "{name}"')
        url = postgres_url.replace("/postgres?", f"/{name}?")
        database = Database(url)
        database.upgrade(partitions=PARTITIONS)
        database.close()
        with runreel.open(url) as reel:
            for run_id in KNOWN:
                record(reel, run_id)
        with psycopg.connect(url, autocommit=True) as inside:
            # So that it knows how small they are, and how cheap it would be to read all of them.
            inside.execute("VACUUM ANALYZE")
        made = Watched(url)
        assert len(made.of(*KNOWN)) == PARTITIONS
        yield made
        client.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def partial(text: str) -> RunStreamEvent[str]:
    return RunStreamEvent(StreamEvent.PARTIAL_MESSAGE, _message=PartialMessage((text,)))


def told(n: int) -> dict[str, str]:
    return {"type": "PARTIAL_MESSAGE", "text": "word " * n}


def record(reel: Reel, run_id: str, *, texts: int = 4) -> None:
    with reel.recording(run_id, model="large", labels={"team": "search"}) as recording:
        for n in range(texts):
            recording.append(partial("word " * n))
        recording.result(RunResult(RunStatus.COMPLETED, usage=Usage(10, 15, 5)))


def record_for_long(reel: Reel) -> None:
    # The server plans a statement anew for the first five times, and then for all that follow.
    record(reel, "long", texts=30)


def go_on(reel: Reel) -> None:
    with reel.recording("known-1") as recording:
        recording.append(partial("more"))


def say_again(reel: Reel) -> None:
    for _ in range(2):
        with reel.recording("again") as recording:
            for n in range(3):
                recording.offer(STREAM_EVENT, told(n))


def lose_a_race(reel: Reel) -> None:
    with reel.recording("race") as first, reel.recording("race") as second:
        for text in ("a", "b", "c"):
            first.append(partial(text))
            second.append(partial(text * 2))


def leave_open(reel: Reel) -> None:
    reel.recording("left").append(partial("and"))


APPENDS = {
    "a run": (lambda reel: record(reel, "new"), ["new"]),
    "a long run": (record_for_long, ["long"]),
    "more of a run": (go_on, ["known-1"]),
    "an event told again": (say_again, ["again"]),
    "two recorders of a run": (lose_a_race, ["race"]),
    "a run without an end": (leave_open, ["left"]),
}


@pytest.mark.parametrize("name", APPENDS)
def test_to_append_to_a_run_touches_its_partition_alone(watched: Watched, name: str) -> None:
    work, run_ids = APPENDS[name]
    touched = watched.touched(work)
    assert touched == watched.of(*run_ids)
    assert len(touched) == 1


@pytest.mark.parametrize("many", [1, 3, 8])
def test_a_group_commit_touches_those_of_its_runs_alone(watched: Watched, many: int) -> None:
    """Each row goes to one; that they are of several runs makes the statement go to several."""
    run_ids = [f"group-{many}-{n}" for n in range(many)]

    async def one(recorder: Recorder) -> None:
        for n in range(10):
            await recorder.aappend(STREAM_EVENT, told(n))
        await recorder.aclose()

    async def all_of_them(reel: Reel) -> None:
        recorders = [Recorder(reel.db, run_id, source="plain", via="test") for run_id in run_ids]
        await asyncio.gather(*map(one, recorders))

    touched = watched.touched(lambda reel: asyncio.run(all_of_them(reel)))
    assert touched == watched.of(*run_ids)
    assert len(touched) < PARTITIONS


def test_an_import_touches_those_of_its_runs_alone(watched: Watched, tmp_path: Path) -> None:
    path = tmp_path / "told.jsonl"
    line = '{"type": "run", "data": {"id": "%s", "state": {"status": "PENDING"}}}\n'
    path.write_text("".join(line % f"told-{n}" for n in range(3)))
    for _ in range(2):
        touched = watched.touched(lambda reel: import_files(reel.db, [str(path)]))
        assert touched == watched.of("told-0", "told-1", "told-2")


ONE = ["known-7"]
OF_ONE_RUN: dict[str, Callable[[Reel], Any]] = {
    "events": lambda reel: list(reel.events("known-7")),
    "result": lambda reel: reel.result("known-7"),
    "replay": lambda reel: list(reel.replay("known-7", speed=1e6)),
    "verify": lambda reel: list(reel.verify(ONE)),
    "rebuild": lambda reel: reel.rebuild(ONE),
    "redact": lambda reel: list(reel.redact(ONE, seqs=[1], reason="asked for", actor="us")),
}
OF_NONE: dict[str, Callable[[Reel], Any]] = {
    "runs": lambda reel: reel.runs(labels={"team": "search"}).items,
    "usage": lambda reel: reel.usage(("model", "day")),
}
OF_ALL: dict[str, Callable[[Reel], Any]] = {
    "verify": lambda reel: list(reel.verify()),
    "rebuild": lambda reel: reel.rebuild(),
    "search": lambda reel: list(
        reel.redact(None, "nothing", reason="asked for", actor="us", dry_run=True)
    ),
    "rebuild --check": lambda reel: reel.rebuild(check=True),
    "status": lambda reel: reel.db.status(),
}


@pytest.mark.parametrize("name", OF_ONE_RUN)
def test_what_is_about_one_run_touches_its_partition_alone(watched: Watched, name: str) -> None:
    assert watched.touched(OF_ONE_RUN[name]) == watched.of(*ONE)


@pytest.mark.parametrize("name", OF_NONE)
def test_lists_and_reports_touch_no_partition(watched: Watched, name: str) -> None:
    assert watched.touched(OF_NONE[name]) == set()


@pytest.mark.parametrize("name", OF_ALL)
def test_what_is_about_all_events_touches_all(watched: Watched, name: str) -> None:
    """As the docs say; and it shows that the server does count."""
    assert watched.touched(OF_ALL[name]) == watched.of(*KNOWN)
