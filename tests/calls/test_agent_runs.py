"""The calls of one agent run are one run; a new turn of the user is another run of the thread."""

from __future__ import annotations

import pytest

from runreel.model.events import CONTEXT, STREAM_EVENT, TOOL_RESULTS
from runreel.model.results import Usage
from runreel.model.status import RunStatus
from runreel.system.sync_bridge import completed
from tests.calls.hook import (
    CHAT,
    RESPONSES,
    ask,
    chat,
    chat_calls,
    recording_of,
    said,
    tool,
    user,
)
from tests.live import openai_script as script

WEATHER = ("call_a", "weather", '{"city": "Paris"}')


@pytest.fixture(autouse=True)
def whole(reel):
    """Whatever was stored, a rebuild finds nothing amiss."""
    yield
    assert reel.rebuild(check=True) == []
    assert list(reel.verify()) == []


def first_turn(reel, id_="one", call=WEATHER, text="Weather?", **options):
    return ask(
        reel,
        CHAT,
        chat(user(text)),
        chat_calls(id_, call, used=script.chat_usage(10, 5)),
        **options,
    )


def second_turn(reel, call=WEATHER, text="Weather?", result="sunny", **options):
    return ask(
        reel,
        CHAT,
        chat(user(text), said(None, call), tool(call[0], result)),
        script.chunks("Sunny", id_="two", used=script.chat_usage(20, 3)),
        **options,
    )


def test_a_chat_that_brings_back_a_result_joins_the_run(reel):
    run_id = first_turn(reel)
    assert reel.run(run_id).status is RunStatus.TOOL_CALLS
    assert second_turn(reel) == run_id
    (run,) = reel.runs()
    assert (run.status, run.recording, run.tool_calls) == (RunStatus.COMPLETED, "closed", None)
    assert run.usage == Usage(30, 38, 8)
    assert run.response_id == "two"
    assert reel.result(run_id).text == "Sunny"
    rows = list(reel.events(run_id))
    results = [row.raw["tool_results"] for row in rows if row.kind == TOOL_RESULTS]
    assert results == [[tool("call_a", "sunny")]]
    told = [row.type or row.kind for row in rows if row.kind != STREAM_EVENT]
    assert told == [
        *("opened", "context", "closed", "resumed", "context", "tool_results", "closed")
    ]


def test_responses_with_the_whole_history_join_too(reel):
    call = script.call("weather", {"city": "Paris"})
    asked = {"role": "user", "content": "Weather?"}
    first = ask(reel, RESPONSES, {"model": "m", "input": "Weather?"}, script.events([call]))
    output = {"type": "function_call_output", "call_id": "call_1", "output": "sunny"}
    second = ask(
        reel,
        RESPONSES,
        {"model": "m", "input": [asked, call, output]},
        script.events([script.output_of(["Sunny"])], id_="resp_2", usage=script.usage(20, 3)),
    )
    assert first == second
    (run,) = reel.runs()
    assert (run.status, run.usage.total_tokens) == (RunStatus.COMPLETED, 137)
    results = [row.raw["tool_results"] for row in reel.events(first) if row.kind == TOOL_RESULTS]
    assert results == [[output]]


def test_previous_response_id_joins_without_history(reel):
    call = script.call("weather", {"city": "Paris"})
    first = ask(reel, RESPONSES, {"model": "m", "input": "Weather?"}, script.events([call]))
    output = {"type": "function_call_output", "call_id": "call_1", "output": "sunny"}
    body = {"model": "m", "previous_response_id": "resp_1", "input": [output]}
    answer = script.events([script.output_of(["Sunny"])], id_="resp_2")
    assert ask(reel, RESPONSES, body, answer) == first
    # Of the branches from one response, only the first goes on.
    other = ask(reel, RESPONSES, body, script.events([], id_="resp_3"))
    assert other != first
    assert reel.run(other).thread_id == reel.run(first).thread_id == first


