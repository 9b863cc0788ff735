"""Recording files on the command line."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import runreel
from tests.cli.shapes import validate
from tests.cli.stories import ANSWER, HARM_ID, tell_done, tell_harm

if TYPE_CHECKING:
    from tests.cli.calls import Caller

SHOWN = (
    ("show", "RUN"),
    ("show", "RUN", "--content"),
    ("show", "RUN", "--content", "--json"),
    ("show", "RUN", "--at", "3", "--json"),
    ("events", "RUN"),
    ("events", "RUN", "--raw", "-o", "jsonl"),
    ("events", "RUN", "-n", "2", "-o", "csv"),
    ("replay", "RUN", "--instant"),
    ("timeline", "RUN"),
    ("timeline", "RUN", "--json"),
    ("replay", "RUN", "--instant", "--render", "jsonl"),
    ("verify", "RUN"),
    ("verify", "RUN", "-o", "jsonl"),
    ("rebuild", "RUN", "--check"),
)
LISTS = (("runs",), ("runs", "-o", "jsonl"), ("usage", "--by", "model", "-o", "csv"), ("verify",))


def test_commands_print_of_a_file_what_they_print_of_the_log(told: Caller) -> None:
    told.good("export", "run-done", "--out", "x.reel.jsonl")
    told.good("export", "--out", "all.reel.jsonl.gz")
    for command in SHOWN:
        of_log = told.good(*("run-done" if word == "RUN" else word for word in command))
        of_file = told.bare(*("x.reel.jsonl" if word == "RUN" else word for word in command))
        assert (of_file.code, of_file.out) == (0, of_log.out), command
        named = told.bare(
            "--db", "all.reel.jsonl.gz", *("run-d" if word == "RUN" else word for word in command)
        )
        assert (named.code, named.out) == (0, of_log.out), command
    for command in LISTS:
        of_file = told.bare("--db", "all.reel.jsonl.gz", *command)
        assert (of_file.code, of_file.out) == (0, told.good(*command).out), command


def test_a_file_of_several_runs_does_not_stand_for_one(told_sqlite: Caller) -> None:
    told_sqlite.good("export", "--out", "all.reel.jsonl")
    shown = told_sqlite.bare("show", "all.reel.jsonl")
    assert (shown.code, shown.out) == (2, "")
    assert "holds 4 runs, not one" in shown.err
    assert "runreel --db all.reel.jsonl runs" in shown.err
    mixed = told_sqlite("verify", "run-done", "all.reel.jsonl")
    assert mixed.code == 2
    assert "not both" in mixed.err
    missing = told_sqlite("show", "missing.reel.jsonl")
    assert missing.code == 2
    assert "cannot read missing.reel.jsonl" in missing.err


WRITING = (
    ("redact", "RUN", "--match", "Sunny", "--reason", "r", "--yes"),
    ("rebuild", "RUN"),
    ("redact", "RUN", "--seq", "1", "--reason", "r", "--yes"),
)
WRITING_LOG = (
    ("prune", "--older-than", "2999-01-01", "--yes"),
    ("record", "--run", "r", "--input", "lines.jsonl"),
    ("import", "lines.jsonl"),
    ("recover",),
    ("db", "upgrade"),
    ("rebuild",),
)


def test_commands_that_write_refuse_a_file(told_sqlite: Caller) -> None:
    told_sqlite.good("export", "run-done", "--out", "x.reel.jsonl")
    Path("lines.jsonl").write_text('{"type": "DONE", "text": "x", "run_id": "r"}\n')
    before = Path("x.reel.jsonl").read_bytes()
    for command in WRITING:
        called = told_sqlite.bare(*("x.reel.jsonl" if word == "RUN" else word for word in command))
        if "Sunny" not in command:
            assert called.code == 2, (command, called)
            assert "x.reel.jsonl is a recording, which can only be read" in called.err
    for command in WRITING_LOG:
        called = told_sqlite.bare("--db", "x.reel.jsonl", *command)
        if command[0] != "recover":
            assert called.code == 2, (command, called)
            assert "x.reel.jsonl is a recording, which can only be read" in called.err
    told_sqlite.good("keygen", "audit.key")
    checkpoint = ("checkpoint", "--key", "audit.key", "--out", "one.txt")
    refused = told_sqlite.bare("--db", "x.reel.jsonl", *checkpoint)
    assert (refused.code, "a checkpoint is of a log" in refused.err) == (2, True)
    Path("audit.key").unlink()
    Path("audit.key.pub").unlink()
    assert Path("x.reel.jsonl").read_bytes() == before
    assert sorted(file.name for file in Path().iterdir()) == ["lines.jsonl", "x.reel.jsonl"]


def test_export_says_what_it_wrote(told_sqlite: Caller) -> None:
    called = told_sqlite.good("export", "--status", "failed", "--out", "x.reel.jsonl", "--json")
    validate(called.json, "export")
    assert called.json == {
        "file": "x.reel.jsonl",
        "format": "reel",
        "runs": 1,
        "rows": 4,
        "bytes": Path("x.reel.jsonl").stat().st_size,
    }
    again = told_sqlite("export", "--status", "failed", "--out", "x.reel.jsonl")
    assert again.code == 2
    assert "already exists" in again.err
    told_sqlite.good("export", "latest", "--out", "x.reel.jsonl", "--force")
    both = told_sqlite("export", "latest", "--status", "failed", "--out", "y.reel.jsonl")
    assert both.code == 2
    assert "Give RUN or filters, not both" in both.err
    assert told_sqlite("export", "--out", "x.pdf").code == 2
    assert told_sqlite("export", "nothing", "--out", "y.reel.jsonl").code == 2
    assert not Path("y.reel.jsonl").exists()


def test_an_edited_file_is_refused_with_the_line(told_sqlite: Caller) -> None:
    told_sqlite.good("export", "run-done", "--out", "x.reel.jsonl")
    path = Path("x.reel.jsonl")
    text = path.read_text("utf-8")
    edited = text.replace("black", "white")
    assert edited != text
    path.write_text(edited, "utf-8")
    number = next(n for n, line in enumerate(edited.splitlines(), 1) if "white" in line)
    for command in (("verify",), ("show",), ("events",), ("import",)):
        called = told_sqlite(*command, "x.reel.jsonl")
        assert called.code == 1, command
        shown = re.sub(r"\s+", " ", called.err + called.out)
        assert f"line {number} of" in shown, command
        assert "Traceback" not in shown
    lines = text.splitlines(keepends=True)
    path.write_text("".join(lines[:-1]), "utf-8")
    cut = told_sqlite("verify", "x.reel.jsonl", "--json")
    assert (cut.code, cut.json["intact"]) == (1, False)
    validate(cut.json, "verify")
    assert "cut off after line" in cut.json["findings"][0]["detail"]


def test_a_signed_file_names_its_key(told_sqlite: Caller) -> None:
    told_sqlite.good("keygen", "audit.key")
    told_sqlite.good("keygen", "other.key")
    told_sqlite.good("export", "run-done", "--out", "x.reel.jsonl.gz", "--key", "audit.key")
    told_sqlite.good("export", "run-done", "--out", "unsigned.reel.jsonl")
    assert "not verified without --key" in told_sqlite.good("verify", "x.reel.jsonl.gz").err
    signed = told_sqlite.good("verify", "x.reel.jsonl.gz", "--key", "audit.key.pub")
    assert "signed by key" in signed.err
    assert "Not covered by a file alone" in signed.err
    wrong = told_sqlite("verify", "x.reel.jsonl.gz", "--key", "other.key.pub")
    assert (wrong.code, "names the key" in wrong.out) == (1, True)
    unsigned = told_sqlite("verify", "unsigned.reel.jsonl", "--key", "audit.key.pub")
    assert (unsigned.code, "is not signed" in unsigned.out) == (1, True)
    told_sqlite.good("export", "run-done", "--out", "y.reel.jsonl", "--key", "audit.key")
    last = Path("y.reel.jsonl").read_text().splitlines()[-1]
    signature = json.loads(last)["signature"]
    flipped = signature[:-1] + ("0" if signature[-1] != "0" else "1")
    Path("y.reel.jsonl").write_text(Path("y.reel.jsonl").read_text().replace(signature, flipped))
    forged = told_sqlite("verify", "y.reel.jsonl", "--key", "audit.key.pub")
    assert (forged.code, "is not signed by the key" in forged.out) == (1, True)
    assert told_sqlite("verify", "run-done", "--key", "audit.key.pub").code == 2


def test_import_reports_a_recording(told: Caller, tmp_path: Path) -> None:
    told.good("export", "--out", "all.reel.jsonl.gz")
    called = told.bare("--db", str(tmp_path / "new.db"), "import", "all.reel.jsonl.gz", "--json")
    assert called.code == 0
    validate(called.json, "import")
    with runreel.open(told.url) as reel:
        rows = sum(run.last_seq + 1 for run in reel.runs())
    assert (called.json["runs_new"], called.json["events_new"]) == (4, rows)
    again = told.good("import", "all.reel.jsonl.gz")
    assert f"0 runs added, 0 updated; 0 events added, {rows} duplicates skipped" in again.out


def test_a_masked_file_says_so(told_sqlite: Caller) -> None:
    told_sqlite.good("export", "run-done", "--mask", "secrets", "--out", "x.reel.jsonl")
    assert "a masked copy" in told_sqlite.good("verify", "x.reel.jsonl").err
    assert ANSWER.splitlines()[0] in told_sqlite.bare("show", "x.reel.jsonl", "--content").out
    called = told_sqlite("import", "x.reel.jsonl")
    assert called.code == 1
    assert "masked copy" in called.err


@pytest.mark.parametrize("name", ["x.reel.jsonl", "renamed.txt"])
def test_a_recording_is_known_by_its_content_too(told_sqlite: Caller, name: str) -> None:
    with runreel.open(told_sqlite.url) as reel:
        tell_done(reel, "another")
    told_sqlite.good("export", "another", "--format", "reel", "--out", name)
    assert told_sqlite.bare("show", name, "--json").json["run_id"] == "another"
    assert told_sqlite.bare("--db", f"./{name}", "show", "latest").code == 0


def test_files_and_runs_are_compared(told: Caller) -> None:
    told.good("export", "run-done", "--out", "done.reel.jsonl")
    told.good("export", "run-failed", "--out", "failed.reel.jsonl.gz")
    wanted = told.good("diff", "run-done", "run-failed", "--json").json
    for pair in (("done.reel.jsonl", "failed.reel.jsonl.gz"), ("done.reel.jsonl", "run-f")):
        assert told.good("diff", *pair, "--json").json == wanted
    same = told.good("diff", "done.reel.jsonl", "run-done", "--exit-code")
    assert "differs" not in same.out
    itself = told.good("diff", "done.reel.jsonl", "done.reel.jsonl")
    assert "Both are the same run" in itself.err
    assert told("diff", "done.reel.jsonl", "nothing").code == 2
    assert told("diff", "missing.reel.jsonl", "run-done").code == 2


def test_a_run_is_compared_with_itself_at_another_time(told: Caller) -> None:
    told.good("export", "run-done", "--out", "done.reel.jsonl")
    told.good("export", "run-done", "--mask", "black", "--out", "masked.reel.jsonl")
    told.good("redact", "run-done", "--match", "second", "--reason", "r", "--yes")
    told.good("export", "run-done", "--out", "erased.reel.jsonl")
    for pair in (("done.reel.jsonl", "run-done"), ("done.reel.jsonl", "erased.reel.jsonl")):
        found = told("diff", *pair, "--exit-code", "--json").json
        assert (found["a"], found["b"]) == ("run-done", "run-done")
        assert "second" in found["text"]["changes"][0]["a_text"]
        assert "\N{FULL BLOCK}" * 6 in found["text"]["changes"][0]["b_text"]
        table = told("diff", *pair, "--exit-code")
        assert (table.code, table.err) == (1, "")
        assert f"A  run-done  {pair[0]}\nB  run-done  {pair[1]}\n" in table.out
    same = told.good("diff", "run-done", "erased.reel.jsonl", "--exit-code")
    assert "differs" not in same.out
    masked = told.good("diff", "masked.reel.jsonl", "done.reel.jsonl", "--json", "--only", "tools")
    assert not masked.json["same"]
    # In one log, a run has one state: what one file has erased is erased.
    for files in (("run-done", "done.reel.jsonl"), ("erased.reel.jsonl", "done.reel.jsonl")):
        refused = told("show", *files)
        assert (refused.code, refused.out) == (2, "")
        assert "run run-done has other rows in done.reel.jsonl than in" in refused.err
    assert told.good("show", "run-done", "erased.reel.jsonl", "-o", "jsonl").out.count("\n") == 2


def test_nothing_of_a_file_reaches_a_terminal_raw(call_sqlite: Caller) -> None:
    with runreel.open(call_sqlite.url) as reel:
        tell_harm(reel)
    call_sqlite.good("export", "--out", "all.reel.jsonl")
    call_sqlite.good("export", HARM_ID, "--mask", "secrets", "--out", "one.reel.jsonl")
    path = Path("one.reel.jsonl")
    Path("bad.reel.jsonl").write_bytes(path.read_bytes().replace(b'"seq":1,', b'"seq":9,', 1))
    calls = [
        call_sqlite("import", "one.reel.jsonl"),
        call_sqlite("verify", "bad.reel.jsonl"),
        call_sqlite("show", "bad.reel.jsonl"),
        call_sqlite.bare("show", "one.reel.jsonl", "--content"),
        call_sqlite.bare("--db", "all.reel.jsonl", "runs"),
    ]
    assert [called.code for called in calls] == [1, 1, 1, 0, 0]
    for called in calls:
        shown = (called.out + called.err).replace("\n", "")
        assert shown.isprintable(), called
