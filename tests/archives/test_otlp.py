"""Spans of GenAI calls are runs, in each dialect of their attributes."""

from __future__ import annotations

import json
from typing import Any

import pytest

import runreel
from runreel import RunStatus
from tests.archives.contents import content, store, totals

Attributes = dict[str, Any]
START = 1_764_500_000_000_000_000


def value_of(value: Any) -> Any:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case list():
            return {"arrayValue": {"values": [value_of(item) for item in value]}}
        case dict():
            values = [{"key": key, "value": value_of(item)} for key, item in value.items()]
            return {"kvlistValue": {"values": values}}
    return {"stringValue": value}


def span(
    name: str, attributes: Attributes, *, trace: str = "t1", parent: str = "", **more: Any
) -> Any:
    return {
        "traceId": trace,
        "spanId": name,
        "parentSpanId": parent,
        "name": name,
        "startTimeUnixNano": str(START),
        "endTimeUnixNano": str(START + 2_000_000_000),
        "attributes": [{"key": key, "value": value_of(item)} for key, item in attributes.items()],
        "status": {},
        **more,
    }


def export(*spans: Any) -> dict[str, Any]:
    scope = {"scope": {"name": "x"}, "spans": list(spans)}
    return {"resourceSpans": [{"resource": {"attributes": []}, "scopeSpans": [scope]}]}


def write(tmp_path, *lines: Any, indent: int | None = None):
    path = tmp_path / "traces.jsonl"
    path.write_text("".join(json.dumps(one, indent=indent) + "\n" for one in lines), "utf-8")
    return path


NOW = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-5",
    "gen_ai.response.model": "gpt-5-2026",
    "gen_ai.usage.input_tokens": 100,
    "gen_ai.usage.output_tokens": 10,
    "gen_ai.usage.cache_read.input_tokens": 40,
    "gen_ai.usage.reasoning.output_tokens": 4,
    "gen_ai.usage.cache_write.input_tokens": 7,
    "gen_ai.conversation.id": "talk",
    "gen_ai.response.finish_reasons": ["stop"],
    "gen_ai.output.messages": json.dumps(
        [{"role": "assistant", "parts": [{"type": "text", "content": "Paris"}]}]
    ),
}
BEFORE = {
    "gen_ai.operation.name": "chat",
    "gen_ai.system": "openai",
    "gen_ai.response.model": "gpt-5-2026",
    "gen_ai.usage.prompt_tokens": 100,
    "gen_ai.usage.completion_tokens": 10,
    "gen_ai.usage.cache_read_input_tokens": 40,
    "gen_ai.usage.reasoning_tokens": 4,
    "gen_ai.usage.cache_creation.input_tokens": 7,
    "gen_ai.conversation.id": "talk",
    "gen_ai.output.messages": [
        {"role": "assistant", "parts": [{"type": "text", "content": "Paris"}]}
    ],
}
TRACELOOP = {
    "llm.request.type": "chat",
    "gen_ai.system": "openai",
    "gen_ai.response.model": "gpt-5-2026",
    "gen_ai.usage.input_tokens": 100,
    "gen_ai.usage.output_tokens": 10,
    "llm.usage.total_tokens": 110,
    "gen_ai.usage.cache_read_input_tokens": 40,
    "gen_ai.usage.reasoning_tokens": 4,
    "gen_ai.usage.cache_creation_input_tokens": 7,
    "gen_ai.completion.0.content": "Paris",
    "gen_ai.completion.0.finish_reason": "stop",
    "traceloop.association.properties.session_id": "talk",
}
OPENINFERENCE = {
    "openinference.span.kind": "LLM",
    "llm.model_name": "gpt-5-2026",
    "llm.token_count.prompt": 100,
    "llm.token_count.completion": 10,
    "llm.token_count.total": 110,
    "llm.token_count.prompt_details.cache_read": 40,
    "llm.token_count.completion_details.reasoning": 4,
    "llm.token_count.prompt_details.cache_write": 7,
    "llm.output_messages.0.message.role": "assistant",
    "llm.output_messages.0.message.content": "Paris",
    "session.id": "talk",
}


@pytest.mark.parametrize("attributes", [NOW, BEFORE, TRACELOOP, OPENINFERENCE], ids=range(4))
@pytest.mark.parametrize("indent", [None, 2])
def test_a_call_is_a_run_with_one_final_state(reel, tmp_path, attributes, indent):
    report = store(reel, write(tmp_path, export(span("a", attributes)), indent=indent))
    assert (report.problems, report.runs_new) == ([], 1)
    assert "no stream" in report.notices[0]
    (run,) = reel.runs()
    assert (run.run_id, run.source, run.thread_id) == ("t1", "otlp-genai", "talk")
    assert (run.model, run.status, run.recording) == ("gpt-5-2026", RunStatus.COMPLETED, "closed")
    assert (run.usage.input_text_tokens, run.usage.completion_tokens) == (100, 10)
    details = run.usage_details
    assert (details.cached_tokens, details.reasoning_tokens) == (40, 4)
    assert details.cache_write_tokens == 7
    assert (run.first_text_ms, run.duration_ms, run.events) == (None, 2_000, 0)
    assert reel.result("t1").text == "Paris"
    assert reel.rebuild(check=True) == []


