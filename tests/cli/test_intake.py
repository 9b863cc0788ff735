from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests import traffic
from tests.cli.calls import PROGRAM, on_terminal, program
from tests.cli.shapes import validate
from tests.real_runs import RECORDINGS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.calls import Caller

EVENTS: list[dict[str, Any]] = [
    {"type": "PARTIAL_MESSAGE", "text": "Hel"},
    {"type": "PARTIAL_MESSAGE", "text": "Hello"},
    {"type": "DONE", "message": {"parts": ["Hello"]}},
]


def jsonl(*values: object) -> bytes:
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


@pytest.fixture
def events(tmp_path: Path) -> str:
    file = tmp_path / "events.jsonl"
    file.write_bytes(jsonl(*EVENTS))
    return str(file)


def test_record_stores_lines_as_a_run(call: Caller, events: str) -> None:
    identity = ("--assistant", "a", "--thread", "t", "--model", "m", "--label", "k=v=w")
    called = call.good("record", "--run", "r", "--input", events, *identity)
    assert called.out == "Run r: 3 events added, 0 duplicates skipped.\n"
    assert called.err == ""
    shown = call.good("show", "r", "--content", "--json").json
    assert (shown["status"], shown["text"], shown["recording"]) == ("COMPLETED", "Hello", "closed")
    assert (shown["assistant_id"], shown["thread_id"], shown["model"]) == ("a", "t", "m")
    assert shown["labels"] == {"k": "v=w"}
    assert shown["source"] == "plain"


def test_record_again_adds_nothing(call: Caller, events: str) -> None:
    call.good("record", "--run", "r", "--input", events)
    before = call.good("events", "r", "-o", "jsonl").out
    called = call.good("record", "--run", "r", "--input", events, "--json")
    assert called.json["events_new"] == 0
    assert called.json["events_known"] == 3
    assert call.good("events", "r", "-o", "jsonl").out == before


