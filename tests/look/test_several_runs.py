"""Several runs, and recording files, in place of one run."""

from __future__ import annotations

import json

import pytest

from runreel import RunNotFound
from tests.calls.hook import CHAT, ask, chat, said, user
from tests.cli import stories
from tests.cli.shapes import validate
from tests.live import openai_script as script
from tests.look.test_diff import PARI, record


def test_several_runs_are_shown_one_after_the_other(reel, call):
    stories.tell_all(reel)
    shown = call.good("show", "run-done", "run-failed", "--content", "--json").json
    validate(shown, "show")
    assert [item["run_id"] for item in shown["items"]] == ["run-done", "run-failed"]
    one = call.good("show", "run-failed", "--content", "--json").json
    validate(one, "show")
    assert shown["items"][1] == one
    lines = call.good("show", "run-done", "run-failed", "--content", "-o", "jsonl").lines
    assert lines == shown["items"]
    table = call.good("show", "run-done", "run-failed").out
    assert table.count("\n\nRun ") == 1
    assert call.good("show", "run-done", "latest", "-o", "csv").out.count("\n") == 3
    assert call("show").code == call("show", "run-done", "none").code == 2


def test_events_of_several_runs(reel, call):
    stories.tell_all(reel)
    found = call.good("events", "run-done", "run-failed", "run-done", "--json").json
    validate(found, "events")
    alone = [call.good("events", run, "--json").json["items"] for run in ("run-done", "run-failed")]
    assert found["items"] == alone[0] + alone[1]
    limited = call.good("events", "run-done", "run-failed", "-n", "2", "--json").json
    assert (limited["items"], limited["next"]) == (alone[0][:2], None)
    table = call.good("events", "run-done", "run-failed", "--type", "error").out
    assert table.startswith("RUN")
    assert "run-failed" in table
    assert not call.good("events", "run-failed").out.startswith("RUN")


def test_recording_files_are_looked_into_like_runs(reel, call, tmp_path):
    record(reel, "one")
    record(reel, "two", city=PARI)
    one, two = (str(tmp_path / f"{name}.reel.jsonl") for name in ("one", "two"))
    for run, file in (("one", one), ("two", two)):
        call.good("export", run, "--out", file)
    for command in ("timeline", "show"):
        of_run = call.good(command, "one", "--json").json
        assert call.good(command, one, "--json").json == of_run
    story = call.good("show", "one", "--content", "--json").json["story"]
    assert call.good("show", one, "--content", "--json").json["story"] == story
    assert (
        call.good("diff", one, two, "--json").json == call.good("diff", "one", "two", "--json").json
    )
    same = call("diff", one, one, "--exit-code")
    assert (same.code, "Both are the same run." in same.err) == (0, True)
    assert json.loads(call.good("diff", one, one, "--json").out)["same"]


def test_replays_of_several_runs(reel, call):
    stories.tell_all(reel)
    one = [call.good("replay", run, "--instant").out for run in ("run-failed", "run-done")]
    assert call.good("replay", "run-failed", "run-done", "--instant").out == "".join(one)
    shown = ("replay", "run-failed", "--instant", "--render", "cumulative", "--tz")
    assert call.good(*shown, "UTC").out != call.good(*shown, "Asia/Tokyo").out


def test_pruned_runs_have_no_story_and_later_turns_have_theirs(reel, call):
    first = ask(reel, CHAT, chat(user("my name is Ann")), script.chunks("Hello"))
    body = chat(user("my name is Ann"), said("Hello"), user("And now?"))
    second = ask(reel, CHAT, body, script.chunks("Now", id_="2"), scope={"run_id": "second"})
    between = reel.run(second).requested_at
    pruned = [one.run_id for one in reel.prune(between, reason="r", actor="a")]
    assert pruned == [first]
    steps = reel.story(second)
    for read in (reel.story, reel.steps, lambda run: reel.diff(run, run)):
        with pytest.raises(RunNotFound, match="pruned"):
            read(first)
    assert [step.step for step in steps] == ["request", "text"]
    assert (steps[0].repeated, [one.text for one in steps[0].messages]) == (1, ["And now?"])
    assert call("timeline", first).code == call("diff", first, second).code == 2


def test_timelines_of_several_runs(reel, call):
    stories.tell_all(reel)
    one = call.good("timeline", "run-done", "--json").json
    both = call.good("timeline", "run-done", "run-failed", "run-done", "--json").json
    validate(both, "timeline")
    assert [item["run_id"] for item in both["items"]] == ["run-done", "run-failed"]
    assert both["items"][0] == one
    lines = call.good("timeline", "run-done", "run-failed", "-o", "jsonl").out.splitlines()
    steps = [{"run_id": item["run_id"], **step} for item in both["items"] for step in item["steps"]]
    assert list(map(json.loads, lines)) == steps
    csv = call.good("timeline", "run-done", "run-failed", "-o", "csv").out.splitlines()
    assert csv[0].startswith("run_id,step,")
    assert len(csv) == len(steps) + 1
    table = call.good("timeline", "run-done", "run-failed").out
    assert table.index("run-done") < table.index("Total") < table.index("run-failed")
    alone = call.good("timeline", "run-done").out
    assert "run-done" not in alone
    assert alone in table
