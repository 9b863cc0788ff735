"""What ``runreel record`` reads, when its lines arrived, and what ends it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from runreel.system import standard_input
from tests.cli.calls import PROGRAM

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.calls import Caller

PARTIAL = b'{"type": "PARTIAL_MESSAGE", "text": "Hel"}\n'
DONE = b'{"type": "DONE", "text": "Hello"}\n'
STARTED_LATE = """
import sys, time
from runreel import __main__
import runreel.cli.options as options

def slow(*arguments, opened=options.opened, **named):
    time.sleep(1.5)
    return opened(*arguments, **named)

def start(*arguments, start_early=__main__.start_early):
    start_early(*arguments)
    print("reading", flush=True)

options.opened = slow
__main__.start_early = start
sys.argv[1:] = {!r}
__main__.run()
"""


@pytest.fixture
def record(call_sqlite: Caller) -> list[str]:
    """The command that records run r from what is piped into it."""
    return [*PROGRAM, "--db", call_sqlite.url, "record", "--run", "r"]


def run(command: list[str], data: bytes) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, input=data, capture_output=True, check=False, timeout=60)


def shown(call: Caller, run_id: str = "r") -> Any:
    return call.good("show", run_id, "--content", "--json").json


@contextlib.contextmanager
def recording(command: list[str], call: Caller) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has stored the first event and waits for the next one."""
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe) as child:
        assert child.stdin is not None
        child.stdin.write(PARTIAL)
        child.stdin.flush()
        deadline = time.monotonic() + 30
        while call("show", "r").code:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield child


def test_a_pipe_is_the_input(call_sqlite: Caller, record: list[str]) -> None:
    done = run(record, PARTIAL + DONE)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == b"Run r: 2 events added, 0 duplicates skipped.\n"
    assert (shown(call_sqlite)["text"], shown(call_sqlite)["recording"]) == ("Hello", "closed")


