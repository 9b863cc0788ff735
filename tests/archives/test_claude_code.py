"""Sessions of Claude Code are imported turn by turn, whatever their files repeat."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import runreel
from runreel import RunStatus
from tests import logs
from tests.archives import claude_code as cc
from tests.archives.contents import content, store, totals


def test_a_turn_is_a_run_and_a_session_its_thread(reel, tmp_path):
    report = store(reel, cc.sample().write(tmp_path))
    assert (report.problems, report.notices, report.runs_new) == ([], [], 2)
    second, first = reel.runs()
    assert (first.usage.input_text_tokens, first.usage.completion_tokens) == cc.FIRST
    assert (second.usage.input_text_tokens, second.usage.completion_tokens) == cc.SECOND
    for run in (first, second):
        assert (run.thread_id, run.model, run.source) == ("s1", cc.MODEL, "claude-code")
        assert (run.status, run.recording) == (RunStatus.COMPLETED, "closed")
        assert (run.first_text_ms, run.first_text_at, run.requested_at) == (None, None, None)
        assert run.labels == {"project": "/home/me/project"}
    assert first.duration_ms == 6 * 60_000
    details = first.usage_details
    assert (details.cached_tokens, details.cache_write_tokens) == (110, 100)
    assert [
        (call.model, call.service_tier, call.input_text_tokens) for call in first.call_usage
    ] == [
        (cc.MODEL, "standard", 110),
        (cc.MODEL, "standard", 115),
    ]
    assert reel.result(first.run_id).text == "Two files."
    assert reel.rebuild(check=True) == []


def test_the_story_has_prompt_reasoning_calls_and_results(reel, tmp_path):
    store(reel, cc.sample().write(tmp_path))
    (_, run) = reel.runs()
    steps = list(reel.story(run.run_id))
    kinds = [type(step).__name__ for step in steps]
    assert kinds == ["RequestStep", "ReasoningStep", "TextStep", "ToolCallStep", "TextStep"]
    assert steps[0].messages[0].text == "Count the files"
    assert (steps[3].name, steps[3].arguments, steps[3].result) == (
        "Bash",
        {"command": "ls"},
        "a\nb",
    )
    for word, part in (("Count", "request"), ("Two files", "answer"), ("I should", "reasoning")):
        (match,) = reel.search(word, in_=(part,))
        assert match.run_id == run.run_id


def test_what_the_user_says_next_to_results_is_found(reel, tmp_path):
    session = cc.sample()
    for line in session.lines:
        content = line.get("message", {}).get("content")
        if isinstance(content, list) and content[0]["type"] == "tool_result":
            content.append(cc.text("Prefer short names"))
    store(reel, session.write(tmp_path))
    for said in ("short names", "Count the"):
        assert [match.in_ for match in reel.search(said)] == ["request"]
        assert [match.in_ for match in reel.search(said, regex=True)] == ["request"]


def test_importing_again_adds_nothing(reel, tmp_path):
    path = cc.sample().write(tmp_path)
    store(reel, path)
    rows = logs.rows(reel)
    report = store(reel, path)
    assert (report.events_new, report.events_known, report.runs_touched) == (0, 8, 0)
    assert logs.rows(reel) == rows


def test_the_largest_count_of_a_message_counts(reel, tmp_path):
    session = cc.Session()
    session.prompt("a")
    for made in (1, 9, 9, 4):
        session.answer("m", cc.text(str(made)), cc.usage(3, made))
    session.answer("m", cc.text("none"), None)
    session.answer("other", cc.text("x"), cc.usage(1, 1), requestId=...)
    session.answer("other", cc.text("y"), cc.usage(1, 2), requestId=...)
    store(reel, session.write(tmp_path))
    assert totals(reel) == (4, 11)


def test_counts_that_no_line_gives_are_unknown(reel, tmp_path):
    session = cc.Session()
    session.prompt("a")
    session.answer("m", cc.text("b"), None)
    store(reel, session.write(tmp_path))
    (run,) = reel.runs()
    assert run.usage is None
    assert reel.usage().totals.unknown == 1


@pytest.mark.parametrize("renames", [False, True])
@pytest.mark.parametrize("turned", [False, True])
def test_lines_that_a_fork_repeats_count_once(reel, tmp_path, renames, turned):
    session = cc.sample()
    fork = session.fork("s2", 9, renames=renames)
    fork.prompt("Otherwise")
    fork.answer("m9", cc.text("Yes."), cc.usage(1, 1), "end_turn")
    paths = [session.write(tmp_path), fork.write(tmp_path)]
    assert store(reel, *(reversed(paths) if turned else paths)).problems == []
    assert totals(reel) == (cc.FIRST[0] + cc.SECOND[0] + 1, cc.FIRST[1] + cc.SECOND[1] + 1)
    assert sorted(run.thread_id for run in reel.runs()) == ["s1", "s1", "s2"]


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("apart", [False, True])
def test_a_fork_may_give_its_copies_other_ids(reel, tmp_path, turned, apart):
    session = cc.sample()
    fork = session.fork("s2", 9)
    fork.lines = [
        line | {name: f"x-{line[name]}" for name in ("uuid", "parentUuid") if line.get(name)}
        for line in fork.lines
    ]
    fork.prompt("Otherwise")
    fork.answer("m9", cc.text("Yes."), cc.usage(1, 1), "end_turn")
    paths = [session.write(tmp_path), fork.write(tmp_path)]
    if turned:
        paths.reverse()
    for some in [[path] for path in paths] if apart else [paths]:
        store(reel, *some)
    assert totals(reel) == (cc.FIRST[0] + cc.SECOND[0] + 1, cc.FIRST[1] + cc.SECOND[1] + 1)
    assert len(reel.runs()) == 3


@pytest.mark.parametrize("turned", [False, True])
def test_a_fork_that_names_its_origin_has_the_lines_of_the_origin(reel, tmp_path, turned):
    session = cc.sample()
    fork = session.fork("s2", 9)
    for line in fork.lines:
        if "uuid" in line:
            line["forkedFrom"] = {"sessionId": "s1", "messageUuid": line["uuid"]}
    fork.prompt("Otherwise")
    fork.answer("m9", cc.text("Yes."), cc.usage(1, 1), "end_turn")
    paths = [session.write(tmp_path), fork.write(tmp_path)]
    with runreel.open(tmp_path / "at-once.db") as at_once:
        store(at_once, *paths)
        for path in reversed(paths) if turned else paths:
            store(reel, path)
        assert content(reel) == content(at_once)


def test_gateways_may_repeat_the_ids_of_messages(reel, tmp_path):
    session = cc.Session()
    for number in range(3):
        session.prompt(str(number))
        session.answer("msg_0", cc.text("x"), cc.usage(1, 1), requestId=...)
    store(reel, session.write(tmp_path))
    store(reel, session.write(tmp_path))
    assert (len(reel.runs()), totals(reel)) == (3, (3, 3))


@pytest.mark.parametrize("apart", [False, True])
def test_a_resumed_session_may_begin_in_the_middle_of_a_turn(reel, tmp_path, apart):
    session = cc.sample()
    resumed = cc.Session("s2", None, [line | {"sessionId": "s2"} for line in session.lines[3:8]])
    resumed.prompt("More")
    resumed.answer("m9", cc.text("Yes."), cc.usage(1, 1), "end_turn")
    if apart:
        store(reel, session.write(tmp_path))
    store(reel, resumed.write(tmp_path), session.write(tmp_path))
    assert totals(reel) == (cc.FIRST[0] + cc.SECOND[0] + 1, cc.FIRST[1] + cc.SECOND[1] + 1)


def test_agents_are_runs_of_their_own_in_the_thread(reel, tmp_path):
    session, agent = cc.Session(), cc.Session("s1", "a1")
    session.prompt("Ask an agent")
    session.answer("m1", cc.tool_use("t1", "Task"), cc.usage(1, 1), "tool_use")
    agent.prompt("Do it")
    agent.answer("m2", cc.text("Done."), cc.usage(10, 10), "end_turn")
    inline = [line | {"agentId": "a2", "uuid": line["uuid"] + "x"} for line in agent.lines]
    inline[1] = inline[1] | {"parentUuid": inline[0]["uuid"], "requestId": "other"}
    session.lines += inline
    session.result("t1", "Done.")
    session.answer("m3", cc.text("It is done."), cc.usage(2, 2), "end_turn")
    store(reel, session.write(tmp_path), agent.write(tmp_path))
    runs = {run.labels.get("agent"): run for run in reel.runs()}
    assert {agent: run.usage.total_tokens for agent, run in runs.items()} == {
        None: 6,
        "a1": 20,
        "a2": 20,
    }
    assert {run.thread_id for run in runs.values()} == {"s1"}
    assert reel.result(runs[None].run_id).text == "It is done."


def test_commands_that_no_model_sees_are_no_turns(reel, tmp_path):
    session = cc.Session()
    session.prompt("<local-command-caveat>…</local-command-caveat>", isMeta=True)
    session.prompt("<command-name>/clear</command-name>")
    session.prompt("<local-command-stdout></local-command-stdout>")
    session.prompt("<command-name>/review</command-name>")
    session.prompt("Review the changes", isMeta=True)
    session.answer("m1", cc.text("Fine."), cc.usage(1, 1), "end_turn")
    session.prompt("unanswered")
    store(reel, session.write(tmp_path))
    (run,) = reel.runs()
    assert run.status is RunStatus.COMPLETED
    assert totals(reel) == (1, 1)


def test_an_interruption_and_a_summary_belong_to_the_turn(reel, tmp_path):
    session = cc.Session()
    session.prompt("a")
    session.answer("m1", cc.tool_use("t"), cc.usage(1, 1), "tool_use")
    session.prompt("This session is being continued", isCompactSummary=True)
    session.answer("m2", cc.text("b"), cc.usage(1, 1))
    session.prompt("[Request interrupted by user]")
    store(reel, session.write(tmp_path))
    (run,) = reel.runs()
    assert run.usage.total_tokens == 4


def test_an_error_of_the_service_fails_the_run(reel, tmp_path):
    session = cc.Session()
    session.prompt("a")
    line = session.answer(
        "e",
        cc.text("API Error: 529 overloaded"),
        cc.usage(0, 0),
        "stop_sequence",
        isApiErrorMessage=True,
    )
    line["message"]["model"] = "<synthetic>"
    store(reel, session.write(tmp_path))
    (run,) = reel.runs()
    assert (run.status, run.error.message) == (RunStatus.FAILED, "API Error: 529 overloaded")
    assert (run.usage, run.model) == (None, None)


def test_counts_that_are_not_understood_are_noted(reel, tmp_path):
    session = cc.Session()
    session.prompt("a")
    session.answer("m", cc.text("b"), {"input_tokens": "many", "output_tokens": 1})
    path = session.write(tmp_path)
    report = store(reel, path)
    assert report.notices == [
        f"usage not understood, counted as unknown, in 1 run; first in {path}:2"
    ]
    (run,) = reel.runs()
    assert run.usage is None


def test_bad_lines_are_named_once_and_the_rest_is_imported(reel, tmp_path):
    session = cc.sample()
    session.side("from-the-future", x=1)
    session.side("from-the-future", x=2)
    path = session.write(tmp_path)
    path.write_bytes(path.read_bytes() + b'{"type": "user", "mess')
    report = store(reel, path)
    assert [problem.line for problem in report.problems] == [12, 14]
    assert "from-the-future" in report.problems[0].message
    assert "cut off" in report.problems[1].message
    assert totals(reel) == (cc.FIRST[0] + cc.SECOND[0], cc.FIRST[1] + cc.SECOND[1])


def test_erased_and_pruned_lines_do_not_return(reel, tmp_path):
    path = cc.sample().write(tmp_path)
    store(reel, path)
    second, first = reel.runs()
    list(reel.redact([second.run_id], "Thanks", actor="me", reason="r"))
    list(reel.redact([second.run_id], seqs=[2], actor="me", reason="r"))
    assert [run.run_id for run in reel.prune("2026-11-01T00:08:00Z")] == [first.run_id]
    rows = logs.rows(reel)
    report = store(reel, path)
    assert (report.events_new, report.problems) == (0, [])
    assert report.notices == ["1 run skipped: pruned earlier"]
    assert logs.rows(reel) == rows


SOME = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))


def sessions() -> list[cc.Session]:
    one = cc.sample()
    fork = one.fork("s2", 9)
    fork.prompt("Otherwise")
    fork.answer("m9", cc.thinking("Hm"), cc.usage(1, 1))
    fork.answer("m9", cc.text("Yes."), cc.usage(1, 3))
    agent = cc.Session("s1", "a1")
    agent.prompt("Do it")
    agent.answer("m8", cc.text("Done."), cc.usage(10, 10), "end_turn")
    return [one, fork, agent]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    with runreel.open(tmp_path_factory.mktemp("whole") / "log.db") as reel:
        folder = tmp_path_factory.mktemp("projects")
        store(reel, *(session.write(folder) for session in sessions()))
        return content(reel)


@SOME
@given(data=st.data())
def test_prefixes_before_the_whole_change_nothing(tmp_path_factory, whole, data):
    folder = tmp_path_factory.mktemp("projects")
    written = [session.write(folder) for session in sessions()]
    wholes = [path.read_bytes() for path in written]
    cuts = [sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=3))) for raw in wholes[:1]]
    with runreel.open(folder / "log.db") as reel:
        for cut in cuts[0]:
            written[0].write_bytes(wholes[0][:cut])
            store(reel, written[0])
        written[0].write_bytes(wholes[0])
        store(reel, *data.draw(st.permutations(written)))
        assert content(reel) == whole
        assert reel.rebuild(check=True) == []


@SOME
@given(order=st.permutations(range(3)))
def test_any_order_of_files_gives_the_same_rows(tmp_path_factory, whole, order):
    folder = tmp_path_factory.mktemp("projects")
    written = [session.write(folder) for session in sessions()]
    with runreel.open(folder / "log.db") as reel:
        store(reel, *(written[place] for place in order))
        assert content(reel) == whole


def test_a_folder_is_imported(reel, tmp_path):
    cc.sample().write(tmp_path / ".claude" / "projects" / "p")
    (tmp_path / ".claude" / "history.jsonl").write_text('{"display": "x"}\n')
    assert store(reel, tmp_path / ".claude").problems == []
    assert totals(reel) == (cc.FIRST[0] + cc.SECOND[0], cc.FIRST[1] + cc.SECOND[1])
    (tmp_path / "empty").mkdir()
    (problem,) = store(reel, tmp_path / "empty").problems
    assert "no archive" in problem.message


def test_other_files_in_a_folder_are_named_and_the_rest_imported(reel, tmp_path):
    folder = tmp_path / "sessions"
    cc.sample().write(folder)
    (folder / "older.jsonl").write_text('{"id": "x", "instructions": null}\n{"type": "message"}\n')
    (folder / "empty.jsonl").write_text("")
    (folder / "link.jsonl").symlink_to(tmp_path / "gone")
    seen = []
    report = store(reel, tmp_path, progress=lambda *counts: seen.append(counts))
    (problem,) = report.problems
    assert (problem.file, problem.line) == (str(folder / "older.jsonl"), 1)
    assert totals(reel) == (cc.FIRST[0] + cc.SECOND[0], cc.FIRST[1] + cc.SECOND[1])
    assert seen == sorted(seen)
    assert seen[-1][0] == seen[-1][1]
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "x.jsonl").write_text('{"a": 1}\n')
    (problem,) = store(reel, tmp_path / "other").problems
    assert problem.file == str(tmp_path / "other")
