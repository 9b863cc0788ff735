"""How long a recorder waits: once for a lock, and in its patience for a database to come back."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

import runreel
from runreel import PartialMessage, RunStreamEvent, StreamEvent
from runreel.model.errors import DatabaseLocked, DatabaseUnavailable, LogError, RecordingError
from runreel.model.events import STREAM_EVENT
from runreel.recording import group_commit
from runreel.recording.group_commit import committer_of
from runreel.recording.recorder import Recorder
from runreel.store import database as database_module
from runreel.store.database import Database
from runreel.store.drivers.sqlite import connecting as engines
from runreel.system import backoff

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from runreel.api.reel import Reel

PARTIAL = RunStreamEvent(StreamEvent.PARTIAL_MESSAGE, _message=PartialMessage(("x",)))
VALUE = {"type": "PARTIAL_MESSAGE", "text": "x"}


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
    """All others queue while the first waits."""
    errors: list[BaseException] = []
    committer = committer_of(reel.db)
    write = reel.db.write
    others = [threading.Thread(target=append, args=(reel, n, errors)) for n in range(1, 6)]

    def write_while_others_queue(*arguments: Any) -> Any:
        try:
            return write(*arguments)
        except DatabaseLocked:
            if not others[0].ident:
                for thread in others:
                    thread.start()
                while len(committer._queue) < len(others):
                    time.sleep(0.001)
            raise

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reel.db, "write", write_while_others_queue)
        append(reel, 0, errors)
        for thread in others:
            thread.join()
    assert len(errors) == 6
    raise errors[0]


def append(reel: Reel, number: int, errors: list[BaseException]) -> None:
    try:
        reel.recording(f"thread-{number}").append(PARTIAL)
    except RecordingError as error:
        errors.append(error)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each wait for a lock that ended in vain, from now on."""
    found: list[str] = []
    failed = Database._failed

    def watched_failed(database: Database, error: BaseException) -> LogError | None:
        ours = failed(database, error)
        writer = database._writer
        if isinstance(ours, DatabaseLocked) and writer is not None and writer.waits:
            found.append(str(ours))
        return ours

    monkeypatch.setattr(engines, "BUSY_SECONDS", 0.1)
    monkeypatch.setattr(Database, "_failed", watched_failed)
    return found


@pytest.mark.parametrize("use", [partial, end, new_run, in_a_loop, as_a_group, from_threads])
def test_a_lock_is_waited_for_once(
    tmp_path: Path, waits: list[str], use: Callable[[Reel], None]
) -> None:
    path = str(tmp_path / "log.db")
    with runreel.open(path) as reel:
        partial(reel)
        with locked(path):
            with pytest.raises((DatabaseLocked, RecordingError), match="locked"):
                use(reel)
            assert len(waits) == 1
        partial(reel)
        assert len(waits) == 1
        assert list(reel.verify()) == []


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds of each pause before a retry; they pass on a clock of their own, at once."""
    found: list[float] = []
    clock = SimpleNamespace(monotonic=lambda: sum(found), sleep=found.append)
    for module in (backoff, database_module, group_commit):
        monkeypatch.setattr(module, "time", clock)
    return found


def test_the_time_of_a_group_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    monkeypatch.setattr(engines, "BUSY_SECONDS", 0.001)
    path = str(tmp_path / "log.db")
    with runreel.open(path, patience=1) as reel:
        partial(reel)
        with locked(path), pytest.raises(DatabaseLocked):
            as_a_group(reel)
    assert len(pauses) > 3
    assert sum(pauses) == pytest.approx(1)


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


@pytest.fixture
def returning(gone: Gone, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds of each pause before a retry; in the second one the database comes back."""
    found: list[float] = []

    def sleep(seconds: float) -> None:
        found.append(seconds)
        if len(found) == 2:
            gone.come_back()

    clock = SimpleNamespace(monotonic=time.monotonic, sleep=sleep)
    monkeypatch.setattr(backoff, "time", clock)
    return found


@pytest.mark.parametrize("use", [open_new, open_in_a_loop])
def test_patience_covers_the_opening_of_a_recording(
    db_url: str, gone: Gone, returning: list[float], use: Callable[[Reel], None]
) -> None:
    gone.go()
    with runreel.open(db_url, patience=30, create=False) as reel:
        use(reel)
        assert len(returning) == 2
        assert reel.run("run").events == 1


def test_patience_covers_reading_the_log_again_after_a_failure(
    db_url: str, gone: Gone, returning: list[float]
) -> None:
    with runreel.open(db_url, create=False) as reel:
        recording = reel.recording("run")
        recording.append(PARTIAL)
        gone.go()
        with pytest.raises(RecordingError):
            recording.append(PARTIAL)
        assert returning == []
        reel.db.patience = 30.0
        recording.append(PARTIAL)
        assert len(returning) == 2
        # One that went into the file while that had another name is there, if not acknowledged.
        assert reel.run("run").events in ((2, 3) if "://" not in db_url else (2,))


@pytest.mark.parametrize("patience", [0.0, 0.4])
def test_it_ends(db_url: str, gone: Gone, pauses: list[float], patience: float) -> None:
    gone.go()
    with (
        runreel.open(db_url, patience=patience, create=False) as reel,
        pytest.raises(DatabaseUnavailable),
    ):
        open_new(reel)
    assert sum(pauses) == pytest.approx(patience)