def test_a_redirected_file_is_the_input(
    call_sqlite: Caller, record: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "lines"
    file.write_bytes(PARTIAL + DONE)
    for more in ([], ["--input", "-"]):
        with file.open("rb") as stdin:
            done = subprocess.run([*record, *more], stdin=stdin, capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, b"")
    assert shown(call_sqlite)["text"] == "Hello"


def test_nothing_piped_is_no_input(record: list[str]) -> None:
    environment = {name: text for name, text in os.environ.items() if not name.startswith("YC_")}
    done = subprocess.run(
        record, stdin=subprocess.DEVNULL, capture_output=True, env=environment, check=False
    )
    assert done.returncode == 4


def test_a_named_file_leaves_the_pipe_alone(
    call_sqlite: Caller, record: list[str], tmp_path: Path
) -> None:
    """So a shell's loop over the lines of a pipe may call it."""
    file = tmp_path / "lines"
    file.write_bytes(PARTIAL + DONE)
    script = f"{' '.join([*record, '--input', str(file)])} >/dev/null; cat"
    done = run(["sh", "-c", script], b"the rest")
    assert (done.returncode, done.stdout) == (0, b"the rest")


def test_a_named_pipe_is_read_as_it_arrives(
    call_sqlite: Caller, record: list[str], tmp_path: Path
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen([*record, "--input", str(pipe)], stdout=subprocess.PIPE) as child:
        with pipe.open("wb", buffering=0) as writer:
            writer.write(PARTIAL)
            time.sleep(0.5)
            writer.write(DONE)
        assert child.wait(timeout=30) == 0
    assert shown(call_sqlite)["duration_ms"] >= 450


@pytest.mark.parametrize(
    ("arguments", "records"),
    [
        (["record"], True),
        (["record", "--run", "r"], True),
        (["--db", "record", "-v", "record", "--run", "r", "--input", "-"], True),
        (["--db=x", "record", "--run", "r", "--input=-"], True),
        (["record", "--run", "r", "--input", "file"], False),
        (["record", "--run", "r", "--input=file"], False),
        (["record", "--help"], False),
        (["--db", "record", "runs"], False),
        (["import", "-"], False),
        (["--db"], False),
        (["-h"], False),
        ([], False),
    ],
)
def test_only_a_recording_from_a_pipe_reads_it_early(arguments: list[str], records: bool) -> None:
    assert standard_input._records(arguments) is records


def test_lines_have_the_time_of_their_arrival(call_sqlite: Caller) -> None:
    """However long the log takes to open."""
    arguments = ["--db", call_sqlite.url, "record", "--run", "r"]
    command = [sys.executable, "-c", STARTED_LATE.format(arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == b"reading\n"
        began = time.monotonic()
        child.stdin.write(PARTIAL)
        child.stdin.flush()
        time.sleep(0.6)
        child.stdin.write(DONE)
        child.stdin.close()
        assert child.wait(timeout=30) == 0
    # Read when the log was open, both lines would have come at once.
    assert 300 <= shown(call_sqlite)["duration_ms"] <= (time.monotonic() - began) * 1000
    events = call_sqlite.good("events", "r", "-o", "jsonl").lines
    stamps = [event["elapsed_us"] for event in events]
    assert stamps == sorted(stamps)
    assert stamps[2] - stamps[1] >= 300_000


def test_input_that_ends_early_is_1_and_interrupted(call_sqlite: Caller, record: list[str]) -> None:
    done = run(record, PARTIAL)
    assert done.returncode == 1
    assert b"the input ended before the last event of the run" in done.stderr
    assert shown(call_sqlite)["recording"] == "interrupted"
    assert call_sqlite.good("recover", "--list", "--json").json["items"] == []
    again = run([*record, "--json"], PARTIAL)
    assert (again.returncode, json.loads(again.stdout)["events_new"]) == (1, 0)
    assert run(record, PARTIAL + DONE).returncode == 0
    assert shown(call_sqlite)["recording"] == "closed"
    assert run([*record[:-1], "empty"], b"").returncode == 1
    assert call_sqlite("show", "empty").code == 2


@pytest.mark.parametrize(
    ("number", "code", "says"),
    [
        (signal.SIGINT, 130, b"Interrupted."),
        (signal.SIGTERM, 143, b"Stopped by SIGTERM."),
        (signal.SIGHUP, 129, b"Stopped by SIGHUP."),
    ],
)
def test_a_signal_ends_the_recording_as_interrupted(
    call_sqlite: Caller, record: list[str], number: int, code: int, says: bytes
) -> None:
    with recording(record, call_sqlite) as child:
        for _ in range(3):
            with contextlib.suppress(ProcessLookupError):
                child.send_signal(number)
        assert child.wait(timeout=30) == code
        assert child.stderr is not None
        assert child.stderr.read().strip() == says
    assert (shown(call_sqlite)["recording"], shown(call_sqlite)["text"]) == ("interrupted", "Hel")
    assert call_sqlite.good("recover", "--list", "--json").json["items"] == []


def test_ctrl_c_at_a_pipeline_ends_the_recording(call_sqlite: Caller, record: list[str]) -> None:
    """The terminal sends it to the program that writes the pipe as well."""
    script = f"(printf '%s' '{PARTIAL.decode()}'; sleep 30) | {' '.join(record)}; sleep 1"
    with subprocess.Popen(["bash", "-c", script], start_new_session=True) as child:
        deadline = time.monotonic() + 30
        while call_sqlite("show", "r").code:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.killpg(child.pid, signal.SIGINT)
        child.wait(timeout=30)
    deadline = time.monotonic() + 30
    while shown(call_sqlite)["recording"] == "open":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert shown(call_sqlite)["recording"] == "interrupted"


def test_ctrl_c_before_any_event_leaves_no_run(call_sqlite: Caller, record: list[str]) -> None:
    call_sqlite.good("db", "upgrade")
    with subprocess.Popen(record, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        time.sleep(1.5)
        child.send_signal(signal.SIGINT)
        assert child.wait(timeout=30) == 130
    assert call_sqlite("show", "r").code == 2
