"""The story of a run: its requests, texts, reasoning, calls with their results, and errors."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import runreel
from runreel import FunctionCall, RunNotFound, RunStreamEvent, StreamEvent, ToolCall, ToolCallList
from tests.calls.hook import (
    CHAT,
    RESPONSES,
    ask,
    chat,
    chat_calls,
    fail,
    recording_of,
    said,
    tool,
    user,
)
from tests.cli import stories
from tests.live import openai_script as script
from tests.traffic import Run, assistant, question

WEATHER = ("call_a", "weather", '{"city": "Paris"}')
TIME = ("call_b", "time", "{}")


def told(steps):
    """The steps without rows and times."""
    return [_told(step) for step in steps]


def _told(step):
    match step.step:
        case "request":
            return "request", step.repeated, [(one.role, one.text) for one in step.messages]
        case "text" | "reasoning":
            return step.step, step.text
        case "tool_call":
            return step.step, step.name, step.arguments, step.result
        case "error":
            return step.step, step.message, step.code
    return step.step, step.note, step.text


def imported(reel, tmp_path, lines):
    file = tmp_path / "lines.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    from runreel.importing.import_files import import_files

    import_files(reel.db, [str(file)])
    return next(iter(reel.runs())).run_id


def test_an_agent_of_several_calls_is_told_in_order(reel):
    first = ask(reel, CHAT, chat(user("Weather?")), chat_calls("one", WEATHER, TIME))
    answers = [tool("call_b", "noon"), tool("call_a", "sunny")]
    body = chat(user("Weather?"), said(None, WEATHER, TIME), *answers)
    assert ask(reel, CHAT, body, script.chunks("Sunny", id_="two")) == first
    assert told(reel.story(first)) == [
        ("request", 0, [("user", "Weather?")]),
        ("tool_call", "weather", {"city": "Paris"}, "sunny"),
        ("tool_call", "time", {}, "noon"),
        ("request", 1, []),
        ("text", "Sunny"),
    ]
    steps = reel.story(first)
    assert [item["role"] for item in steps[3].items] == ["assistant", "tool", "tool"]
    assert [step.seq for step in steps] == sorted(step.seq for step in steps)
    deltas = [step.delta_ms for step in steps]
    assert deltas == sorted(deltas)
    assert deltas[0] == 0
    assert steps[1].delta_ms <= steps[1].result_delta_ms <= steps[4].delta_ms
    assert (steps[4].from_seq, steps[4].to_seq) == (steps[4].seq, steps[4].seq + 1)


def test_text_before_a_call_and_the_answer_after_it(reel):
    call = script.call("weather", {"city": "Paris"})
    items = [script.output_of(["Let me ", "look."]), call]
    run = ask(reel, RESPONSES, {"model": "m", "input": "Weather?"}, script.events(items))
    output = {"type": "function_call_output", "call_id": "call_1", "output": "sunny"}
    body = {"model": "m", "previous_response_id": "resp_1", "input": [output]}
    ask(reel, RESPONSES, body, script.events([script.output_of(["Sunny"])], id_="resp_2"))
    steps = reel.story(run)
    assert told(steps) == [
        ("request", 0, [("user", "Weather?")]),
        ("text", "Let me look."),
        ("tool_call", "weather", {"city": "Paris"}, "sunny"),
        ("request", 0, []),
        ("text", "Sunny"),
    ]
    assert [step.answer for step in steps if step.step == "text"] == [0, 1]


def test_a_turn_of_a_conversation_has_only_what_is_new(reel):
    ask(reel, CHAT, chat(user("Hi")), script.chunks("Hello"))
    body = chat(user("Hi"), said("Hello"), user("More"))
    second = ask(reel, CHAT, body, script.chunks("Yes", id_="2"))
    (request, text) = reel.story(second)
    assert told([request, text]) == [("request", 1, [("user", "More")]), ("text", "Yes")]


def test_reasoning_comes_before_the_call(reel):
    def chunk(**delta):
        return script.chat_chunk([{"index": 0, "delta": delta, "finish_reason": None}], "one")

    thinking = [chunk(role="assistant", reasoning_content="I wonder"), chunk(reasoning_content=".")]
    run = ask(reel, CHAT, chat(user("?")), [*thinking, *chat_calls("one", WEATHER)])
    assert told(reel.story(run)) == [
        ("request", 0, [("user", "?")]),
        ("reasoning", "I wonder."),
        ("tool_call", "weather", {"city": "Paris"}, None),
    ]
    assert reel.story(run)[2].result_seq is None


def test_a_response_that_repeats_its_reasoning_says_it_once(reel):
    summary = [{"type": "summary_text", "text": "I add."}]
    item = {"type": "reasoning", "id": "rs_1", "summary": summary}
    events = script.events([item, script.output_of(["Four"])])
    place = {"item_id": "rs_1", "output_index": 0, "summary_index": 0}
    deltas = [
        {"type": "response.reasoning_summary_text.delta", **place, "delta": "I "},
        {"type": "response.reasoning_summary_text.delta", **place, "delta": "add."},
        {"type": "response.reasoning_summary_text.done", **place, "text": "I add."},
        {
            "type": "response.content_part.done",
            "output_index": 0,
            "content_index": 0,
            "part": {"type": "reasoning_text", "text": "I add."},
        },
    ]
    run = ask(reel, RESPONSES, {"model": "m", "input": "?"}, events[:3] + deltas + events[3:])
    assert told(reel.story(run))[1:] == [("reasoning", "I add."), ("text", "Four")]


def test_an_answer_that_is_not_streamed(reel):
    item = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]}
    output = [item, script.output_of(["Four"]), script.call("f", {"a": 1})]
    whole = script.response(output=output, usage=script.usage(1, 2))
    run = ask(reel, RESPONSES, {"model": "m", "input": "?"}, whole)
    assert told(reel.story(run))[1:] == [
        ("reasoning", "Hm."),
        ("text", "Four"),
        ("tool_call", "f", {"a": 1}, None),
    ]


def test_tools_that_the_server_executes(reel):
    found = {"type": "search", "query": "weather"}
    search = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": found}
    code = {
        "type": "code_interpreter_call",
        "id": "ci_1",
        "code": "1+1",
        "outputs": [{"logs": "2"}],
    }
    remote = {"type": "mcp_call", "id": "m_1", "name": "add", "arguments": "{}", "output": "2"}
    output = [search, code, remote, script.output_of(["Two"])]
    expected = [
        ("tool_call", "web_search", found, "completed"),
        ("tool_call", "code_interpreter", {"code": "1+1"}, [{"logs": "2"}]),
        ("tool_call", "add", {}, "2"),
        ("text", "Two"),
    ]
    body = {"model": "m", "input": "?"}
    streamed = ask(reel, RESPONSES, body, script.events(output))
    assert told(reel.story(streamed))[1:] == expected
    calls = [step for step in reel.story(streamed) if step.step == "tool_call"]
    assert all(step.seq < step.result_seq for step in calls)
    whole = script.response("resp_2", output=output)
    # What stands in one row is told by kinds: the text before the calls.
    found = told(reel.story(ask(reel, RESPONSES, body, whole)))[1:]
    assert sorted(found, key=str) == sorted(expected, key=str)


def test_attempts_are_notes_and_the_last_one_is_the_error(reel):
    recording = fail(reel, CHAT, chat(user("Hi")), status=429, body=b'{"error": "slow down"}')
    error = ("error", "slow down", 429)
    assert told(reel.story(recording.run_id)) == [("request", 0, [("user", "Hi")]), error]
    from runreel.system.sync_bridge import completed

    completed(recording.before_send())
    completed(recording.attempt_failed(error="connection refused"))
    steps = told(reel.story(recording.run_id))
    assert steps[0] == ("request", 0, [("user", "Hi")])
    assert ("note", "attempt", "the attempt failed with HTTP status 429: slow down") in steps
    assert steps[-1] == ("error", "connection refused", None)


def test_a_stream_that_broke_shows_what_was_said_and_called(reel):
    body = chat(user("Hi"))
    recording = recording_of(reel, CHAT, body)
    from runreel.system.sync_bridge import completed

    completed(recording.before_send())
    chunks = chat_calls("one", WEATHER)
    text = script.chunks("Let me")[:3]
    for value in [*text, *chunks[1:4]]:
        completed(recording.store_texts([json.dumps(value)], None))
    steps = reel.story(recording.run_id)
    assert told(steps)[1] == ("text", "Let me")
    assert (steps[2].name, steps[2].complete, steps[2].result_seq) == ("weather", False, None)
    assert steps[2].arguments == {"_unparsed": '{"city":'}
    completed(recording.end("the connection was closed"))
    assert told(reel.story(recording.run_id))[:2] == told(steps)[:2]


def test_plain_text_that_starts_anew_after_a_tool(reel):
    with reel.recording("plain", requested_at=1_700_000_000) as recording:
        recording.append(stories.partial("Let me look"))
        recording.append(RunStreamEvent(StreamEvent.TOOL_CALLS, tool_calls=stories.CALLS))
        recording.tool_results([{"id": "call-1", "content": {"sky": "black"}}])
        recording.append(stories.partial("Let it"))
        recording.append(stories.partial("Let it be"))
        recording.append(RunStreamEvent(StreamEvent.ERROR, error="overloaded"))
    assert told(reel.story("plain")) == [
        ("request", 0, []),
        ("text", "Let me look"),
        ("tool_call", "weather", {"place": "Moon", "days": 2}, {"sky": "black"}),
        ("text", "Let it be"),
        ("error", "overloaded", None),
    ]
    assert reel.story("plain")[0].items is None


def test_results_without_ids_go_by_name_and_order(reel):
    calls = ToolCallList(
        tuple(ToolCall(None, FunctionCall(name, {"n": 1})) for name in ("a", "b", "a"))
    )
    with reel.recording("r") as recording:
        recording.append(RunStreamEvent(StreamEvent.TOOL_CALLS, tool_calls=calls))
        recording.tool_results([{"name": "b", "content": 1}, {"content": 2}, {"content": 3}])
    assert [(step.name, step.result) for step in reel.story("r")] == [("a", 2), ("b", 1), ("a", 3)]


def test_an_assistant_with_questions_and_tools(reel, tmp_path):
    run = Run()
    calls = [("sum", {"numbers": [1, 2]}), ("sum", {"numbers": [1, 2]})]
    lines = [
        assistant(),
        run.pending(),
        question("Add them"),
        run.asks(calls),
        run.tool_calls(calls),
        run.results("3", "4"),
        run.partial("It is"),
        run.partial("It is 3"),
        run.done("It is 3"),
        run.completed("It is 3"),
    ]
    steps = reel.story(imported(reel, tmp_path, lines))
    assert told(steps) == [
        ("request", 0, [("user", "Add them")]),
        ("tool_call", "sum", {"numbers": [1.0, 2.0]}, "3"),
        ("tool_call", "sum", {"numbers": [1.0, 2.0]}, "4"),
        ("text", "It is 3"),
    ]
    # An imported run has the times of its source.
    assert all(step.at.year == 2025 for step in steps)


def test_unknown_times_are_unknown(reel, tmp_path):
    lines = [{"type": "PARTIAL_MESSAGE", "text": "a"}, {"type": "DONE", "text": "ab"}]
    run_id = imported(reel, tmp_path, [{"run_id": "r", **line} for line in lines])
    (text,) = reel.story(run_id)
    assert (text.text, text.delta_ms) == ("ab", None)


def test_the_story_as_of_an_earlier_row(reel):
    stories.tell_done(reel)
    steps = reel.story("run-done", at=4)
    assert told(steps)[-1] == ("text", "Привет")
    assert steps == reel.story("run-done", at=reel.story("run-done")[-1].at)
    with pytest.raises(RunNotFound):
        reel.story("none")


def test_what_was_erased_is_gone_and_noted(reel):
    run = ask(reel, CHAT, chat(user("my secret")), chat_calls("one", WEATHER))
    body = chat(user("my secret"), said(None, WEATHER), tool("call_a", "a secret too"))
    ask(reel, CHAT, body, script.chunks("no word of it", id_="two"))
    list(reel.redact([run], "secret", reason="law", actor="me"))
    steps = told(reel.story(run))
    assert "secret" not in str(reel.story(run))
    assert steps[0] == ("request", 0, [("user", "my ██████")])
    assert steps[1] == ("tool_call", "weather", {"city": "Paris"}, "a ██████ too")
    assert steps[-1][1] == "redacted"
    assert steps[-1][2].endswith("by me: law")
    # It was done later, on no clock of the run.
    note, erased = reel.story(run)[-1], list(reel.events(run))[-1]
    assert (note.seq, note.at, note.delta_ms) == (erased.seq, erased.at, None)


def test_rows_that_were_erased_whole(reel):
    run = ask(reel, CHAT, chat(user("secret")), chat_calls("one", WEATHER))
    body = chat(user("secret"), said(None, WEATHER), tool("call_a", "secret"))
    ask(reel, CHAT, body, script.chunks("Hello", id_="two"))
    seqs = [row.seq for row in reel.events(run) if row.kind in ("context", "tool_results")]
    list(reel.redact([run], seqs=seqs, reason="law", actor="me"))
    steps = reel.story(run)
    assert [step.step for step in steps] == ["request", "tool_call", "request", "text", "note"]
    assert steps[0].items is None
    assert (steps[1].result, steps[1].result_seq is None) == (None, False)


PIECES = st.lists(st.text(min_size=1, max_size=6), max_size=6)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(turns=st.lists(st.tuples(PIECES, PIECES, st.booleans()), min_size=1, max_size=4))
def test_every_piece_is_told_once_in_order(tmp_path, turns):
    """Whatever a model says, thinks and calls, in whatever pieces."""
    with runreel.open(tmp_path / "log.db") as reel:
        messages, expected, run_id = [user("?")], [], None
        for number, (thoughts, texts, calls) in enumerate(turns):
            call = (f"call_{number}", "f", "{}")
            chunks = [
                script.chat_chunk([{"index": 0, "delta": delta, "finish_reason": None}], "x")
                for delta in (
                    *({"reasoning_content": text} for text in thoughts),
                    *({"content": text} for text in texts),
                )
            ]
            ends = chat_calls(f"{number}", call) if calls else script.chunks("", id_=f"{number}")
            scope = {"run_id": run_id} if run_id else {}
            run_id = ask(reel, CHAT, chat(*messages), chunks + ends, scope=scope)
            messages += [said("".join(texts) or None, *([call] if calls else [])), user("go on")]
            expected += [("reasoning", "".join(thoughts))] if thoughts else []
            expected += [("text", "".join(texts))] if texts else []
            expected += [("tool_call", "f", {}, None)] if calls else []
        steps = told(reel.story(run_id))
    (tmp_path / "log.db").unlink()
    assert [step for step in steps if step[0] != "request"] == expected
    assert [step[0] for step in steps].count("request") == len(turns)
