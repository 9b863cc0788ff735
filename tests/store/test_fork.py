"""Forked children: they go on with connections of their own, the parent with its own."""

from __future__ import annotations

import gc
import os
import threading
import time
from typing import TYPE_CHECKING

import runreel
from runreel import PartialMessage, RunStreamEvent, StreamEvent
from tests import logs

if TYPE_CHECKING:
    from collections.abc import Callable

    from runreel.reel import Reel

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


def test_a_child_of_a_thread_that_is_writing_does_not_wait_for_it(reel: Reel) -> None:
    record(reel, "before")
    held, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        with reel.db.writing():
            held.set()
            let_go.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait()
    pid = child(lambda: record(reel, "child"))
    try:
        assert exit_of(pid) == 0
    finally:
        let_go.set()
        holder.join()
    record(reel, "parent")
    assert {run.run_id for run in reel.runs()} == {"before", "child", "parent"}


def test_a_child_born_inside_of_a_transaction_does_not_end_it(reel: Reel, db_url: str) -> None:
    record(reel, "before")
    with reel.db.writing() as connection, connection.transaction():
        connection.execute("UPDATE runs SET model = 'by the parent'")
        # SQLite has one writer: there the child only reads, as others would meanwhile.
        ask = (lambda: record(reel, "child")) if reel.db.postgres else (lambda: reel.runs().items)
        assert exit_of(child(ask)) == 0
        with runreel.open(db_url) as other:
            assert other.run("before").model is None, "not committed yet"
    assert reel.run("before").model == "by the parent"
    logs.execute(reel, "UPDATE runs SET model = NULL")


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
    assert logs.verify(reel) == 23
    assert reel.rebuild(check=True) == []


def test_grandchildren_go_on_too(reel: Reel) -> None:
    def work(left: int) -> None:
        record(reel, f"generation-{left}")
        if left:
            assert exit_of(child(lambda: work(left - 1))) == 0
            record(reel, f"generation-{left}")

    work(2)
    assert len(reel.runs()) == 3
    assert reel.rebuild(check=True) == []
