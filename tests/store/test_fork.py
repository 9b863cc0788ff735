"""Forked children: they go on with connections of their own, the parent with its own."""

from __future__ import annotations

import gc
import os
import sqlite3
import threading
import time
from contextlib import AbstractContextManager, closing
from typing import TYPE_CHECKING, Self

import pytest

import runreel
from runreel import PartialMessage, RunStreamEvent, StreamEvent
from runreel.model.errors import LogError
from runreel.model.events import CLOSED, OPENED, RESUMED
from runreel.query import run_history
from runreel.store import fork_guard
from tests import logs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from runreel.api.reel import Reel

PARTIAL = RunStreamEvent(StreamEvent.PARTIAL_MESSAGE, _message=PartialMessage(("x",)))


def record(reel: Reel, run_id: str) -> None:
    with reel.recording(run_id) as recording:
        recording.append(PARTIAL)


def child(work: Callable[[], object]) -> int:
    """The pid of a child that does this work and exits with 0 if that went well."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        work()
        gc.collect()
        status = 0
    finally:
        os._exit(status)


def exit_of(pid: int, seconds: float = 30.0) -> int:
    """The exit status of a child; one that hangs is killed."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    raise AssertionError("the child hangs")


class Holder:
    """A thread that holds a connection for a time, or until it is let go."""

    def __init__(self, using: Callable[[], AbstractContextManager[object]]) -> None:
        self._using = using
        self._held, self._let_go = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._hold)

    def __enter__(self) -> Self:
        self._thread.start()
        self._held.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._let_go.set()
        self._thread.join()

    def let_go_after(self, seconds: float) -> None:
        threading.Timer(seconds, self._let_go.set).start()

    def _hold(self) -> None:
        with self._using():
            self._held.set()
            self._let_go.wait()


def refused(reel: Reel) -> None:
    """Neither reading nor recording is possible, and nothing waits."""
    for use in (lambda: record(reel, "child"), reel.runs):
        with pytest.raises(LogError, match="forked"):
            use()


@pytest.mark.parametrize("use", ["reading", "writing"])
def test_a_fork_waits_for_a_thread_that_is_in_the_middle_of_something(reel: Reel, use: str) -> None:
    record(reel, "before")
    with Holder(getattr(reel.db, use)) as holder:
        holder.let_go_after(0.3)
        pid = child(lambda: record(reel, "child"))
        assert exit_of(pid) == 0
    record(reel, "parent")
    assert {run.run_id for run in reel.runs()} == {"before", "child", "parent"}


@pytest.mark.parametrize("use", ["reading", "writing"])
def test_a_child_of_a_thread_that_does_not_end_is_refused_on_sqlite(
    reel: Reel, use: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fork_guard, "FORK_SECONDS", 0.1)
    record(reel, "before")
    with Holder(getattr(reel.db, use)):
        work = (lambda: record(reel, "child")) if reel.db.url.postgres else (lambda: refused(reel))
        assert exit_of(child(work)) == 0
        # A child of that child has no more than that.
        assert exit_of(child(lambda: exit_of(child(work)))) == 0
    record(reel, "parent")
    assert list(reel.verify()) == []


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_child_is_refused_where_other_code_of_its_parent_had_the_file_open(
    reel: Reel, db_url: str, tmp_path: Path
) -> None:
    record(reel, "before")
    with closing(sqlite3.connect(db_url)) as other:
        other.execute("SELECT count(*) FROM events")
        assert exit_of(child(lambda: refused(reel))) == 0

        def elsewhere() -> None:
            with runreel.open(tmp_path / "other.db") as another:
                record(another, "child")

        assert exit_of(child(elsewhere)) == 0
    assert exit_of(child(lambda: record(reel, "child"))) == 0
    assert {run.run_id for run in reel.runs()} == {"before", "child"}


def test_a_child_made_inside_of_an_iterator_that_holds_a_connection(reel: Reel) -> None:
    record(reel, "before")
    logs.execute(reel, "UPDATE runs SET events = 17")
    findings = reel.verify()
    assert next(findings)
    work = (lambda: record(reel, "child")) if reel.db.url.postgres else (lambda: refused(reel))
    assert exit_of(child(work)) == 0
    findings.close()
    record(reel, "parent")
    reel.rebuild()
    assert list(reel.verify()) == []


