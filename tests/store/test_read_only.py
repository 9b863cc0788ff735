"""Logs that may be read alone: in a directory of others, opened so by their URL."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import runreel
from runreel import PartialMessage, RunStreamEvent, StreamEvent
from runreel.model.errors import (
    BadDatabaseUrl,
    DatabaseReadOnly,
    DatabaseUnavailable,
    RecordingError,
)
from runreel.store import pool
from runreel.store.pool import MAX_CONNECTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PARTIAL = RunStreamEvent(StreamEvent.PARTIAL_MESSAGE, _message=PartialMessage(("x",)))


def record(reel: runreel.Reel, run_id: str) -> None:
    with reel.recording(run_id) as recording:
        recording.append(PARTIAL)


def refuses_to_write(reel: runreel.Reel) -> None:
    with pytest.raises(RecordingError) as caught:
        reel.recording("other").append(PARTIAL)
    assert isinstance(caught.value.__cause__, DatabaseReadOnly)
    assert caught.value.exit_code == 3
    with pytest.raises(DatabaseReadOnly):
        reel.rebuild()


def as_somebody_else(work: Callable[[], object]) -> None:
    """Do this in a child that is not root: root may write everywhere."""
    pid = os.fork()
    if not pid:
        status = 1
        try:
            if not os.getuid():
                os.setgroups([])
                os.setgid(65_534)
                os.setuid(65_534)
            work()
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0


@pytest.fixture
def folder() -> Iterator[Path]:
    """A directory that others may look into, with a log in it."""
    path = Path(tempfile.mkdtemp(prefix="runreel read-only "))
    with runreel.open(path / "log.db") as reel:
        record(reel, "run")
        assert reel.resolve("run") == "run"
    (path / "log.db").chmod(0o444)
    path.chmod(0o555)
    yield path
    path.chmod(0o755)
    shutil.rmtree(path)


def test_a_log_in_a_directory_of_others_can_be_read_and_not_written(folder: Path) -> None:
    def work() -> None:
        with runreel.open(folder / "log.db") as reel:
            assert [run.run_id for run in reel.runs()] == ["run"]
            assert [event.type for event in reel.events("run")][1] == "PARTIAL_MESSAGE"
            assert reel.rebuild(check=True) == []
            refuses_to_write(reel)
            assert reel.result("run").text == "x"

    as_somebody_else(work)
    assert [path.name for path in folder.iterdir()] == ["log.db"]


def test_a_log_that_its_owner_is_writing_can_be_read_by_others(folder: Path) -> None:
    folder.chmod(0o755)
    (folder / "log.db").chmod(0o644)
    with runreel.open(folder / "log.db") as owner:
        record(owner, "newer")

        def work() -> None:
            with runreel.open(folder / "log.db") as reel:
                assert [run.run_id for run in reel.runs()] == ["newer", "run"]
                refuses_to_write(reel)

        as_somebody_else(work)
        record(owner, "newest")
        assert len(owner.runs()) == 3


def test_a_url_that_says_read_only_creates_nothing(tmp_path: Path) -> None:
    for mode in ("mode=ro", "mode=rw", "immutable=1"):
        url = f"sqlite:///file:{tmp_path}/none.db?{mode}&uri=true"
        with (
            runreel.open(url) as reel,
            pytest.raises(DatabaseUnavailable, match="there is no database at"),
        ):
            reel.runs()
    assert list(tmp_path.iterdir()) == []


def test_a_name_with_escapes_is_the_file_that_it_spells(tmp_path: Path) -> None:
    (tmp_path / "a b%c").mkdir()
    with runreel.open(f"sqlite:///file:{tmp_path}/a%20b%25c/log.db?uri=true") as reel:
        record(reel, "run")
    assert [path.name for path in tmp_path.iterdir()] == ["a b%c"]
    with runreel.open(tmp_path / "a b%c" / "log.db", create=False) as reel:
        assert len(reel.runs()) == 1


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("sqlite://log.db", "three slashes"),
        ("sqlite://logs/log.db", "three slashes"),
        ("sqlite://me@host/log.db", "three slashes"),
        ("sqlite:///log.db?mode=ro", "uri=true"),
        ("sqlite:///file:log.db?mode=memory&uri=true", "in memory"),
        ("sqlite:///file::memory:?uri=true", "in memory"),
    ],
)
def test_urls_of_sqlite_that_would_mean_something_else_are_refused(
    url: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadDatabaseUrl, match=reason):
        runreel.open(url)
    assert list(tmp_path.iterdir()) == []


def test_what_goes_wrong_in_a_caller_is_not_told_as_an_error_of_the_database(
    reel: runreel.Reel,
) -> None:
    def broken(*_: int) -> None:
        raise BrokenPipeError

    record(reel, "run")
    for check in (True, False):
        with pytest.raises(BrokenPipeError):
            reel.rebuild(check=check, progress=broken)


def test_readers_beyond_what_a_pool_holds_are_told_so(
    reel: runreel.Reel, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(reel, "run")
    monkeypatch.setattr(pool, "WAIT_SECONDS", 0.01)
    monkeypatch.setattr(pool, "MAX_CONNECTIONS", pool.MAX_IDLE)
    reel.close()
    with ExitStack() as held, pytest.raises(DatabaseUnavailable, match="too many"):
        for _ in range(5):
            held.enter_context(reel.db.reading())
    assert len(reel.runs()) == 1


def test_half_read_iterators_and_readers_keep_no_recorder_out(
    reel: runreel.Reel, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(reel, "run")
    monkeypatch.setattr(pool, "WAIT_SECONDS", 0.01)
    half_read = [reel.events("run") for _ in range(2 * MAX_CONNECTIONS)]
    half_read += [reel.replay("run", instant=True) for _ in range(2 * MAX_CONNECTIONS)]
    rest = [next(events) for events in half_read]
    with reel.recording("other") as recording:
        recording.append(PARTIAL)
        with ExitStack() as held:
            for _ in range(MAX_CONNECTIONS):
                held.enter_context(reel.db.reading())
            recording.append(PARTIAL)
    assert reel.run("other").recording == "closed"
    assert all(list(events) for events in half_read[: 2 * MAX_CONNECTIONS])
    assert rest
