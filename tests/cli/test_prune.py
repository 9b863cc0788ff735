from __future__ import annotations

import csv
import json
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import runreel
from runreel.cli.commands import prune
from runreel.retention import pruning
from runreel.store.events import event_log
from tests import logs
from tests.cli.calls import on_terminal
from tests.cli.shapes import validate

if TYPE_CHECKING:
    from tests.cli.calls import Caller

ENDED = ["run-done", "run-failed", "run-plain"]
NOW = ("--older-than", "0s")


def rows(call: Caller) -> Any:
    with runreel.open(call.url) as reel:
        return logs.rows(reel)


def test_it_lists_first_and_changes_nothing(told: Caller) -> None:
    before = rows(told)
    called = told.good("prune", *NOW)
    header, *listed = (line.split() for line in called.out.splitlines())
    assert header == ["RUN", "ACTION", "STATUS", "ENDED", "(UTC)", "ROWS", "BYTES", "WHY"]
    assert [(line[0], line[1]) for line in listed] == [(run, "prunable") for run in ENDED]
    assert [line[2] for line in listed] == ["completed", "failed", "completed"]
    assert called.err.startswith("Runs: 3. Rows: ")
    assert called.err.endswith("Dry run: add --yes to prune.\n")
    assert rows(told) == before


def test_an_interrupted_run_is_called_so(call_sqlite: Caller) -> None:
    Path("cut.jsonl").write_text('{"type": "PARTIAL_MESSAGE", "text": "half of"}\n', "utf-8")
    call_sqlite("record", "--run", "cut", "--input", "cut.jsonl")
    (run,) = call_sqlite.good("prune", *NOW, "--json").json["items"]
    assert (run["status"], run["state"]) == ("IN_PROGRESS", "interrupted")
    assert call_sqlite.good("prune", *NOW).out.splitlines()[1].split()[2] == "interrupted"


def test_json_is_as_its_schema_says(told: Caller) -> None:
    for arguments in ((), ("--yes", "--keep-usage")):
        answer = told.good("prune", *NOW, *arguments, "--json").json
        validate(answer, "prune")
        assert [item["run_id"] for item in answer["items"]] == ENDED
        assert [item["state"] for item in answer["items"]] == ["completed", "failed", "completed"]
        assert answer["runs"] == 3
        assert answer["rows"] == sum(item["rows"] for item in answer["items"])
        assert answer["bytes"] == sum(item["bytes"] for item in answer["items"])
    assert answer["space"]["before"] > 0
    assert answer["items"][0]["ended_at"] is not None


def test_json_lines_and_csv_are_the_items(told: Caller) -> None:
    items = told.good("prune", *NOW, "--json").json["items"]
    lines = told.good("prune", *NOW, "-o", "jsonl").lines
    assert lines == items
    for line in lines:
        validate(line, "pruned_run")
    header, *listed = csv.reader(StringIO(told.good("prune", *NOW, "-o", "csv").out, newline=""))
    assert header == list(items[0])
    assert [line[0] for line in listed] == ENDED


def test_with_yes_they_go_and_who_asks_for_one_is_told_why(told: Caller) -> None:
    why = ("--reason", "kept for a day", "--actor", "the keeper")
    called = told.good("prune", *NOW, *why, "--batch", "1", "--yes")
    assert called.err.startswith("Pruned. Runs: 3. Rows: ")
    assert "Bytes before " in called.err
    assert [line.split()[0] for line in told.good("runs").out.splitlines()] == ["RUN", "open-run"]
    for arguments in (("show",), ("events",), ("replay", "--instant"), ("show", "--at", "1")):
        missing = told(arguments[0], "run-done", *arguments[1:])
        assert missing.code == 2
        assert missing.err.startswith("Error: run run-done was pruned at ")
        assert "UTC by the keeper: kept for a day\nHint: " in missing.err
    assert told.good("verify").err.startswith("OK: 4 runs")
    assert told.good("rebuild", "--check").out == ""
    assert told.good("prune", *NOW).err == "No runs.\n"
    assert told("prune", *NOW, "--fail-empty").code == 1


def test_without_an_actor_it_is_the_login(told: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "somebody")
    told.good("prune", *NOW, "--yes")
    assert " by somebody\n" in told("show", "run-done").err


def test_a_login_that_the_system_does_not_know_is_left_out(
    told: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: {}["no such user"])
    told.good("prune", *NOW, "--yes")
    assert " UTC\nHint: " in told("show", "run-done").err


def test_usage_is_kept_if_asked_for(told: Caller) -> None:
    arguments = ("usage", "--by", "model", "--by", "label:team", "--by", "status", "--json")
    before = told.good(*arguments).json
    told.good("prune", *NOW, "--keep-usage", "--yes")
    assert told.good(*arguments).json == before
    (listed,) = told.good("runs", "--json").json["items"]
    assert listed["run_id"] == "open-run"
    kept = told.good("runs", "--recording", "pruned", "--json").json
    validate(kept, "runs")
    assert [item["run_id"] for item in kept["items"]] == ["run-done", "run-plain", "run-failed"]
    told.good("prune", *NOW, "--yes")
    assert told.good(*arguments).json["totals"]["runs"] == 1