def test_a_turn_of_the_user_after_a_previous_response_is_a_run_of_the_thread(reel):
    """Agent frameworks begin a run so, with the id of the last response of the run before."""
    first = ask(
        reel,
        RESPONSES,
        {"model": "m", "input": "Hi"},
        script.events([script.output_of(["Hello"])], id_="resp_1"),
    )
    runs = [first]
    for number, asked in enumerate(("And?", [user("So?")], [user("?"), said("!"), user("?")])):
        body = {"model": "m", "previous_response_id": f"resp_{number + 1}", "input": asked}
        answer = script.events([script.output_of(["Well"])], id_=f"resp_{number + 2}")
        runs.append(ask(reel, RESPONSES, body, answer))
    assert len(set(runs)) == 4
    assert {run.thread_id for run in reel.runs()} == {first}
    # With the result of a tool, a message of the user is part of the run that waits for it.
    call = script.call("weather", {"city": "Paris"})
    body = {"model": "m", "previous_response_id": "resp_4", "input": "Weather?"}
    waiting = ask(reel, RESPONSES, body, script.events([call], id_="resp_5"))
    output = {"type": "function_call_output", "call_id": "call_1", "output": "sunny"}
    body = {"model": "m", "previous_response_id": "resp_5", "input": [output, user("In short.")]}
    answer = script.events([script.output_of(["Sunny"])], id_="resp_6")
    assert ask(reel, RESPONSES, body, answer) == waiting
    assert reel.run(waiting).thread_id == first


def test_a_run_is_found_by_its_responses(reel):
    run_id = first_turn(reel)
    second_turn(reel)
    assert reel.resolve("one") == reel.resolve("two") == run_id


def test_several_results_in_one_request(reel):
    calls = (WEATHER, ("call_b", "time", "{}"))
    run_id = ask(reel, CHAT, chat(user("Both?")), chat_calls("one", *calls))
    body = chat(user("Both?"), said(None, *calls), tool("call_a", "sun"), tool("call_b", "noon"))
    assert ask(reel, CHAT, body, script.chunks("ok", id_="two")) == run_id
    (results,) = [row.raw for row in reel.events(run_id) if row.kind == TOOL_RESULTS]
    assert [result["content"] for result in results["tool_results"]] == ["sun", "noon"]


def test_of_two_branches_one_joins(reel):
    run_id = first_turn(reel)
    assert second_turn(reel) == run_id
    other = second_turn(reel)
    assert other != run_id
    assert reel.run(other).thread_id == reel.run(run_id).thread_id


@pytest.mark.parametrize("by_response", [False, True])
def test_a_branch_that_waits_for_its_answer_has_joined(reel, by_response):
    """Between its request and its first event, the run still ends as it did before."""
    call = {**script.call("weather", {}), "call_id": "call_a"}
    first = ask(reel, RESPONSES, {"model": "m", "input": "Weather?"}, script.events([call]))
    output = {"type": "function_call_output", "call_id": "call_a", "output": "sunny"}
    asked = {"role": "user", "content": "Weather?"}
    body = (
        {"model": "m", "previous_response_id": "resp_1", "input": [output]}
        if by_response
        else {"model": "m", "input": [asked, call, output]}
    )
    branches = [recording_of(reel, RESPONSES, body) for _ in range(3)]
    for branch in branches:
        completed(branch.before_send())
    assert [branch.run_id == first for branch in branches] == [True, False, False]
    assert len({branch.run_id for branch in branches}) == 3
    for branch in branches:
        completed(branch.end("gone"))


def test_a_server_that_numbers_its_calls_from_zero(reel):
    call = ("call_0", "weather", '{"city": "Paris"}')
    runs = {text: first_turn(reel, "same", call, text) for text in ("A?", "B?", "C?")}
    assert len(set(runs.values())) == 3
    for text in ("B?", "A?", "C?"):
        assert second_turn(reel, call, text) == runs[text]


@pytest.mark.parametrize("same", [True, False], ids=["same question", "other questions"])
def test_more_runs_wait_for_one_id_than_are_looked_at(reel, same):
    """More than the newest runs with an id, and than the newest rows with a request."""
    call = ("call_0", "weather", "{}")
    texts = ["Weather?" if same else f"{n}?" for n in range(12 if same else 34)]
    runs = [first_turn(reel, f"one {n}", call, text) for n, text in enumerate(texts)]
    joined = [second_turn(reel, call, text) for text in texts]
    assert sorted(joined) == sorted(runs)
    assert same or joined == runs


def test_a_numbered_call_of_a_stranger_is_not_answered(reel):
    """Its own first turn is not in the log: a run that waits for the same number is another's."""
    first_turn(reel, call=("call_0", "weather", '{"city": "Paris"}'))
    stranger = second_turn(reel, ("call_0", "time", "{}"), "Time?")
    assert len(list(reel.runs())) == 2
    assert reel.run(stranger).thread_id == stranger


def test_results_without_ids_do_not_join(reel):
    run_id = ask(reel, CHAT, chat(user("Hi")), chat_calls("one", ("", "f", "{}")))
    body = chat(user("Hi"), said(None, ("", "f", "{}")), tool("", "1"))
    other = ask(reel, CHAT, body, script.chunks("ok"))
    assert other != run_id
    assert reel.run(other).thread_id == reel.run(run_id).thread_id == run_id