def test_a_bad_line_is_named_the_rest_goes_in_and_it_is_1(call: Caller, tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_bytes(jsonl(EVENTS[0]) + b"{not json}\n" + b'{"x": NaN}\n' + jsonl(EVENTS[1]))
    called = call("record", "--run", "r", "--input", str(file))
    assert called.code == 1
    assert called.out == "Run r: 2 events added, 0 duplicates skipped.\n"
    assert f"{file}:2: " in called.err
    assert f"{file}:3: " in called.err
    again = call("record", "--run", "r", "--input", str(file), "--json")
    assert again.code == 1
    validate(again.json, "record")
    assert [problem["line"] for problem in again.json["problems"]] == [2, 3]
    assert {problem["file"] for problem in again.json["problems"]} == {str(file)}


def test_another_source_for_a_run_is_4(call: Caller, events: str) -> None:
    call.good("record", "--run", "r", "--input", events)
    called = call("record", "--run", "r", "--source", "yandex-assistants", "--input", events)
    assert called.code == 4
    assert "recorded from plain" in called.err
    assert "Hint: " in called.err


def test_a_name_that_no_run_can_have_is_1(call: Caller, events: str) -> None:
    for name in ("", "x" * 201, "a\nb"):
        called = call("record", "--run", name, "--input", events)
        assert called.code == 1
        assert "invalid run id" in called.err
    assert call("runs").err == "No runs.\n"


def test_record_reads_standard_input_line_by_line(call_sqlite: Caller) -> None:
    command = [*PROGRAM, "--db", call_sqlite.url, "record", "--run", "r", "--input", "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        child.stdin.write(jsonl(EVENTS[0]))
        child.stdin.flush()
        _wait_for(call_sqlite, "Hel")
        shown = call_sqlite.good("show", "r", "--json").json
        assert (shown["recording"], shown["status"]) == ("open", "IN_PROGRESS")
        (listed,) = call_sqlite.good("recover", "--list", "--json").json["items"]
        assert (listed["pid"], listed["alive"]) == (child.pid, True)
        child.stdin.write(b"data: " + jsonl(EVENTS[1]) + b"\n")
        child.stdin.flush()
        _wait_for(call_sqlite, "Hello")
        child.stdin.write(jsonl(EVENTS[2]))
        child.stdin.close()
        assert child.wait(timeout=30) == 0
        assert child.stdout is not None
        assert child.stdout.read() == b"Run r: 3 events added, 0 duplicates skipped.\n"
    assert call_sqlite.good("show", "r", "--json").json["recording"] == "closed"


def test_ctrl_c_keeps_what_was_recorded(call_sqlite: Caller) -> None:
    command = [*PROGRAM, "--db", call_sqlite.url, "record", "--run", "r", "--input", "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdin is not None
        child.stdin.write(jsonl(EVENTS[0]))
        child.stdin.flush()
        _wait_for(call_sqlite, "Hel")
        child.send_signal(signal.SIGINT)
        assert child.wait(timeout=30) == 130
        assert child.stderr is not None
        assert child.stderr.read().decode().strip() == "Interrupted."
    shown = call_sqlite.good("show", "r", "--content", "--json").json
    assert (shown["recording"], shown["text"]) == ("interrupted", "Hel")


def test_a_recording_of_a_killed_process_is_found(call_sqlite: Caller) -> None:
    command = [*PROGRAM, "--db", call_sqlite.url, "record", "--run", "r", "--input", "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as child:
        assert child.stdin is not None
        child.stdin.write(jsonl(EVENTS[0]))
        child.stdin.flush()
        _wait_for(call_sqlite, "Hel")
        child.kill()
        child.wait(timeout=30)
    (listed,) = call_sqlite.good("recover", "--list", "--json").json["items"]
    assert (listed["run_id"], listed["pid"], listed["alive"]) == ("r", child.pid, False)
    assert "dead" in call_sqlite.good("recover", "--list").out
    (ended,) = call_sqlite.good("recover", "--json").json["items"]
    assert (ended["run_id"], ended["action"]) == ("r", "interrupted")
    assert call_sqlite.good("show", "r", "--json").json["recording"] == "interrupted"
    assert call_sqlite.good("recover", "--json").json["items"] == []


def test_import_takes_traffic_in_and_again_adds_nothing(call: Caller, tmp_path: Path) -> None:
    file = _traffic(tmp_path / "traffic.jsonl")
    called = call.good("import", file)
    assert called.out.startswith("1 run added, 0 updated; ")
    assert called.err == ""
    before = call.good("events", "latest", "--raw", "-o", "jsonl").out
    again = call.good("import", file, "--json").json
    validate(again, "import")
    assert (again["events_new"], again["runs_new"]) == (0, 0)
    assert again["events_known"] == again["lines"]
    assert call.good("events", "latest", "--raw", "-o", "jsonl").out == before


def test_import_reads_standard_input(call_sqlite: Caller, tmp_path: Path) -> None:
    _traffic(tmp_path / "traffic.jsonl")
    data = (tmp_path / "traffic.jsonl").read_bytes()
    done = program("--db", call_sqlite.url, "import", "-", stdin=data)
    assert done.returncode == 0
    assert done.stdout.startswith(b"1 run added, 0 updated; ")


def test_a_bad_line_of_an_import_is_named_and_1(call: Caller, tmp_path: Path) -> None:
    file = tmp_path / "bad.jsonl"
    traffic.write(file, [b'{"type": "run", "data": {"id": "broken", }', *traffic.streamed()])
    called = call("import", str(file))
    assert called.code == 1
    assert f"{file}:1: " in called.err
    assert called.out.startswith("1 run added, 0 updated; ")
    told = call("import", str(file), "--json")
    assert told.code == 1
    validate(told.json, "import")
    assert told.json["problems"][0]["file"] == str(file)
    assert told.json["problems"][0]["line"] == 1
    csv = call("import", str(file), "-o", "csv")
    assert csv.out.startswith("lines,events_new,")


def test_a_terminal_is_told_how_to_end_the_input(call_sqlite: Caller) -> None:
    import pty

    ours, theirs = pty.openpty()
    command = [*PROGRAM, "--db", call_sqlite.url, "record", "--run", "r", "--input", "-"]
    with subprocess.Popen(
        command, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        os.close(theirs)
        assert child.stderr is not None
        assert b"Ctrl-D" in child.stderr.readline()
        os.write(ours, jsonl(EVENTS[2]) + b"\x04")
        assert child.wait(timeout=30) == 0
        assert child.stdout is not None
        assert child.stdout.read().startswith(b"Run r: 1 event added")
    os.close(ours)


def test_an_import_shows_its_progress_on_a_terminal(call_sqlite: Caller, tmp_path: Path) -> None:
    ((code, shown),) = on_terminal(("--db", call_sqlite.url, "import", _traffic(tmp_path / "t")))
    assert code == 0
    assert "Importing" in shown
    assert shown.rstrip().endswith("skipped.")


@pytest.mark.parametrize("name", RECORDINGS)
def test_traffic_of_the_service_is_printed_as_the_schemas_say(
    name: str, call: Caller, tmp_path: Path
) -> None:
    call.good("import", traffic.write(tmp_path / "traffic.jsonl", RECORDINGS[name]))
    for run in call.good("runs", "-n", "0", "-o", "jsonl").lines:
        shown = call.good("show", run["run_id"], "--content", "--json").json
        validate(shown, "show")
        validate(call.good("events", run["run_id"], "--raw", "--json").json, "events")
        call.good("show", run["run_id"], "--content")
        call.good("replay", run["run_id"], "--instant")
    validate(call.good("usage", "--by", "model", "--json").json, "usage")


def _wait_for(call: Caller, text: str) -> None:
    for _ in range(200):
        shown = call("show", "r", "--content", "--json")
        if shown.code == 0 and shown.json["text"] == text:
            return
        time.sleep(0.05)
    raise AssertionError(f"{text!r} was not stored")


def _traffic(path: Path) -> str:
    return traffic.write(path, [traffic.assistant(), traffic.question("Hi?"), *traffic.streamed()])
