"""Recordings that a dead process left open."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import runreel
from runreel import RunStreamEvent, StreamEvent
from runreel.model.errors import SourceError
from runreel.system import process_identity
from tests.logs import notes, verify

if TYPE_CHECKING:
    import pytest

    from runreel.api.reel import Reel
    from runreel.model.maintenance import Recovered
    from runreel.model.runs import OpenRecording

PROGRAM = """
import os, signal, sys, runreel
recording = runreel.open(sys.argv[1]).recording("dead")
recording.append(runreel.RunStreamEvent(runreel.StreamEvent.PARTIAL_MESSAGE))
os.kill(os.getpid(), signal.SIGKILL)
"""


def leave_open(url: str) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM, url], check=False)
    assert done.returncode == -9


def actions(found: list[Recovered]) -> dict[str, str]:
    return {item.recording.run_id: item.action for item in found}


def test_a_recording_of_a_dead_process_is_ended_once(reel: Reel, db_url: str) -> None:
    leave_open(db_url)
    (listed,) = reel.recoverable()
    assert (listed.run_id, listed.alive, listed.last_seq) == ("dead", False, 1)
    assert actions(list(reel.recover())) == {"dead": "interrupted"}
    assert reel.run("dead").recording == "interrupted"
    assert notes(reel, "dead")[-1] == ("interrupted", {"reason": "its process is gone"})
    assert list(reel.recover()) == []
    assert [type_ for type_, _ in notes(reel, "dead")] == ["opened", "interrupted"]
    assert reel.rebuild(check=True) == []
    assert verify(reel) == 3


def test_two_that_recover_at_once_end_it_once(reel: Reel, db_url: str) -> None:
    leave_open(db_url)
    threads = [threading.Thread(target=lambda: list(reel.recover())) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [type_ for type_, _ in notes(reel, "dead")] == ["opened", "interrupted"]


def test_recordings_of_living_processes_and_other_hosts_are_left(
    reel: Reel, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = RunStreamEvent(StreamEvent.PARTIAL_MESSAGE)
    reel.recording("alive").append(event)
    with monkeypatch.context() as patched:
        patched.setattr(
            process_identity, "this", lambda: process_identity.Process("elsewhere", 1, 1)
        )
        reel.recording("elsewhere").append(event)
    assert actions(list(reel.recover())) == {"alive": "left", "elsewhere": "left"}
    assert {run.run_id: run.recording for run in reel.runs()} == {
        "alive": "open",
        "elsewhere": "open",
    }


def test_a_later_process_of_the_same_number_is_not_taken_for_the_dead_one(reel: Reel) -> None:
    mine = process_identity.this()
    assert process_identity.alive(mine) is True
    if mine.started is not None:
        assert process_identity.alive(mine._replace(started=mine.started - 1)) is False


def test_a_run_that_can_be_listened_to_again_is_resumed(reel: Reel, db_url: str) -> None:
    leave_open(db_url)

    def resume(recording: OpenRecording) -> None:
        with reel.recording(recording.run_id) as again:
            again.append(RunStreamEvent(StreamEvent.DONE))

    assert actions(list(reel.recover(resume))) == {"dead": "resumed"}
    assert [type_ for type_, _ in notes(reel, "dead")] == ["opened", "resumed", "closed"]


def test_a_source_that_refuses_is_told_and_the_recording_ended(reel: Reel, db_url: str) -> None:
    leave_open(db_url)

    def resume(_: OpenRecording) -> None:
        raise SourceError("it knows no such run")

    (found,) = reel.recover(resume)
    assert (found.action, found.reason) == ("interrupted", "it knows no such run")
    assert reel.run("dead").recording == "interrupted"


def test_an_ended_recording_can_be_gone_on_with(reel: Reel, db_url: str) -> None:
    leave_open(db_url)
    list(reel.recover())
    with runreel.open(db_url) as again, again.recording("dead") as recording:
        recording.append(RunStreamEvent(StreamEvent.DONE))
    assert reel.run("dead").recording == "closed"
    assert reel.run("dead").status.name == "COMPLETED"
