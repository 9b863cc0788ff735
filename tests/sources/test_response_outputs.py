"""What a response comes to: last events without output, calls that wait for the program, text."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runreel.model.events import RUN
from runreel.model.status import RunStatus
from tests.live import openai_script as script
from tests.rules.recordings import read
from tests.sources.folding import RESPONSES, calls_of, finished, streamed
from tests.sources.test_openai_readers import written
from tests.strategies import SOME, exact

TEXTS = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=9)
PARTS = st.one_of(TEXTS.map(script.text_part), TEXTS.map(script.refusal_part))
ARGUMENTS = st.dictionaries(TEXTS, st.integers() | TEXTS | st.none(), max_size=3)
MESSAGES = st.lists(PARTS, min_size=1, max_size=3).map(lambda parts: script.message("m", parts))
CALLS = st.builds(script.call, TEXTS, ARGUMENTS)
CUSTOM = TEXTS.map(
    lambda text: {
        "id": "ctc",
        "type": "custom_tool_call",
        "call_id": "call_c",
        "name": "sql",
        "input": text,
        "status": "completed",
    }
)
REASONING = st.just({"id": "rs", "type": "reasoning", "summary": [], "encrypted_content": "x"})
ITEMS = st.lists(MESSAGES | CALLS | CUSTOM | REASONING, max_size=4)
# Which of what repeats the deltas a stream leaves out.
REPEATS = (
    "response.output_item.done",
    "response.content_part.done",
    "response.output_text.done",
    "response.refusal.done",
    "response.function_call_arguments.done",
)


def without_output(events, output, left_out):
    events = copy.deepcopy(events)
    if output is None:
        del events[-1]["response"]["output"]
    else:
        events[-1]["response"]["output"] = output
    return [event for event in events if event["type"] not in left_out]


def came_to(state):
    return state.status, calls_of(state), list(state.result.parts), state.result.text or ""


@SOME
@given(
    items=ITEMS,
    output=st.sampled_from([None, []]),
    left_out=st.sets(st.sampled_from(REPEATS)),
)
def test_a_last_event_without_output_loses_neither_text_nor_calls(items, output, left_out):
    events = script.events(items, chunk=2)
    whole = streamed(RESPONSES, events)
    cut = without_output(events, output, left_out)
    assert came_to(streamed(RESPONSES, cut)) == came_to(whole)
    assert exact(read(RESPONSES, written(RESPONSES, cut))) == exact(cut)


@SOME
@given(items=ITEMS)
def test_the_items_alone_are_enough(items):
    events = script.events(items, chunk=2)
    kept = ("response.created", "response.output_item.done", "response.completed")
    cut = [event for event in without_output(events, [], ()) if event["type"] in kept]
    assert came_to(streamed(RESPONSES, cut)) == came_to(streamed(RESPONSES, events))


def test_a_chain_does_not_take_over_the_items_before():
    calling = without_output(script.events([script.call("f", {})]), None, ())
    answer = script.events([], id_="resp_2", previous_response_id="resp_1")
    state = streamed(RESPONSES, [*calling, *without_output(answer, None, ())])
    assert (state.status, state.tool_calls, state.result.parts) == (RunStatus.COMPLETED, None, ())


WAITING = [
    (
        {"type": "mcp_approval_request", "id": "mcpr_1", "name": "shorten", "arguments": '{"a": 1}'}
        | {"server_label": "zip"},
        ("mcpr_1", "shorten", {"a": 1}),
    ),
    (
        {"type": "apply_patch_call", "id": "apc_1", "call_id": "call_1", "status": "completed"}
        | {"operation": {"type": "delete_file", "path": "a.txt"}},
        ("call_1", "apply_patch", {"type": "delete_file", "path": "a.txt"}),
    ),
    (
        {"type": "tool_search_call", "id": "tsc_1", "call_id": "call_1", "execution": "client"}
        | {"arguments": {"goal": "weather"}},
        ("call_1", "tool_search", {"goal": "weather"}),
    ),
    (
        {"type": "local_shell_call", "id": "lsh_1", "call_id": "call_1", "status": "completed"}
        | {"action": {"type": "exec", "command": ["ls"], "env": {}}},
        ("call_1", "local_shell", {"type": "exec", "command": ["ls"], "env": {}}),
    ),
    (
        {"type": "shell_call", "id": "sh_1", "call_id": "call_1", "status": "completed"}
        | {"action": {"commands": ["uname -m"]}, "environment": {"type": "local"}},
        ("call_1", "shell", {"commands": ["uname -m"]}),
    ),
    (
        {"type": "computer_call", "id": "cu_1", "call_id": "call_1", "status": "completed"}
        | {"action": {"type": "click", "x": 1, "y": 2}, "pending_safety_checks": []},
        ("call_1", "computer", {"type": "click", "x": 1, "y": 2}),
    ),
    (
        {"type": "computer_call", "id": "cu_1", "call_id": "call_1", "status": "completed"}
        | {"actions": [{"type": "wait"}, {"type": "screenshot"}]},
        ("call_1", "computer", {"actions": [{"type": "wait"}, {"type": "screenshot"}]}),
    ),
]
HOSTED = [
    [{"type": "tool_search_call", "id": "t", "execution": "server", "arguments": {"paths": []}}],
    [{"type": "web_search_call", "id": "w", "status": "completed", "action": {"query": "q"}}],
    [{"type": "file_search_call", "id": "f", "queries": ["q"], "results": None}],
    [{"type": "code_interpreter_call", "id": "c", "code": "1", "outputs": []}],
    [{"type": "image_generation_call", "id": "i", "result": "AAAA"}],
    [{"type": "mcp_call", "id": "m", "name": "f", "arguments": "{}", "output": "x"}],
    [{"type": "mcp_list_tools", "id": "l", "server_label": "s", "tools": []}],
    [{"type": "shell_call", "id": "s", "call_id": "c", "environment": {"type": "container_auto"}}],
    [
        {"type": "shell_call", "id": "s", "call_id": "c", "action": {"commands": ["ls"]}},
        {"type": "shell_call_output", "id": "o", "call_id": "c", "output": []},
    ],
]


@pytest.mark.parametrize("cut", [False, True])
@pytest.mark.parametrize(("item", "call"), WAITING, ids=lambda case: str(case)[:40])
def test_a_response_that_waits_for_the_program_is_tool_calls(item, call, cut):
    events = script.events([item])
    if cut:
        events = without_output(events, [], ())
    state = streamed(RESPONSES, events)
    assert (state.status, calls_of(state)) == (RunStatus.TOOL_CALLS, [call])
    whole = script.response(output=[item])
    assert calls_of(finished(RESPONSES, whole)) == [call]
    assert RESPONSES.interpret(RUN, whole).type == "TOOL_CALLS"


@pytest.mark.parametrize("items", HOSTED, ids=lambda items: items[0]["type"])
def test_what_the_server_does_itself_waits_for_nobody(items):
    state = streamed(RESPONSES, script.events([*items, script.output_of(["Hi"])]))
    assert (state.status, state.tool_calls, state.result.text) == (RunStatus.COMPLETED, None, "Hi")


@given(answers=st.lists(st.lists(TEXTS, min_size=1, max_size=3), min_size=1, max_size=3))
def test_the_text_of_several_parts_has_nothing_between_them(answers):
    items = [script.output_of([text]) for answer in answers for text in answer]
    texts = [text for answer in answers for text in answer]
    events = script.events(items)
    for state in (streamed(RESPONSES, events), streamed(RESPONSES, events[:-1])):
        assert list(state.result.parts) == texts
        assert state.result.text == "".join(texts)


@pytest.mark.parametrize("said", ["", "Hello, wor"])
def test_a_response_that_failed_keeps_what_was_written(said):
    error = {"code": "server_error", "message": "m"}
    events = script.events([script.output_of([said])] if said else [], end=None)
    for last in (
        {"type": "response.failed", "response": script.response(status="failed", error=error)},
        {"type": "response.completed", "response": script.response(error=error)},
        {"type": "error", **error, "sequence_number": 9},
        {"type": "error", "error": error},
        {"error": error},
        {"object": "error", **error},
        error,
    ):
        state = streamed(RESPONSES, [*events, last])
        assert (state.status, state.error, state.error_code) == (
            RunStatus.FAILED,
            "m",
            "server_error",
        ), last
        assert (state.result.text_so_far or "") == said


def test_a_failed_response_keeps_the_text_of_its_output():
    error = {"code": "server_error", "message": "m"}
    whole = script.response(
        status="failed", error=error, output=[script.output_of(["Hello, ", "wor"])]
    )
    state = finished(RESPONSES, whole)
    assert (state.status, state.result.text_so_far) == (RunStatus.FAILED, "Hello, wor")


@pytest.mark.parametrize(
    "event",
    [{"type": "keepalive"}, {"type": "keepalive", "sequence_number": 4}, {"type": "ping"}, {}],
)
def test_events_without_content_change_nothing(event):
    events = script.events([script.output_of(["Hello"])])
    state = streamed(RESPONSES, [*events[:5], event, *events[5:]])
    assert (state.status, state.result.text) == (RunStatus.COMPLETED, "Hello")