def test_a_child_born_inside_of_a_transaction_does_not_end_it(reel: Reel, db_url: str) -> None:
    record(reel, "before")

    def leave_by(error: type[BaseException] | None) -> int:
        """The exit status of a child that leaves its parent's block."""
        pid = 0
        try:
            with reel.db.writing() as connection, connection.transaction():
                connection.execute("UPDATE runs SET model = 'by the parent'")
                pid = os.fork()
                if not pid and error is not None:
                    raise error
                if pid:
                    assert exit_of(pid) == 0
                    with runreel.open(db_url) as other:
                        assert other.run("before").model is None, "not committed yet"
        except BaseException as left:
            if pid:
                raise
            gc.collect()
            os._exit(int(type(left) not in (error, LogError)))
        return 0 if pid else os._exit(1)

    # Whatever a child answers, the parent's transaction is as it was.
    for error in (None, SystemExit, ValueError):
        assert leave_by(error) == 0
        assert reel.run("before").model == "by the parent"
        logs.execute(reel, "UPDATE runs SET model = NULL")
    if reel.db.url.postgres:
        with reel.db.writing() as connection, connection.transaction():
            assert exit_of(child(lambda: record(reel, "child"))) == 0


def test_a_child_that_closes_its_reel_closes_nothing_of_the_parent(reel: Reel) -> None:
    recording = reel.recording("parent")
    recording.append(PARTIAL)
    events = reel.events("parent")
    next(events)

    def work() -> None:
        reel.close()
        record(reel, "child")
        reel.close()

    assert exit_of(child(work)) == 0
    recording.append(PARTIAL)
    recording.close()
    assert [event.type for event in events] == ["PARTIAL_MESSAGE"], "as of when they were asked for"
    assert {run.run_id for run in reel.runs()} == {"parent", "child"}


def test_a_child_may_go_on_with_the_parent_s_recording_and_so_may_the_parent(reel: Reel) -> None:
    recording = reel.recording("run")
    recording.append(PARTIAL)

    def work() -> None:
        for _ in range(10):
            recording.append(PARTIAL)

    pid = child(work)
    for _ in range(10):
        recording.append(PARTIAL)
    assert exit_of(pid) == 0
    recording.close()

    assert reel.run("run").events == 21
    # The child says with a note that it goes on.
    assert [note for note, _ in logs.notes(reel, "run")] == [OPENED, RESUMED, CLOSED]
    assert logs.verify(reel) == 24
    assert reel.rebuild(check=True) == []


@pytest.mark.parametrize("error", [SystemExit, ValueError])
def test_a_child_that_leaves_the_parent_s_block_does_not_end_its_recording(
    reel: Reel, error: type[BaseException]
) -> None:
    pid = 0
    try:
        with reel.recording("run") as recording:
            recording.append(PARTIAL)
            pid = os.fork()
            if not pid:
                raise error
            assert exit_of(pid) == 0
            assert reel.run("run").recording == "open"
    except BaseException as left:
        if pid:
            raise
        os._exit(int(type(left) is not error))
    assert reel.run("run").recording == "closed"


def test_a_child_goes_on_with_a_recording_that_a_thread_was_appending_to(reel: Reel) -> None:
    recording = reel.recording("run")
    recording.append(PARTIAL)
    with Holder(lambda: recording._recorder._lock):
        assert exit_of(child(lambda: recording.append(PARTIAL))) == 0
    recording.close()
    assert reel.run("run").events == 2


def test_a_child_goes_on_reading_where_its_parent_was(
    reel: Reel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_history, "_PAGE", 10)
    with reel.recording("run") as recording:
        for _ in range(40):
            recording.append(PARTIAL)
    events = reel.events("run")
    first = next(events)
    pid = child(lambda: [*events][-1].seq == 41 or os._exit(1))
    assert [first.seq, *(event.seq for event in events)] == list(range(42))
    assert exit_of(pid) == 0


def test_grandchildren_go_on_too(reel: Reel) -> None:
    def work(left: int) -> None:
        record(reel, f"generation-{left}")
        if left:
            assert exit_of(child(lambda: work(left - 1))) == 0
            record(reel, f"generation-{left}")

    work(2)
    assert len(reel.runs()) == 3
    assert reel.rebuild(check=True) == []
