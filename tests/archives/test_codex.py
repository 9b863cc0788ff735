"""Sessions of the Codex CLI are imported turn by turn; what a fork repeats counts once."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import runreel
from runreel import RunStatus
from tests import logs
from tests.archives import codex
from tests.archives.contents import content, store, totals

IDS = pytest.mark.parametrize("ids", [True, False])
SUM = codex.FIRST[0] + codex.SECOND[0], codex.FIRST[1] + codex.SECOND[1]


@IDS
def test_a_turn_is_a_run_and_a_session_its_thread(reel, tmp_path, ids):
    report = store(reel, codex.sample(ids=ids).write(tmp_path))
    assert (report.problems, report.notices, report.runs_new) == ([], [], 2)
    second, first = reel.runs()
    assert (first.usage.input_text_tokens, first.usage.completion_tokens) == codex.FIRST
    assert (second.usage.input_text_tokens, second.usage.completion_tokens) == codex.SECOND
    details = first.usage_details
    assert (details.cached_tokens, details.reasoning_tokens) == (14, 3)
    calls = [(call.model, call.input_text_tokens) for call in first.call_usage]
    assert calls == [(codex.MODEL, 10), (codex.MODEL, 20)]
    for run in (first, second):
        assert (run.thread_id, run.model, run.source) == ("c1", codex.MODEL, "codex")
        assert (run.status, run.recording) == (RunStatus.COMPLETED, "closed")
        assert (run.first_text_ms, run.requested_at) == (None, None)
        assert run.labels == {"project": "/home/me/project"}
    assert first.run_id == (codex.turn_id("c1", 1) if ids else "c1:1")
    assert reel.result(first.run_id).text == "Two files."
    assert reel.rebuild(check=True) == []


@IDS
def test_the_story_has_prompt_reasoning_calls_and_results(reel, tmp_path, ids):
    store(reel, codex.sample(ids=ids).write(tmp_path))
    (_, run) = reel.runs()
    steps = list(reel.story(run.run_id))
    kinds = [type(step).__name__ for step in steps]
    assert kinds == ["RequestStep", "ReasoningStep", "ToolCallStep", "TextStep"]
    assert steps[0].messages[0].text == "Count the files"
    call = steps[2]
    assert (call.name, call.arguments, call.result) == ("shell", {"command": "ls"}, "a b")
    (match,) = reel.search("Count the", in_=("request",))
    assert match.run_id == run.run_id


@IDS
def test_the_turns_that_a_fork_repeats_count_once(reel, tmp_path, ids):
    session = codex.sample(ids=ids)
    fork = session.fork("c2", "2026-11-01T05:00:00.000Z")
    fork.begin("Otherwise")
    fork.answer("Yes.")
    fork.tokens(7, 1)
    assert store(reel, fork.write(tmp_path), session.write(tmp_path)).problems == []
    assert totals(reel) == (SUM[0] + 7, SUM[1] + 1)
    assert sorted(run.thread_id for run in reel.runs()) == ["c1", "c1", "c2"]


@IDS
@pytest.mark.parametrize("left_out", [4, 5, 7, 8])
def test_a_fork_from_the_beginning_of_a_turn_keeps_its_own_first_turn(
    reel, tmp_path, ids, left_out
):
    session = codex.sample(ids=ids)
    fork = session.fork("c2", "2026-11-01T05:00:00.000Z")
    del fork.lines[-left_out:]
    fork.begin("Otherwise")
    fork.answer("Yes.")
    fork.tokens(7, 1)
    assert store(reel, fork.write(tmp_path), session.write(tmp_path)).problems == []
    assert totals(reel) == (SUM[0] + 7, SUM[1] + 1)
    assert [run.thread_id for run in reel.runs()] == ["c2", "c1", "c1"]
    assert [match.in_ for match in reel.search("Otherwise")] == ["request"]


def test_a_message_in_the_middle_of_a_turn_belongs_to_it(reel, tmp_path):
    rollout = codex.Rollout().meta()
    rollout.begin("a")
    rollout.call("t1", "ls", "x")
    rollout.item("message", role="user", content=[codex.input_text("and b")])
    rollout.answer("done")
    rollout.tokens(1, 1)
    store(reel, rollout.write(tmp_path))
    (run,) = reel.runs()
    assert run.usage.total_tokens == 14


@IDS
def test_all_messages_of_a_turn_are_found(reel, tmp_path, ids):
    rollout = codex.Rollout(ids=ids).meta()
    rollout.begin("count the files")
    rollout.event("user_message", message="and the folders")
    rollout.answer("done")
    store(reel, rollout.write(tmp_path))
    for said in ("count the files", "and the folders"):
        assert [match.in_ for match in reel.search(said)] == ["request"]


def test_an_agent_has_its_name_as_a_label(reel, tmp_path):
    rollout = codex.Rollout().meta(source={"subagent": {"thread_spawn": {"depth": 1}}})
    rollout.begin("a")
    rollout.answer("b")
    store(reel, rollout.write(tmp_path))
    (run,) = reel.runs()
    assert (run.labels["agent"], run.usage) == ("subagent", None)


def test_errors_and_calls_without_results_are_the_status(reel, tmp_path):
    rollout = codex.Rollout().meta()
    rollout.begin("a")
    rollout.event("error", message="usage limit reached")
    rollout.begin("b")
    rollout.item("function_call", name="f", arguments="{}", call_id="c")
    store(reel, rollout.write(tmp_path))
    second, first = reel.runs()
    assert (first.status, first.error.message) == (RunStatus.FAILED, "usage limit reached")
    assert (second.status, second.tool_calls[0].id) == (RunStatus.TOOL_CALLS, "c")


def test_counts_of_the_session_alone_are_unknown_where_nothing_comes_before(reel, tmp_path):
    rollout = codex.sample()
    for line in rollout.lines:
        (line["payload"].get("info") or {}).pop("last_token_usage", None)
    store(reel, rollout.write(tmp_path))
    assert {run.usage for run in reel.runs()} == {None}


def test_bad_lines_are_named_once_and_the_rest_is_imported(reel, tmp_path):
    rollout = codex.sample()
    rollout.lines += [{"timestamp": "x", "type": "of_the_future", "payload": {}}] * 2
    path = rollout.write(tmp_path)
    path.write_bytes(path.read_bytes() + b'{"timestamp": "2026')
    report = store(reel, path)
    assert [problem.line for problem in report.problems] == [
        len(rollout.lines) - 1,
        len(rollout.lines) + 1,
    ]
    assert totals(reel) == SUM


def test_an_erased_line_does_not_return(reel, tmp_path):
    path = codex.sample().write(tmp_path)
    store(reel, path)
    run = next(iter(reel.runs()))
    list(reel.redact([run.run_id], seqs=[2, 3], actor="me", reason="r"))
    rows = logs.rows(reel)
    assert store(reel, path).events_new == 0
    assert logs.rows(reel) == rows


def test_a_folder_with_copies_is_imported(reel, tmp_path):
    for name in ("sessions/2026/11/01", "archived_sessions"):
        codex.sample().write(tmp_path / ".codex" / name)
    (tmp_path / ".codex" / "history.jsonl").write_text('{"text": "x"}\n')
    assert store(reel, tmp_path / ".codex").problems == []
    assert totals(reel) == SUM


SOME = settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))


def forked(*, ids: bool) -> list[codex.Rollout]:
    session = codex.sample(ids=ids)
    fork = session.fork("c2", "2026-11-01T05:00:00.000Z")
    fork.begin("Otherwise")
    fork.call("t9", "pwd", "/")
    fork.answer("Yes.")
    fork.tokens(7, 1)
    return [session, fork]


@IDS
@SOME
@given(data=st.data())
def test_prefixes_and_orders_of_files_change_nothing(tmp_path_factory, ids, data):
    folder = tmp_path_factory.mktemp("sessions")
    written = [session.write(folder) for session in forked(ids=ids)]
    wholes = [path.read_bytes() for path in written]
    with runreel.open(folder / "whole.db") as reel:
        store(reel, *written)
        whole = content(reel)
    with runreel.open(folder / "parts.db") as reel:
        for place in data.draw(st.permutations([0, 1, 0])):
            written[place].write_bytes(
                wholes[place][: data.draw(st.integers(0, len(wholes[place])))]
            )
            store(reel, written[place])
        for path, raw in zip(written, wholes, strict=True):
            path.write_bytes(raw)
        store(reel, *data.draw(st.permutations(written)))
        assert content(reel) == whole
        assert reel.rebuild(check=True) == []