CALL = {"type": "tool_call", "id": "c1", "name": "ls", "arguments": {"path": "/"}}
TRACE = [
    span(
        "a",
        NOW | {"gen_ai.output.messages": [{"role": "assistant", "parts": [CALL]}]},
        parent="agent",
    ),
    span(
        "b",
        {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "ls",
            "gen_ai.tool.call.id": "c1",
            "gen_ai.tool.call.result": "etc",
        },
        parent="agent",
        endTimeUnixNano=str(START + 3_000_000_000),
    ),
    span("c", NOW, parent="agent", endTimeUnixNano=str(START + 4_000_000_000)),
    span(
        "agent",
        NOW | {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "helper"},
        endTimeUnixNano=str(START + 5_000_000_000),
    ),
    span("http", {"http.request.method": "POST"}),
]


def test_a_trace_is_one_run_whose_agent_counts_nothing_again(reel, tmp_path):
    store(reel, write(tmp_path, export(*reversed(TRACE))))
    (run,) = reel.runs()
    assert (run.usage.total_tokens, run.assistant_id, run.last_seq) == (220, "helper", 4)
    (call,) = [step for step in reel.story("t1") if type(step).__name__ == "ToolCallStep"]
    assert (call.name, call.result) == ("ls", "etc")
    (text,) = [step for step in reel.story("t1") if type(step).__name__ == "TextStep"]
    assert text.text == "Paris"


def said(role, text):
    return {"role": role, "parts": [{"type": "text", "content": text}]}


ASKED = {
    "conventions": {
        "gen_ai.system_instructions": json.dumps([{"type": "text", "content": "Be brief"}]),
        "gen_ai.input.messages": json.dumps([said("user", "Capital?")]),
    },
    "structured": {
        "gen_ai.system_instructions": "Be brief",
        "gen_ai.input.messages": [said("user", "Capital?")],
    },
    "traceloop": {
        "gen_ai.prompt.0.role": "system",
        "gen_ai.prompt.0.content": "Be brief",
        "gen_ai.prompt.1.role": "user",
        "gen_ai.prompt.1.content": "Capital?",
    },
    "openinference": {
        "llm.input_messages.0.message.role": "system",
        "llm.input_messages.0.message.content": "Be brief",
        "llm.input_messages.1.message.role": "user",
        "llm.input_messages.1.message.contents.0.message_content.text": "Capital?",
    },
}


@pytest.mark.parametrize("dialect", ASKED)
def test_what_was_asked_is_shown_and_found(reel, tmp_path, dialect):
    store(reel, write(tmp_path, export(span("a", NOW | ASKED[dialect]))))
    request, text = reel.story("t1")
    asked = [(message.role, message.text) for message in request.messages]
    assert asked == [("system", "Be brief"), ("user", "Capital?")]
    assert (request.repeated, text.text) == (0, "Paris")
    (hit,) = reel.search("CAPITAL", in_="request")
    assert (hit.run_id, hit.in_) == ("t1", "request")
    assert reel.rebuild(check=True) == []


def test_a_request_of_a_trace_shows_what_is_new_in_it(reel, tmp_path):
    first = [said("user", "List /")]
    asks = {"role": "assistant", "parts": [CALL]}
    answers = {
        "role": "tool",
        "parts": [{"type": "tool_call_response", "id": "c1", "result": "etc"}],
    }
    spans = [
        span("a", NOW | {"gen_ai.output.messages": [asks], "gen_ai.input.messages": first}),
        TRACE[1],
        span(
            "c",
            NOW | {"gen_ai.input.messages": [*first, asks, answers, said("user", "Now?")]},
            endTimeUnixNano=str(START + 4_000_000_000),
        ),
    ]
    store(reel, write(tmp_path, export(*spans)))
    requests = [step for step in reel.story("t1") if step.step == "request"]
    asked = [[message.text for message in request.messages] for request in requests]
    assert asked == [["List /"], ["Now?"]]
    assert [request.repeated for request in requests] == [0, 2]
    assert [hit.seq for hit in reel.search("list /", in_="request")] == [1]
    assert len(list(reel.search("now?", in_="request"))) == 1
    with runreel.open(tmp_path / "copy.db") as copy:
        reel.export(tmp_path / "trace.reel.jsonl")
        store(copy, tmp_path / "trace.reel.jsonl")
        assert list(copy.story("t1")) == list(reel.story("t1"))


def test_parts_of_a_trace_before_the_whole_change_nothing(reel, tmp_path):
    lines = [export(one) for one in TRACE]
    store(reel, write(tmp_path, *lines[:2]))
    store(reel, write(tmp_path, *lines))
    with runreel.open(tmp_path / "whole.db") as whole:
        store(whole, write(tmp_path, *lines))
        assert content(reel) == content(whole)


def test_failures_and_missing_counts(reel, tmp_path):
    failed = span(
        "a",
        {"gen_ai.operation.name": "chat", "error.type": "RateLimitError"},
        status={"code": 2, "message": "slow down"},
    )
    store(reel, write(tmp_path, export(failed)))
    (run,) = reel.runs()
    assert (run.status, run.error.message, run.error.code) == (
        RunStatus.FAILED,
        "slow down",
        "RateLimitError",
    )
    assert run.usage is None


def test_an_export_of_runs_comes_back(reel, tmp_path):
    store(reel, write(tmp_path, export(*TRACE)))
    reel.export(tmp_path / "out.otlp.json")
    with runreel.open(tmp_path / "other.db") as other:
        assert store(other, tmp_path / "out.otlp.json").problems == []
        assert totals(other) == totals(reel)