def test_a_new_turn_of_the_user_is_a_new_run_of_the_thread(reel):
    first = ask(reel, CHAT, chat(user("Hi")), script.chunks("Hello"))
    second = ask(
        reel, CHAT, chat(user("Hi"), said("Hello"), user("More")), script.chunks("Yes", id_="2")
    )
    third = ask(
        reel,
        CHAT,
        chat(user("Hi"), said("Hello"), user("More"), said("Yes"), user("Bye")),
        script.chunks("Bye", id_="3"),
    )
    assert len({first, second, third}) == 3
    assert {run.thread_id for run in reel.runs()} == {first}


def test_conversations_that_begin_alike_are_told_apart_by_the_answer(reel):
    one = ask(reel, CHAT, chat(user("Hi")), script.chunks("Hello"))
    two = ask(reel, CHAT, chat(user("Hi")), script.chunks("Good day", id_="2"))
    assert reel.run(one).thread_id != reel.run(two).thread_id
    for answer, first in (("Hello", one), ("Good day", two)):
        body = chat(user("Hi"), said(answer), user("More"))
        next_run = ask(reel, CHAT, body, script.chunks("Yes", id_=f"{answer}2"))
        assert reel.run(next_run).thread_id == first


def test_a_conversation_that_begins_like_others_is_in_the_thread_of_none_of_them(reel):
    """Its own first turn is not in the log, or too many have begun alike since."""
    for n in range(5):
        ask(reel, CHAT, chat(user("Hi")), script.chunks(f"I am {n}", id_=f"{n}"))
    body = chat(user("Hi"), said("I am someone else"), user("More"))
    run_id = ask(reel, CHAT, body, script.chunks("Yes", id_="other"))
    assert reel.run(run_id).thread_id == run_id


def test_a_turn_without_requests_is_a_thread_unless_the_service_names_one(reel):
    """What was said before is not in the log, so that nothing tells which conversation it is."""
    for store in (True, False):
        first = ask(reel, CHAT, chat(user(f"{store}")), script.chunks("A"), store_request=store)
        body = chat(user(f"{store}"), said("A"), user("More"))
        second = ask(reel, CHAT, body, script.chunks("B", id_="2"), store_request=store)
        assert (reel.run(second).thread_id == first) is store
    for id_ in ("resp_1", "resp_2"):
        body = {"model": "m", "input": "Hi", "conversation": "conv_1"}
        answer = script.events([script.output_of(["A"])], id_=id_)
        run_id = ask(reel, RESPONSES, body, answer, store_request=False)
        assert reel.run(run_id).thread_id == "conv_1"


def test_a_conversation_is_the_thread(reel):
    body = {"model": "m", "input": "Hi", "conversation": {"id": "conv_1"}}
    call = script.call("weather", {})
    first = ask(reel, RESPONSES, body, script.events([call]))
    output = {"type": "function_call_output", "call_id": "call_1", "output": "sunny"}
    answer = script.events([script.output_of(["Sunny"])], id_="resp_2")
    assert ask(reel, RESPONSES, {**body, "input": [output]}, answer) == first
    next_turn = ask(reel, RESPONSES, {**body, "input": "More"}, script.events([], id_="resp_3"))
    assert next_turn != first
    assert [run.thread_id for run in reel.runs()] == ["conv_1", "conv_1"]


def test_without_requests_runs_are_joined_all_the_same(reel):
    run_id = first_turn(reel, store_request=False)
    assert second_turn(reel, store_request=False) == run_id
    kinds = {row.kind for row in reel.events(run_id)}
    assert CONTEXT not in kinds
    (row,) = reel.events(run_id, type="tool_results")
    assert row.raw == {"tool_results": [{"role": "tool", "tool_call_id": "call_a"}]}
    assert reel.result(run_id).text == "Sunny"
    assert reel.run(run_id).usage == Usage(30, 38, 8)


def test_what_the_program_names_holds(reel):
    scope = {"run_id": "mine", "thread_id": "t", "labels": {"team": "a"}, "assistant_id": "x"}
    assert first_turn(reel, scope=scope) == "mine"
    assert second_turn(reel, scope=scope) == "mine"
    (run,) = reel.runs()
    assert (run.thread_id, run.assistant_id, run.labels) == ("t", "x", {"team": "a"})
    assert run.usage == Usage(30, 38, 8)
