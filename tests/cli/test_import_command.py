"""What ``runreel import`` says of files that hold no recorded traffic, or little of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests import traffic
from tests.cli.shapes import validate
from tests.work.test_import_mixed_runs import arrival_order

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.calls import Caller

OUTPUTS = {
    "events -o jsonl": ("events", "run-1", "-o", "jsonl"),
    "events --raw -o jsonl": ("events", "run-1", "--raw", "-o", "jsonl"),
    "events -o csv": ("events", "run-1", "-o", "csv"),
    "runs -o jsonl": ("runs", "-o", "jsonl"),
    "replay": ("replay", "run-1", "--instant", "--render", "jsonl"),
}


@pytest.mark.parametrize("output", OUTPUTS)
def test_output_of_a_command_is_no_recording(call: Caller, tmp_path: Path, output: str) -> None:
    call.good("import", traffic.write(tmp_path / "traffic.jsonl", traffic.streamed()))
    before = call.good("events", "run-1", "-o", "jsonl").out
    file = tmp_path / "output"
    file.write_text(call.good(*OUTPUTS[output]).out, encoding="utf-8")
    text = file.read_text(encoding="utf-8").replace("run-1", "run-2")
    (tmp_path / "renamed").write_text(text, encoding="utf-8")

    for path in (file, tmp_path / "renamed"):
        called = call("import", str(path))
        assert called.code == 1
        assert called.err.count("\n") == 1
        assert f"{path}:1: the file is output of `runreel " in called.err
        assert "import the recorded traffic itself" in called.err
        assert "`runreel backup`" in called.err
    assert call.good("events", "run-1", "-o", "jsonl").out == before
    assert [run["run_id"] for run in call.good("runs", "-o", "jsonl").lines] == ["run-1"]


@pytest.mark.parametrize("command", [("events", "run-1", "--json"), ("show", "run-1", "--json")])
def test_pretty_printed_output_is_no_recording(
    call: Caller, tmp_path: Path, command: tuple[str, ...]
) -> None:
    call.good("import", traffic.write(tmp_path / "traffic.jsonl", traffic.streamed()))
    (tmp_path / "output").write_text(call.good(*command).out, encoding="utf-8")
    called = call("import", str(tmp_path / "output"))
    assert called.code == 1
    assert called.err.count("\n") == 1
    assert "pretty-printed JSON" in called.err


def test_a_stream_without_a_run_is_named_once_with_the_way_to_store_it(call, tmp_path):
    file = tmp_path / "stream.sse"
    chunks = [{"id": "c", "object": "chat.completion.chunk", "choices": []} for _ in range(3)]
    file.write_text("".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks))
    called = call("import", str(file))
    assert called.code == 1
    first, hint = called.err.splitlines()
    assert first == f"{file}: 3 events without a run_id, the first in line 1"
    assert f"`runreel record --run ID --input {file}`" in hint
    found = call("import", str(file), "--json")
    assert [problem["line"] for problem in found.json["problems"]] == [1, 3, 5]
    assert call("record", "--run", "c", "--input", str(file)).code in (0, 1)
    assert [run["run_id"] for run in call.good("runs", "-o", "jsonl").lines] == ["c"]


def test_several_processes_report_what_one_reports(call: Caller, tmp_path: Path) -> None:
    lines = [line for n in range(400) for line in traffic.streamed(f"run-{n}")]
    bad = [*lines[:1_200], "{", *lines[1_200:], json.dumps(lines[3])[:60]]
    path = traffic.write(tmp_path / "traffic.jsonl", bad)
    two = call("import", "-j", "2", path)
    one = call.bare("--db", str(tmp_path / "other.db"), "import", path)

    assert (two.code, two.out, two.err) == (one.code, one.out, one.err)
    assert (one.code, one.err.count("\n")) == (1, 2)
    again = call("import", "--jobs", "2", path, "--json")
    assert (again.json["events_new"], again.json["runs_new"]) == (0, 0)


def test_output_among_recorded_lines_leaves_its_run_untouched(call: Caller, tmp_path: Path) -> None:
    call.good("import", traffic.write(tmp_path / "traffic.jsonl", traffic.streamed()))
    printed = call.good("events", "run-1", "-o", "jsonl").out.replace("run-1", "run-2")
    good = traffic.streamed("run-3", thread="thread-3")
    file = traffic.write(tmp_path / "f.jsonl", [*good, *printed.splitlines()])
    called = call("import", file, "--json")
    assert called.code == 1
    validate(called.json, "import")
    assert {problem["run_id"] for problem in called.json["problems"]} == {"run-2"}
    assert "output of `runreel events`" in called.json["problems"][0]["message"]
    runs = call.good("runs", "-o", "jsonl").lines
    assert sorted(run["run_id"] for run in runs) == ["run-1", "run-3"]


def test_problems_are_capped_and_counted_and_json_lists_all(call: Caller, tmp_path: Path) -> None:
    one = traffic.write(tmp_path / "one.log", ["no JSON"] * 20_000)
    two = traffic.write(tmp_path / "two.log", ["no JSON"] * 3)
    called = call("import", one, two)
    assert called.code == 1
    lines = called.err.splitlines()
    assert len(lines) == 24
    assert lines[0].startswith(f"{one}:1: not JSON")
    assert lines[20] == f"{one}: 19,980 more; --json lists all of them"
    assert lines[21].startswith(f"{two}:1: not JSON")
    assert len(call("import", one, two, "--json").json["problems"]) == 20_003


def test_an_import_of_nothing_says_so(call: Caller, tmp_path: Path) -> None:
    file = traffic.write(tmp_path / "empty.jsonl", [])
    called = call.good("import", file)
    assert called.err == f"{file} holds no event of a run: nothing to import\n"
    assert called.out == "0 runs added, 0 updated; 0 events added, 0 duplicates skipped.\n"
    told = call.good("import", file, "--json").json
    validate(told, "import")
    assert told["notices"] == [f"{file} holds no event of a run: nothing to import"]


def test_runs_that_a_server_records_at_once_go_in_whole(call: Caller, tmp_path: Path) -> None:
    lines = arrival_order(11)
    called = call.good("import", traffic.write(tmp_path / "server.jsonl", lines))
    assert called.err == ""
    assert called.out == "8 runs added, 0 updated; 400 events added, 0 duplicates skipped.\n"
    for n in range(8):
        events = call.good("events", f"run-{n}", "--raw", "-o", "jsonl").lines
        stored = [event["raw"] for event in events if event["kind"] == "stream_event"]
        sent = [line["data"] for line in lines if line["request"]["runId"] == f"run-{n}"]
        assert json.dumps(stored) == json.dumps(sent)
    assert call("verify").code == 0
