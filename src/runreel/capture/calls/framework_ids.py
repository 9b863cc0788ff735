"""Ids that agent frameworks give to what runs now: labels, and the thread.

A framework is asked only if the program has loaded it. It is never imported, and its errors do not
affect the program.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Names of labels.
TRACE_ID, GROUP_ID, WORKFLOW = "trace_id", "group_id", "workflow"
AGENT_RUN_ID = "agent_run_id"
_THREAD = "thread"
# The trace of openai-agents if tracing is disabled.
_NO_TRACE = "no-op"

_log = logging.getLogger("runreel")


class FrameworkIds(NamedTuple):
    """The thread and the labels of what runs now; None and empty without a framework."""

    thread_id: str | None
    labels: dict[str, str]


def current() -> FrameworkIds:
    """Return the ids of the agent or graph that the caller runs in."""
    thread_id: str | None = None
    labels: dict[str, str] = {}
    for module, read in _FRAMEWORKS.items():
        loaded = sys.modules.get(module)
        if loaded is None:
            continue
        try:
            for name, value in read(loaded):
                if isinstance(value, str) and value and name == _THREAD:
                    thread_id = thread_id or value
                elif isinstance(value, str) and value:
                    labels.setdefault(name, value)
        except Exception:  # noqa: BLE001 - another version of the framework
            _log.debug("the ids of %s cannot be read", module, exc_info=True)
    return FrameworkIds(thread_id, labels)


def _openai_agents(module: Any) -> Iterator[tuple[str, object]]:
    trace = module.get_current_trace()
    if trace is None or trace.trace_id == _NO_TRACE:
        return
    group = getattr(trace, "group_id", None)
    yield TRACE_ID, trace.trace_id
    yield GROUP_ID, group
    yield WORKFLOW, trace.name
    yield _THREAD, group


def _pydantic_ai(module: Any) -> Iterator[tuple[str, object]]:
    context = module.get_current_run_context()
    if context is not None:
        yield AGENT_RUN_ID, getattr(context, "run_id", None)
        yield _THREAD, getattr(context, "conversation_id", None)


def _langgraph(module: Any) -> Iterator[tuple[str, object]]:
    if "langgraph" not in sys.modules:
        return
    config = module.var_child_runnable_config.get()
    settings = _mapping(_mapping(config).get("configurable"))
    runtime = settings.get("__pregel_runtime")
    yield AGENT_RUN_ID, getattr(getattr(runtime, "execution_info", None), "run_id", None)
    yield _THREAD, settings.get("thread_id")


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


_FRAMEWORKS: dict[str, Callable[[Any], Iterator[tuple[str, object]]]] = {
    "agents.tracing": _openai_agents,
    "pydantic_ai._run_context": _pydantic_ai,
    "langchain_core.runnables.config": _langgraph,
}