def test_a_batch_is_as_long_as_from_python() -> None:
    assert prune._BATCH == pruning.BATCH


def test_a_status_is_chosen_in_letters_of_either_case(told: Caller) -> None:
    called = told.good("prune", *NOW, "--status", "failed", "--status", "PENDING", "--json")
    assert [item["run_id"] for item in called.json["items"]] == ["run-failed"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Missing option '--older-than'"),
        (("--older-than", "soon"), "invalid time 'soon'"),
        ((*NOW, "--status", "fine"), "invalid status 'fine'; choose from"),
        ((*NOW, "--batch", "0"), "0 is not in the range"),
        ((*NOW, "--purge"), "--purge requires --yes"),
        ((*NOW, "--yes", "--reason", "a\x1b[2Jb"), "non-empty, without control characters"),
    ],
)
def test_what_makes_no_sense_is_refused(
    arguments: tuple[str, ...], said: str, told_sqlite: Caller
) -> None:
    called = told_sqlite("prune", *arguments)
    assert called.code == 2
    assert said in called.err
    assert len(told_sqlite.good("runs", "--json").json["items"]) == 4


def test_an_import_says_how_many_runs_were_pruned(told: Caller, tmp_path: Any) -> None:
    lines = [
        {"type": "run", "data": {"id": "run-1", "state": {"status": "COMPLETED"}}},
        {"type": "run", "data": {"id": "run-2", "state": {"status": "COMPLETED"}}},
        {"type": "run", "data": {"id": "run-3", "state": {"status": "COMPLETED"}}},
    ]
    path = tmp_path / "f.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines[:2]))
    told.good("import", str(path))
    told.good("prune", *NOW, "--yes")
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    called = told.good("import", str(path))
    assert called.err == "2 runs skipped: pruned earlier\n"
    assert called.out == "1 run added, 0 updated; 1 event added, 0 duplicates skipped.\n"
    assert told.good("import", str(path), "--json").json["notices"] == [called.err.strip()]


def test_a_recording_of_a_pruned_run_is_refused(told: Caller, tmp_path: Any) -> None:
    path = tmp_path / "f.jsonl"
    path.write_text('{"type": "DONE", "text": "again"}\n' * 3)
    told.good("prune", *NOW, "--yes")
    called = told("record", "--run", "run-done", "--input", str(path))
    assert called.code == 1
    assert called.err.startswith("Error: run run-done was pruned at ")
    assert called.err.count("\n") == 2


def test_damaged_runs_stay_and_are_told(told: Caller) -> None:
    with runreel.open(told.url) as reel:
        logs.tamper(reel, "UPDATE events SET payload = '{' WHERE run_id = 'run-done' AND seq = 2")
    called = told("prune", *NOW, "--yes", "--json")
    assert called.code == 1
    damaged = called.json["items"][0]
    assert (damaged["run_id"], damaged["action"]) == ("run-done", "damaged")
    assert "row 2 of run run-done is damaged" in damaged["why"]
    assert called.json["runs"] == 2
    assert "Not pruned, damaged: 1.\n" in called.err


def test_what_is_gone_is_told_whatever_stops_it(
    told: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    delete_runs = pruning._Pruner.delete_runs

    def interrupted(work: Any, plans: Any) -> Any:
        monkeypatch.setattr(event_log, "lock_appends", lambda _: (_ for _ in ()).throw(Stop))
        return delete_runs(work, plans)

    monkeypatch.setattr(pruning._Pruner, "delete_runs", interrupted)
    called = told("prune", *NOW, "--yes", "--batch", "1", "-o", "jsonl")
    # The first batch begins with an exception as well: nothing is gone, and nothing is told.
    assert (called.code, called.lines) == (130, [])
    monkeypatch.undo()
    steps = iter(range(10))

    def second(work: Any, plans: Any) -> Any:
        if next(steps):
            raise Stop
        return delete_runs(work, plans)

    monkeypatch.setattr(pruning._Pruner, "delete_runs", second)
    called = told("prune", *NOW, "--yes", "--batch", "1", "-o", "jsonl")
    assert (called.code, [item["run_id"] for item in called.lines]) == (130, ["run-done"])
    monkeypatch.undo()
    assert told("show", "run-done").code == 2
    assert told("show", "run-failed").code == 0


Stop = KeyboardInterrupt


def test_the_file_shrinks_with_vacuum(told_sqlite: Caller) -> None:
    with runreel.open(told_sqlite.url) as reel:
        for n in range(200):
            with reel.recording(f"long-{n}") as recording:
                recording.result(runreel.RunResult(runreel.RunStatus.FAILED, error="x" * 500))
    called = told_sqlite.good("prune", *NOW, "--yes")
    assert "stay in the file" in called.err
    space = told_sqlite.good("prune", *NOW, "--yes", "--purge", "--json").json["space"]
    assert space["after"] < space["before"]
    assert space["unused"] == 0


def test_on_a_terminal_it_looks_the_same(told_sqlite: Caller) -> None:
    ((code, seen),) = on_terminal(("--db", told_sqlite.url, "prune", *NOW, "--yes"))
    assert code == 0
    assert "run-failed" in seen
    assert "Pruned. " in seen
