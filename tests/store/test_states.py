"""Databases as they are found: missing, locked, read-only, badly named, shared with a child."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import runreel
from runreel import PartialMessage, RunStreamEvent, StreamEvent
from runreel.model.errors import (
    BadDatabaseUrl,
    BadInput,
    DatabaseLocked,
    DatabaseReadOnly,
    DatabaseUnavailable,
    NotOurDatabase,
)
from runreel.store.drivers.sqlite import connecting as engines

if TYPE_CHECKING:
    from pathlib import Path

PARTIAL = RunStreamEvent(StreamEvent.PARTIAL_MESSAGE, _message=PartialMessage(("Hello",)))


def record(reel: runreel.Reel, run_id: str = "run") -> None:
    with reel.recording(run_id) as recording:
        recording.append(PARTIAL)


def test_a_missing_file_is_created_by_writers_and_named_to_readers(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "log.db"
    reader = runreel.open(path, create=False)
    with reader, pytest.raises(DatabaseUnavailable, match="no database at"):
        reader.runs()
    assert not path.parent.exists()
    with runreel.open(path) as reel:
        record(reel)
    with runreel.open(path, create=False) as reel:
        assert [run.run_id for run in reel.runs()] == ["run"]


def test_asking_for_the_revision_of_a_missing_file_creates_none(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with runreel.open(path) as reel, pytest.raises(DatabaseUnavailable, match="no database at"):
        reel.db.current()
    assert not path.exists()


def test_a_directory_is_no_database(tmp_path: Path) -> None:
    with runreel.open(tmp_path) as reel, pytest.raises(DatabaseUnavailable, match="is a directory"):
        reel.runs()


def test_a_file_that_is_not_sqlite_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("these are my notes, and longer than a header of a hundred bytes\n" * 9)
    before = path.read_bytes()
    with runreel.open(path) as reel, pytest.raises(NotOurDatabase):
        record(reel)
    assert path.read_bytes() == before


def test_files_are_private_whatever_the_umask(tmp_path: Path) -> None:
    program = (
        "import os, sys, runreel; os.umask(0)\n"
        "reel = runreel.open(sys.argv[1]); recording = reel.recording('run')\n"
        "recording.append(runreel.RunStreamEvent(runreel.StreamEvent.DONE))\n"
        "print(*sorted(os.listdir(os.path.dirname(sys.argv[1]))))\n"
        "os._exit(0)\n"
    )
    path = tmp_path / "data" / "log.db"
    subprocess.run([sys.executable, "-c", program, path], check=True, stdout=subprocess.DEVNULL)
    found = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert found == {"log.db": 0o600, "log.db-wal": 0o600, "log.db-shm": 0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_locked_file_is_waited_for_and_then_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "BUSY_SECONDS", 0.2)
    path = tmp_path / "log.db"
    with runreel.open(path) as reel:
        record(reel)
        holder = sqlite3.connect(path, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(runreel.RecordingError) as caught:
            reel.recording("other").append(PARTIAL)
        assert isinstance(caught.value.__cause__, DatabaseLocked)
        assert caught.value.exit_code == 3
        assert caught.value.event is PARTIAL
        assert [run.run_id for run in reel.runs()] == ["run"]
        holder.execute("COMMIT")
        holder.close()
        record(reel, "other")
        assert len(reel.runs()) == 2


def test_a_read_only_file_can_be_read_and_not_written(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with runreel.open(path) as reel:
        record(reel)
    with runreel.open(f"sqlite:///file:{path}?mode=ro&uri=true") as reel:
        assert [run.run_id for run in reel.runs()] == ["run"]
        with pytest.raises(runreel.RecordingError) as caught:
            reel.recording("other").append(PARTIAL)
        assert isinstance(caught.value.__cause__, DatabaseReadOnly)
        with pytest.raises(DatabaseReadOnly):
            reel.rebuild()


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("mysql://me@host/log", "not 'mysql'"),
        ("nonsense://", "not 'nonsense'"),
        ("://", "not a database URL"),
        ("sqlite://", "in memory"),
        ("sqlite:///:memory:", "in memory"),
        ("postgresql://host:port/log", "not a database URL"),
    ],
)
def test_a_bad_url_says_what_is_wrong_with_it(url: str, reason: str) -> None:
    with pytest.raises(BadDatabaseUrl, match=reason):
        runreel.open(url)


SECRET = "s3cr3t"  # noqa: S105 - it is made up


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://me:{SECRET}@127.0.0.1:1/log",
        f"postgresql+psycopg://me:{SECRET}@127.0.0.1:1/log",
        f"postgres://me:{SECRET}@127.0.0.1:1/log",
        f"postgresql://me@127.0.0.1:1/log?password={SECRET}",
        f"postgresql://me@127.0.0.1:1/log?sslpassword={SECRET}",
        f"postgresql://me:p%40{SECRET}@127.0.0.1:1/log",
    ],
)
def test_a_server_that_does_not_answer_is_named_without_its_password(url: str) -> None:
    with runreel.open(url) as reel, pytest.raises(DatabaseUnavailable) as caught:
        reel.runs()
    causes = [caught.value, caught.value.__cause__, reel.url_shown, caught.value.hint]
    assert not any(SECRET in str(cause) for cause in causes)
    assert "127.0.0.1:1/log" in str(caught.value)


def test_a_password_with_an_unescaped_at_sign_is_refused_and_not_shown() -> None:
    with pytest.raises(BadDatabaseUrl, match="%40") as caught:
        runreel.open(f"postgresql://me:p@{SECRET}@127.0.0.1:1/log")
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("run_id", ["", "x" * 201, "a\nb", "a\0b", "\x1b[31m", "\ud800", "latest"])
def test_a_run_cannot_be_called_so_and_nothing_is_written(reel: runreel.Reel, run_id: str) -> None:
    with pytest.raises(BadInput):
        reel.recording(run_id)
    assert len(reel.runs()) == 0


@pytest.mark.parametrize("run_id", ["x" * 200, "рун", "a b", "../etc", "'; --", "%", "Latest", "🎞"])
def test_a_run_can_be_called_so(reel: runreel.Reel, run_id: str) -> None:
    record(reel, run_id)
    assert reel.run(run_id).events == 1
    assert reel.resolve(run_id) == run_id


def test_a_forked_child_and_its_parent_both_go_on(reel: runreel.Reel) -> None:
    parent = reel.recording("parent")
    parent.append(PARTIAL)
    child = os.fork()
    if not child:
        status = 1
        try:
            for n in range(20):
                record(reel, f"child-{n}")
            status = 0
        finally:
            os._exit(status)
    for _ in range(20):
        parent.append(PARTIAL)
    parent.close()
    assert os.waitpid(child, 0)[1] == 0
    assert reel.run("parent").events == 21
    assert {run.run_id for run in reel.runs(limit=0)} == {
        "parent",
        *(f"child-{n}" for n in range(20)),
    }
    assert reel.rebuild(check=True) == []


def test_threads_share_a_reel_that_nobody_has_used_yet(db_url: str) -> None:
    import threading

    with runreel.open(db_url) as reel:
        threads = [
            threading.Thread(target=record, args=(reel, f"run-{n}"), daemon=True) for n in range(16)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
        assert len(reel.runs(limit=0)) == 16


def test_a_closed_reel_opens_again(reel: runreel.Reel) -> None:
    record(reel, "one")
    reel.close()
    record(reel, "two")
    assert len(reel.runs()) == 2
