"""How long a recorder waits: once for a lock, and in its patience for a database to come back."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
import time
from typing import TYPE_CHECKING

import psycopg
import pytest

import runreel
from runreel import PartialMessage, RunStreamEvent, StreamEvent
from runreel.model.errors import DatabaseLocked, DatabaseUnavailable, LogError, RecordingError
from runreel.model.events import STREAM_EVENT
from runreel.recording.group_commit import committer_of
from runreel.recording.recorder import Recorder
from runreel.store.drivers.sqlite import connecting as engines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from runreel.api.reel import Reel

PARTIAL = RunStreamEvent(StreamEvent.PARTIAL_MESSAGE, _message=PartialMessage(("x",)))
VALUE = {"type": "PARTIAL_MESSAGE", "text": "x"}
WAIT = 1.0
# What the machine needs beside waiting, generously: less than a second wait.
SLACK = 0.8 * WAIT


@contextlib.contextmanager
def locked(path: str) -> Iterator[None]:
    """Another connection holds the lock for writing."""
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        holder.close()


def partial(reel: Reel) -> None:
    reel.recording("begun").append(PARTIAL)


def end(reel: Reel) -> None:
    reel.recording("begun")._recorder.note("closed", {})


def new_run(reel: Reel) -> None:
    reel.recording("new").append(PARTIAL)


def in_a_loop(reel: Reel) -> None:
    made = [Recorder(reel.db, f"of-loop-{n}", source="plain", via="test") for n in range(5)]

    async def several() -> None:
        found = await asyncio.gather(
            *(one.aappend(STREAM_EVENT, VALUE) for one in made), return_exceptions=True
        )
        (first, *_) = found
        raise first

    asyncio.run(several())


def as_a_group(reel: Reel) -> None:
    made = [Recorder(reel.db, f"of-group-{n}", source="plain", via="test") for n in range(5)]
    units = [next(one._append_steps(one.interpret(STREAM_EVENT, VALUE))) for one in made]
    outcomes = committer_of(reel.db).commit_all(units)
    assert all(isinstance(outcome, LogError) for outcome in outcomes)
    raise outcomes[0]


def from_threads(reel: Reel) -> None:
    """Each begins a little later, and queues while another waits."""
    errors: list[BaseException] = []
    seconds: list[float] = []

    def append(number: int) -> None:
        time.sleep(0.05 * number)
        began = time.monotonic()
        try:
            reel.recording(f"thread-{number}").append(PARTIAL)
        except RecordingError as error:
            errors.append(error)
        seconds.append(time.monotonic() - began)

    threads = [threading.Thread(target=append, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(errors) == len(threads)
    assert max(seconds) < WAIT + SLACK
    raise errors[0]


@pytest.mark.parametrize("use", [partial, end, new_run, in_a_loop, as_a_group, from_threads])
def test_a_lock_is_waited_for_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, use: Callable[[Reel], None]
) -> None:
    monkeypatch.setattr(engines, "BUSY_SECONDS", WAIT)
    path = str(tmp_path / "log.db")
    with runreel.open(path) as reel:
        partial(reel)
        with locked(path):
            began = time.monotonic()
            with pytest.raises((DatabaseLocked, RecordingError), match="locked"):
                use(reel)
            assert 0.9 * WAIT < time.monotonic() - began < WAIT + SLACK
        use_again = time.monotonic()
        partial(reel)
        assert time.monotonic() - use_again < WAIT
        assert list(reel.verify()) == []


def test_the_time_of_a_group_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "BUSY_SECONDS", 0.05)
    path = str(tmp_path / "log.db")
    with runreel.open(path, patience=WAIT) as reel:
        partial(reel)
        with locked(path):
            began = time.monotonic()
            with pytest.raises(DatabaseLocked):
                as_a_group(reel)
            assert time.monotonic() - began < WAIT + SLACK


class Gone:
    """A database that cannot be reached until it is back."""

    def __init__(self, url: str, path: Path) -> None:
        self._url, self._path = url, path
        self._sqlite = "://" not in url
        self._name = (
            psycopg.conninfo.conninfo_to_dict(url).get("dbname") if not self._sqlite else ""
        )

    def go(self) -> None:
        if self._sqlite:
            self._path.rename(self._path.with_suffix(".gone"))
            return
        self._run(f'ALTER DATABASE "{self._name}" ALLOW_CONNECTIONS false')
        self._run(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            f" WHERE datname = '{self._name}'"
        )

    def come_back(self) -> None:
        if self._sqlite:
            self._path.with_suffix(".gone").rename(self._path)
        else:
            self._run(f'ALTER DATABASE "{self._name}" ALLOW_CONNECTIONS true')

    def _run(self, statement: str) -> None:
        server = psycopg.conninfo.make_conninfo(self._url, dbname="postgres")
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(statement)


@pytest.fixture
def gone(db_url: str, tmp_path: Path) -> Iterator[Gone]:
    made = Gone(db_url, tmp_path / "log.db")
    made.go()
    yield made
    with contextlib.suppress(FileNotFoundError):
        made.come_back()


def open_new(reel: Reel) -> None:
    reel.recording("run").append(PARTIAL)


def open_in_a_loop(reel: Reel) -> None:
    async def record() -> None:
        recorder = await asyncio.to_thread(Recorder, reel.db, "run", source="plain", via="test")
        await recorder.aappend(STREAM_EVENT, VALUE)

    asyncio.run(record())


@pytest.mark.parametrize("use", [open_new, open_in_a_loop])
def test_patience_covers_the_opening_of_a_recording(
    db_url: str, gone: Gone, use: Callable[[Reel], None]
) -> None:
    with runreel.open(db_url, patience=30, create=False) as reel:
        threading.Timer(0.5, gone.come_back).start()
        began = time.monotonic()
        use(reel)
        assert time.monotonic() - began > 0.3
        assert reel.run("run").events == 1


def test_patience_covers_reading_the_log_again_after_a_failure(db_url: str, tmp_path: Path) -> None:
    gone = Gone(db_url, tmp_path / "log.db")
    with runreel.open(db_url, create=False) as reel:
        recording = reel.recording("run")
        recording.append(PARTIAL)
        gone.go()
        with pytest.raises(RecordingError):
            recording.append(PARTIAL)
        reel.db.patience = 30.0
        threading.Timer(0.5, gone.come_back).start()
        recording.append(PARTIAL)
        # One that went into the file while that had another name is there, if not acknowledged.
        assert reel.run("run").events in ((2, 3) if "://" not in db_url else (2,))


def test_it_ends(db_url: str, gone: Gone) -> None:
    for patience in (0.0, 0.4):
        with runreel.open(db_url, patience=patience, create=False) as reel:
            began = time.monotonic()
            with pytest.raises(DatabaseUnavailable):
                open_new(reel)
            assert patience <= time.monotonic() - began < patience + 5
