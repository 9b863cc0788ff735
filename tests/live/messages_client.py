"""The anthropic client as it is, and what it makes of a stream, next to what a log has of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anthropic

from runreel.model.status import RunStatus
from runreel.model.story import ToolCallStep

if TYPE_CHECKING:
    from runreel.api.reel import Reel


def of_client(message: Any) -> dict[str, Any]:
    """What the client's message says that a log says of a run too."""
    content, used, reason = message.content, message.usage, message.stop_reason
    texts = [block.text for block in content if block.type == "text"]
    thoughts = [block.thinking for block in content if block.type == "thinking"]
    calls = [(one.id, one.name, one.input) for one in content if one.type == "tool_use"]
    hosted = [(one.id, one.name, one.input) for one in content if one.type == "server_tool_use"]
    wrote, read = used.cache_creation_input_tokens, used.cache_read_input_tokens
    thought = used.output_tokens_details
    given = used.input_tokens + (wrote or 0) + (read or 0)
    state = RunStatus.TOOL_CALLS if reason == "tool_use" else RunStatus.COMPLETED
    return {
        "id": message.id,
        "model": message.model,
        "text": "".join(texts),
        "parts": [text for text in texts if text],
        "reasoning": "\n\n".join(thoughts),
        "calls": calls,
        "hosted": hosted,
        "cited": sum(len(block.citations or ()) for block in content if block.type == "text"),
        "tokens": (given, used.output_tokens, given + used.output_tokens),
        "cached": read,
        "written": wrote,
        "tier": used.service_tier,
        "thought": None if thought is None else thought.thinking_tokens,
        "status": RunStatus.IN_PROGRESS if reason == "pause_turn" else state,
    }


def of_log(reel: Reel, run_id: str) -> dict[str, Any]:
    """The same of a run."""
    run, result, reasoning = reel.run(run_id), reel.result(run_id), reel.reasoning(run_id)
    steps = [step for step in reel.story(run_id) if isinstance(step, ToolCallStep)]
    waiting = {call.id for call in run.tool_calls or ()}
    usage, details = run.usage, run.usage_details
    return {
        "id": run.response_id,
        "model": run.model,
        "text": result.text or "",
        "parts": [part for part in result.parts if part],
        "reasoning": reasoning or "",
        "calls": [
            (call.id, call.function.name, call.function.arguments) for call in run.tool_calls or ()
        ],
        "hosted": [(one.id, one.name, one.arguments) for one in steps if one.id not in waiting],
        "cited": len(result.citations),
        "tokens": (usage.input_text_tokens, usage.completion_tokens, usage.total_tokens),
        "cached": None if details is None else details.cached_tokens,
        "written": None if details is None else details.cache_write_tokens,
        "tier": run.service_tier,
        "thought": None if details is None else details.reasoning_tokens,
        "status": run.status,
    }


def async_client(url: str) -> anthropic.AsyncAnthropic:
    """The asynchronous client of a server."""
    return anthropic.AsyncAnthropic(
        base_url=url.removesuffix("/v1"), api_key="sk-secret", max_retries=0
    )
