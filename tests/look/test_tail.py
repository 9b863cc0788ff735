"""``runreel tail``, in processes of its own where that matters."""

from __future__ import annotations

import csv
import io
import signal
from contextlib import ExitStack

import pytest

from runreel.cli import error_reporting
from tests.cli import stories
from tests.cli.calls import on_terminal
from tests.cli.shapes import validate
from tests.cli.test_safe import is_harmful
from tests.look.following import lines, recorder, tail

END = {"type": "end", "run_id": "run-1", "status": "IN_PROGRESS", "recording": "closed"}


def printed(reel, call, run_id: str, start: int = 0) -> list[object]:
    """What ``events --json`` prints of a run."""
    found = call.good("events", run_id, "--from", str(start), "--json").json["items"]
    assert len(found) == len(list(reel.events(run_id, start=start)))
    return found


def test_last_rows_and_the_last_line(reel, call):
    stories.tell_all(reel)
    whole = printed(reel, call, "run-done")
    end = {"type": "end", "run_id": "run-done", "status": "COMPLETED", "recording": "closed"}
    for options, items in (
        ((), whole[-10:]),
        (("-n", "0"), whole),
        (("-n", "3"), whole[-3:]),
        (("--from", "4"), whole[4:]),
        (("--from", "4", "-n", "2"), whole[-2:]),
        (("--from", "7", "-n", "5"), whole[7:]),
        (("--from", "99"), []),
    ):
        called = call.good("tail", "run-done", *options, "-o", "jsonl")
        assert called.lines == [*items, end | {"state": "completed"}]
        assert called.err == ""
    for line in called.lines:
        validate(line, "end")
    assert call.good("tail", "latest", "-o", "jsonl").lines == [*whole[-10:], called.lines[-1]]
    shown = call.good("tail", "run-failed", "--json").json
    validate(shown, "tail")
    assert shown["items"] == printed(reel, call, "run-failed")
    assert (shown["end"]["run_id"], shown["end"]["state"]) == ("run-failed", "failed")
    rows = [*csv.DictReader(io.StringIO(call.good("tail", "run-done", "-o", "csv").out))]
    assert [int(row["seq"]) for row in rows] == [item["seq"] for item in whole[-10:]]
    heading, *shown, last = call.good("tail", "run-done", "-n", "0").out.splitlines()
    assert heading.split() == ["SEQ", "AT", "(UTC)", "TYPE", "WHAT"]
    assert [line.split()[0] for line in shown] == [str(item["seq"]) for item in whole]
    assert 'weather(place="Moon", days=2)' in shown[2]
    assert last == "Run run-done: completed, recording closed"


def test_an_open_run_ends_by_time_or_is_not_waited_for(reel, call):
    stories.tell_open(reel)
    whole = printed(reel, call, "open-run")
    late = call("tail", "open-run", "--timeout", "0", "-o", "jsonl")
    assert (late.code, late.err) == (1, "Nothing new within the timeout.\n")
    assert late.lines[:-1] == whole
    assert (late.lines[-1]["recording"], late.lines[-1]["state"]) == ("open", "in_progress")
    now = call.good("tail", "open-run", "--no-follow", "-o", "jsonl")
    assert (now.lines, now.err) == (late.lines, "")
    table = call("tail", "open-run", "--timeout", "0")
    assert table.out.splitlines()[-1] == "Run open-run: in_progress, recording open"


def test_all_open_runs(reel, call):
    stories.tell_all(reel)
    stories.tell_open(reel, "open-2")
    opened = [*printed(reel, call, "open-run"), *printed(reel, call, "open-2")]
    none = {"type": "end", "run_id": None, "status": None, "recording": None, "state": None}
    validate(none, "end")
    found = call.good("tail", "--no-follow", "-o", "jsonl").lines
    assert found == [*opened, none]
    late = call("tail", "--timeout", "0", "-n", "1", "--json")
    assert late.code == 1
    assert [item["seq"] for item in late.json["items"]] == [1, 1]
    assert late.json["end"] == none
    heading, *rest = call.good("tail", "--no-follow").out.splitlines()
    assert heading.startswith("RUN")
    assert [line.split()[0] for line in rest] == ["open-run"] * 2 + ["open-2"] * 2


