from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import runreel
from runreel.cli import error_reporting
from tests.cli.calls import PROGRAM, program
from tests.cli.stories import partial, tell_done

if TYPE_CHECKING:
    from tests.cli.calls import Caller


def test_a_closed_pipe_is_quiet(told_sqlite: Caller) -> None:
    with runreel.open(told_sqlite.url) as reel, reel.recording("long") as recording:
        for size in range(400):
            recording.append(partial("word " * size))
    for arguments in (
        ("events", "long", "-o", "jsonl"),
        ("events", "long"),
        ("replay", "long", "--instant", "--render", "cumulative"),
    ):
        with subprocess.Popen(
            [*PROGRAM, "--db", told_sqlite.url, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as child:
            assert child.stdout is not None
            assert child.stderr is not None
            assert child.stdout.read(10)
            child.stdout.close()
            assert child.stderr.read() == b""
            assert child.wait(timeout=30) == error_reporting.CLOSED_PIPE


def test_a_pipe_closed_from_the_start_is_quiet(told_sqlite: Caller) -> None:
    for arguments in (("runs",), ("--help",), ("show", "latest", "--json")):
        with subprocess.Popen(
            [*PROGRAM, "--db", told_sqlite.url, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as child:
            assert child.stdout is not None
            assert child.stderr is not None
            child.stdout.close()
            assert child.stderr.read() == b""
            assert child.wait(timeout=30) == error_reporting.CLOSED_PIPE


def test_a_full_disk_is_told(told_sqlite: Caller) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*PROGRAM, "--db", told_sqlite.url, "runs"],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            timeout=30,
        )
    assert done.returncode == 1
    assert done.stderr.decode().startswith("Error: cannot write the output: No space left")
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_descriptors_are_no_failure(closed: str, told_sqlite: Caller) -> None:
    command = " ".join((*PROGRAM, "--db", told_sqlite.url, "runs", closed))
    done = subprocess.run(["sh", "-c", command], capture_output=True, check=False, timeout=30)
    assert (done.returncode, done.stderr) == (0, b"")


def test_ctrl_c_is_130(call_sqlite: Caller) -> None:
    with runreel.open(call_sqlite.url) as reel:
        tell_done(reel)
    child = subprocess.Popen(
        [*PROGRAM, "--db", call_sqlite.url, "replay", "latest", "--loop", "--max-gap", "0.01"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert child.stdout is not None
    assert child.stdout.read(10)
    time.sleep(0.1)
    child.send_signal(signal.SIGINT)
    child.stdout.close()
    assert child.stderr is not None
    told = child.stderr.read().decode()
    child.stderr.close()
    assert child.wait(timeout=30) in (error_reporting.INTERRUPTED, error_reporting.CLOSED_PIPE)
    assert "Traceback" not in told


def test_arguments_that_are_no_text_are_told_and_not_stored(call_sqlite: Caller) -> None:
    done = program("--db", call_sqlite.url, "record", "--run", "x\udcff", "--input", "-")
    assert done.returncode == 2
    assert b"not valid UTF-8" in done.stderr
