"""The file of a log is moved, deleted or replaced while somebody records into it."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import pytest

import runreel
from runreel import PartialMessage, RunStreamEvent, StreamEvent
from runreel.model.errors import DatabaseUnavailable, RecordingError
from runreel.model.events import STREAM_EVENT
from runreel.recording.group_commit import committer_of
from runreel.recording.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from runreel.api.reel import Reel
    from runreel.recording.append_unit import AppendUnit
    from runreel.recording.session import Recording

BEFORE = 5


def partial(number: int) -> RunStreamEvent:
    text = "word " * (number + 1)
    return RunStreamEvent(StreamEvent.PARTIAL_MESSAGE, _message=PartialMessage((text,)))


def record(path: Path, run_id: str, count: int = BEFORE) -> None:
    with runreel.open(path) as reel, reel.recording(run_id) as recording:
        for number in range(count):
            recording.append(partial(number))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    return folder / "log.db"


@pytest.fixture
def reel(path: Path) -> Iterator[Reel]:
    with runreel.open(path) as opened:
        yield opened


@pytest.fixture
def recording(reel: Reel) -> Recording:
    begun = reel.recording("run")
    for number in range(BEFORE):
        begun.append(partial(number))
    return begun


def aside(path: Path) -> Path:
    return path.with_name("aside.db")


def is_deleted(path: Path) -> None:
    path.unlink()


def is_deleted_with_all(path: Path) -> None:
    for file in path.parent.iterdir():
        file.unlink()


def is_moved(path: Path) -> None:
    path.rename(aside(path))


def has_its_folder_moved(path: Path) -> None:
    path.parent.rename(path.parent.with_name("elsewhere"))


def is_replaced_by_an_empty_one(path: Path) -> None:
    is_moved(path)
    path.touch()


def is_replaced_by_another_log(path: Path) -> None:
    other = path.parent.parent / "other.db"
    record(other, "of the other")
    other.replace(path)


WAYS = [
    is_deleted,
    is_deleted_with_all,
    is_moved,
    has_its_folder_moved,
    is_replaced_by_an_empty_one,
    is_replaced_by_another_log,
]


def append(reel: Reel, recording: Recording) -> None:
    recording.append(partial(BEFORE))


def close(reel: Reel, recording: Recording) -> None:
    recording.close()


def result(reel: Reel, recording: Recording) -> None:
    recording.result(runreel.RunResult(runreel.RunStatus.COMPLETED))


def begin_another(reel: Reel, recording: Recording) -> None:
    reel.recording("another").append(partial(0))


def append_in_a_loop(reel: Reel, recording: Recording) -> None:
    asyncio.run(recording._recorder.aappend(STREAM_EVENT, {"type": "PARTIAL_MESSAGE", "text": "a"}))


def append_in_a_group(reel: Reel, recording: Recording) -> None:
    made = [Recorder(reel.db, f"of-group-{n}", source="plain", via="test") for n in range(3)]
    value = {"type": "PARTIAL_MESSAGE", "text": "a"}
    units: list[AppendUnit] = [
        next(one._append_steps(one.interpret(STREAM_EVENT, value))) for one in made
    ]
    outcomes = committer_of(reel.db).commit_all(units)
    assert all(isinstance(outcome, DatabaseUnavailable) for outcome in outcomes)
    raise outcomes[0]


def read(reel: Reel, recording: Recording) -> None:
    reel.runs()


USES = [
    append,
    close,
    result,
    begin_another,
    append_in_a_loop,
    append_in_a_group,
    read,
]


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("gone", WAYS)
def test_whoever_uses_it_hears_of_it_at_once_and_each_time(
    reel: Reel, path: Path, recording: Recording, gone: Callable[..., None], use
) -> None:
    made = ("of the other", "empty") if "replaced" in gone.__name__ else ()
    gone(path)
    before = path.stat() if made else None
    for _ in range(3):
        with pytest.raises(
            (RecordingError, DatabaseUnavailable), match="while it was open"
        ) as told:
            use(reel, recording)
        assert told.value.exit_code == 3
        assert "reopen the log" in str(told.value.hint)
    with suppress(RecordingError, DatabaseUnavailable):
        reel.close()
    # Nothing was made in its place, and nothing was written to what is there.
    if before is None:
        assert not path.exists()
    else:
        assert (path.stat().st_ino, path.stat().st_size) == (before.st_ino, before.st_size)


@pytest.mark.parametrize("gone", WAYS)
def test_at_normal_durability_it_is_noticed_a_moment_later(
    path: Path, gone: Callable[..., None]
) -> None:
    with runreel.open(path, durability="normal") as reel:
        recording = reel.recording("run")
        recording.append(partial(0))
        gone(path)
        time.sleep(0.02)
        for _ in range(3):
            with pytest.raises(RecordingError, match="while it was open"):
                recording.append(partial(1))


def test_what_was_acknowledged_before_is_in_the_file_that_was_moved(
    reel: Reel, path: Path, recording: Recording
) -> None:
    is_moved(path)
    with pytest.raises(RecordingError):
        recording.append(partial(BEFORE))
    reel.close()
    # The file alone has it all: what stays beside its old name is empty.
    assert path.with_name("log.db-wal").stat().st_size == 0
    alone = shutil.copy(aside(path), path.parent.parent / "alone.db")
    with runreel.open(alone) as kept:
        texts = [event.text for event in kept.events("run", type="PARTIAL_MESSAGE")]
        assert texts[:BEFORE] == ["word " * (number + 1) for number in range(BEFORE)]
        assert list(kept.verify()) == []


@pytest.mark.parametrize("gone", [is_deleted, is_moved, is_deleted_with_all])
def test_the_next_run_begins_a_log_that_every_command_can_use(
    reel: Reel, path: Path, recording: Recording, gone: Callable[..., None]
) -> None:
    gone(path)
    with pytest.raises(RecordingError):
        recording.append(partial(BEFORE))
    # Here or in another process.
    reel.close()
    record(path, "next")
    assert [run.run_id for run in reel.runs()] == ["next"]
    assert list(reel.verify()) == []


def test_a_recording_goes_on_once_the_file_is_back(
    reel: Reel, path: Path, recording: Recording
) -> None:
    is_moved(path)
    with pytest.raises(RecordingError):
        recording.append(partial(BEFORE))
    aside(path).rename(path)
    recording.append(partial(BEFORE + 1))
    recording.close()
    texts = [event.text for event in reel.events("run", type="PARTIAL_MESSAGE")]
    assert texts[-1] == "word " * (BEFORE + 2)
    assert list(reel.verify()) == []


def test_patience_waits_for_the_file_to_come_back(path: Path) -> None:
    with runreel.open(path, patience=30) as patient, patient.recording("run") as recording:
        recording.append(partial(0))
        is_moved(path)
        back = subprocess.Popen(["sh", "-c", f"sleep 0.3; mv {aside(path)} {path}"])
        recording.append(partial(1))
        assert back.wait() == 0
    with runreel.open(path) as reel:
        assert reel.run("run").events == 2
        assert list(reel.verify()) == []


def test_the_write_ahead_log_of_the_file_that_took_its_place_stays(
    reel: Reel, path: Path, recording: Recording
) -> None:
    for file in list(path.parent.iterdir()):
        file.rename(file.with_name(file.name.replace("log", "aside")))
    with runreel.open(path) as newer, newer.recording("newer") as other:
        other.append(partial(0))
        with pytest.raises(RecordingError):
            recording.append(partial(BEFORE))
        reel.close()
        other.append(partial(1))
        with closing(sqlite3.connect(path)) as looking:
            assert looking.execute("SELECT count(*) FROM events").fetchone() == (3,)
    with runreel.open(path) as newer:
        assert newer.run("newer").events == 2
        assert list(newer.verify()) == []


KILLED = """
import os, runreel, signal, sys
from tests.store.test_log_file import partial
recording = runreel.open(sys.argv[1]).recording("run")
for number in range(5):
    recording.append(partial(number))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("empty", [False, True])
def test_a_log_is_not_begun_beside_the_write_ahead_log_of_another(
    path: Path, *, empty: bool
) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    is_moved(path)
    if empty:
        path.touch()
    for use in (lambda: record(path, "next"), runreel.open(path).db.upgrade):
        with pytest.raises(DatabaseUnavailable, match="db-wal, which has its latest changes"):
            use()
    assert path.exists() == empty
    # Moved back, all is there.
    aside(path).rename(path)
    with runreel.open(path) as reel:
        assert reel.run("run").events == BEFORE
        assert list(reel.verify()) == []


def test_a_log_keeps_its_file_when_the_directory_changes(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(path.parent)
    for url in ("log.db", "sqlite:///file:log.db?uri=true"):
        with runreel.open(url) as reel, reel.recording(f"run {url[:6]}") as recording:
            recording.append(partial(0))
            os.chdir(tmp_path)
            reel.close()
            recording.append(partial(1))
            os.chdir(path.parent)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["logs"]
    with runreel.open(path) as reel:
        assert {run.events for run in reel.runs()} == {2}
    shutil.rmtree(path.parent)