def test_runs_that_cannot_be_followed(reel, call):
    stories.tell_done(reel, "run-1")
    stories.tell_done(reel, "run-2")
    for run, words in (("none", "run not found: 'none'"), ("run-", "several runs begin with")):
        called = call("tail", run, "--timeout", "0")
        assert (called.code, called.out) == (2, "")
        assert words in called.err
    list(reel.prune("2100-01-01", reason="space", actor="me"))
    called = call("tail", "run-1")
    assert (called.code, called.out) == (2, "")
    assert "run-1 was pruned at" in called.err
    assert call("tail", "--timeout", "-1").code == call("tail", "--from", "x").code == 2


def test_a_recording_file_is_printed_and_not_waited_for(reel, call, tmp_path):
    stories.tell_open(reel)
    file = str(tmp_path / "one.reel.jsonl")
    call.good("export", "open-run", "--out", file)
    found = call.good("tail", file, "-o", "jsonl").lines
    assert found[:-1] == printed(reel, call, "open-run")
    assert found[-1]["recording"] == "open"


@pytest.mark.parametrize("count", [300, pytest.param(2_000, marks=pytest.mark.slow)])
def test_each_event_of_another_process_is_printed_once(reel, call, count):
    with (
        recorder(call.url, "run-1", count) as child,
        tail(call.url, "run-1", "-n", "0", "-o", "jsonl") as follower,
    ):
        child.go_on()
        found = lines(follower)
        assert follower.wait(30) == 0
    assert found[:-1] == printed(reel, call, "run-1")
    assert [item["seq"] for item in found[:-1]] == [*range(count + 2)]
    assert found[-1] == END | {"state": "in_progress"}


