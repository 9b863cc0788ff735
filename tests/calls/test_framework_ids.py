"""Ids of frameworks: read if the program has loaded one, and of no effect if that fails."""

from __future__ import annotations

import sys
from contextvars import ContextVar
from types import ModuleType, SimpleNamespace

import pytest

from runreel.capture.calls import framework_ids
from tests.calls.hook import CHAT, ask, chat, chat_calls, said, tool, user
from tests.live import openai_script as script

CALL = ("call_a", "f", "{}")


def loaded(monkeypatch: pytest.MonkeyPatch, name: str, **content: object) -> None:
    module = ModuleType(name)
    for key, value in content.items():
        setattr(module, key, value)
    monkeypatch.setitem(sys.modules, name, module)


def agents(monkeypatch, trace_id="trace_1", group_id="group_1"):
    trace = SimpleNamespace(trace_id=trace_id, name="Flow", group_id=group_id)
    loaded(monkeypatch, "agents.tracing", get_current_trace=lambda: trace)


def test_without_a_framework_there_is_nothing():
    assert framework_ids.current() == (None, {})


def test_the_trace_and_group_of_openai_agents(monkeypatch):
    agents(monkeypatch)
    labels = {"trace_id": "trace_1", "group_id": "group_1", "workflow": "Flow"}
    assert framework_ids.current() == ("group_1", labels)
    agents(monkeypatch, trace_id="no-op")
    assert framework_ids.current() == (None, {})
    loaded(monkeypatch, "agents.tracing", get_current_trace=lambda: None)
    assert framework_ids.current() == (None, {})


def test_the_run_and_conversation_of_pydantic_ai(monkeypatch):
    context = SimpleNamespace(run_id="r", conversation_id="c")
    loaded(monkeypatch, "pydantic_ai._run_context", get_current_run_context=lambda: context)
    assert framework_ids.current() == ("c", {"agent_run_id": "r"})


def test_the_run_and_thread_of_langgraph(monkeypatch):
    runtime = SimpleNamespace(execution_info=SimpleNamespace(run_id="r"))
    config = {"configurable": {"thread_id": "t", "__pregel_runtime": runtime}}
    variable = ContextVar("config", default=config)
    loaded(monkeypatch, "langchain_core.runnables.config", var_child_runnable_config=variable)
    assert framework_ids.current() == (None, {})
    loaded(monkeypatch, "langgraph")
    assert framework_ids.current() == ("t", {"agent_run_id": "r"})


@pytest.mark.parametrize("name", ["agents.tracing", "pydantic_ai._run_context"])
def test_a_framework_of_another_version_does_no_harm(monkeypatch, name):
    loaded(monkeypatch, name)
    assert framework_ids.current() == (None, {})


def test_runs_have_the_ids(monkeypatch, reel):
    agents(monkeypatch)
    run_id = ask(reel, CHAT, chat(user("Hi")), chat_calls("one", CALL))
    body = chat(user("Hi"), said(None, CALL), tool("call_a", "1"))
    assert ask(reel, CHAT, body, script.chunks("ok", id_="two")) == run_id
    (run,) = reel.runs(thread="group_1", labels={"trace_id": "trace_1"})
    assert run.run_id == run_id
    named = ask(reel, CHAT, chat(user("Other")), script.chunks("ok"), scope={"thread_id": "t"})
    assert reel.run(named).thread_id == "t"
    assert reel.rebuild(check=True) == []