@pytest.mark.parametrize("count", [300, pytest.param(2_000, marks=pytest.mark.slow)])
def test_a_follow_that_was_killed_goes_on_where_it_was(reel, call, count):
    with recorder(call.url, "run-1", count) as child:
        with tail(call.url, "run-1", "-n", "0", "-o", "jsonl") as follower:
            found = lines(follower, count // 2)
            child.go_on()
            found += lines(follower, 40)
            follower.send_signal(signal.SIGKILL)
        following = str(found[-1]["seq"] + 1)
        with tail(call.url, "run-1", "--from", following, "-o", "jsonl") as follower:
            found += lines(follower)
    assert found[:-1] == printed(reel, call, "run-1")
    assert found[-1] == END | {"state": "in_progress"}


def test_many_processes_record_while_all_runs_are_followed(reel, call):
    names = [f"run-{number}" for number in range(3)]
    with ExitStack() as stack:
        children = [stack.enter_context(recorder(call.url, name, 40)) for name in names[:2]]
        follower = stack.enter_context(tail(call.url, "-n", "0", "-o", "jsonl", "--timeout", "10"))
        found = lines(follower, 44)
        assert {item["run_id"] for item in found} == {*names[:2]}
        children.append(stack.enter_context(recorder(call.url, names[2], 40)))
        for child in children:
            child.go_on()
        while [item["type"] for item in found].count("end") < len(names):
            found += lines(follower, 1)
        follower.send_signal(signal.SIGINT)
        assert lines(follower) == []
        assert follower.wait(30) == error_reporting.INTERRUPTED
    for name in names:
        of_run = [item for item in found if item["run_id"] == name]
        assert of_run[:-1] == printed(reel, call, name)
        assert of_run[-1]["type"] == "end"


def test_a_recorder_that_dies(reel, call):
    with (
        recorder(call.url, "run-1", 10) as child,
        tail(call.url, "run-1", "-n", "1", "-o", "jsonl") as follower,
    ):
        assert len(lines(follower, 1)) == 1
        child.kill()
        (end,) = lines(follower)
        assert follower.stderr is not None
        assert "run-1 is gone; `runreel recover` ends the recording." in follower.stderr.read()
        assert follower.wait(30) == 1
    assert end == END | {"recording": "open", "state": "stale"}
    again = call("tail", "run-1", "-n", "1")
    assert (again.code, "is gone" in again.err) == (1, True)
    assert again.out.splitlines()[-1] == "Run run-1: stale, recording open"


def test_a_run_that_is_pruned_while_a_slow_reader_follows(reel, call):
    with reel.recording("run-1") as recording:
        for number in range(2_000):
            recording.append(stories.partial(f"{number} " * 20))
    with tail(call.url, "run-1", "-n", "0", "-o", "jsonl") as follower:
        found = lines(follower, 1)
        # The pipe is full, and the rest is not read yet.
        list(reel.prune("2100-01-01", reason="space", actor="me"))
        found += lines(follower)
        assert follower.stderr is not None
        assert "Run run-1 was pruned at" in follower.stderr.read()
        assert follower.wait(30) == 1
    *events, tombstone, end = found
    assert [item["seq"] for item in events] == [*range(len(events))]
    assert 0 < len(events) < 2_000
    assert tombstone["type"] == "pruned"
    assert end == END | {"recording": "pruned", "state": "in_progress"}


def test_ctrl_c_and_a_closed_pipe_end_it_quietly(reel, call):
    stories.tell_open(reel)
    with tail(call.url, "open-run", "-o", "jsonl") as follower:
        lines(follower, 2)
        follower.send_signal(signal.SIGINT)
        assert lines(follower) == []
        assert follower.wait(30) == error_reporting.INTERRUPTED
        assert follower.stderr is not None
        assert follower.stderr.read() == "\nInterrupted.\n"
    for arguments in (("open-run", "--json"), ()):
        # Nothing new comes: it must notice by itself that nobody reads any more.
        with tail(call.url, *arguments) as follower:
            assert follower.stdout is not None
            assert follower.stderr is not None
            assert follower.stdout.read(10)
            follower.stdout.close()
            assert follower.wait(30) == error_reporting.CLOSED_PIPE
            assert follower.stderr.read() == ""


def test_a_terminal_gets_the_text_as_it_grows(reel, call):
    stories.tell_all(reel)
    with reel.recording("long") as recording:
        for text in ("Once", "Once upon", "Once upon\na time", "Another"):
            recording.append(stories.partial(text))
    shown = on_terminal(
        *(
            ("--db", call.url, "tail", *more)
            for more in (("long",), ("long", "-n", "3"), ("run-done",))
        ),
        env={"NO_COLOR": "1"},
    )
    assert [code for code, _ in shown] == [0, 0, 0]
    whole, late, done = (text.replace("\r", "").splitlines() for _, text in shown)
    assert [line for line in whole if line.startswith(("Once", "a time", "Another"))] == [
        "Once upon",
        "a time",
        "Another",
    ]
    # Only what the last rows added.
    assert "Once upon" not in late
    assert late[late.index("a time") - 1].strip() == ""
    assert "Another" in late
    assert done[done.index("Привет, 世界!") + 1] == "A second line."
    assert any("weather(" in line for line in done)


@pytest.mark.parametrize("more", [(), ("-o", "jsonl"), ("-o", "csv"), ("--json",)])
def test_text_of_a_model_does_no_harm(reel, call, more):
    stories.tell_harm(reel)
    runs = [run.run_id for run in reel.runs() if "open" not in run.run_id]
    calls = [("tail", run, "-n", "0", *more) for run in runs]
    calls.append(("tail", "--no-follow", *more))
    shown = on_terminal(
        *(("--db", call.url, *one) for one in calls), env={"NO_COLOR": "1"}, exact=True
    )
    for code, text in shown:
        assert code == 0
        assert "EVIL" in text or "evil" in text
        assert not [char for char in text if is_harmful(char)]
