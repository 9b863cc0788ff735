"""Stands for a hook below a client: sends nothing, and stores what a server would answer."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from runreel.capture.calls.call import model_call
from runreel.capture.calls.recording import CallRecording
from runreel.capture.scope import Scope
from runreel.system.sync_bridge import completed
from tests.live import openai_script as script

if TYPE_CHECKING:
    from runreel.api.reel import Reel

CHAT, RESPONSES = "openai-chat", "openai-responses"


def recording_of(reel: Reel, source: str, body: dict[str, Any], **options: Any) -> CallRecording:
    """The recording of a call that is about to be sent."""
    at = options.pop("at", time.time_ns() // 1_000)
    scope = Scope(**options.pop("scope", {}))
    call = model_call(source, body, requested_at=at, scope=scope)
    return CallRecording(reel.db, call, **{"on_error": "raise", "blocking": True, **options})


def ask(reel: Reel, source: str, body: dict[str, Any], answer: list[Any], **options: Any) -> str:
    """Record a call with its answer: events, or one finished object; the run."""
    recording = recording_of(reel, source, body, **options)
    completed(recording.before_send())
    if isinstance(answer, dict):
        completed(recording.store_finished(answer, None))
    else:
        for event in answer:
            completed(recording.store_texts([json.dumps(event)], None))
        completed(recording.store_texts(["[DONE]"], None))
    completed(recording.end("the stream ended"))
    assert recording.run_id is not None
    return recording.run_id


def fail(reel: Reel, source: str, sent: dict[str, Any], **failure: Any) -> CallRecording:
    """Record an attempt that gets no answer."""
    recording = recording_of(reel, source, sent)
    completed(recording.before_send())
    completed(recording.attempt_failed(**failure))
    return recording


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def said(text: str | None = None, *calls: tuple[str, str, str]) -> dict[str, Any]:
    """A message of the model as a chat request repeats it; calls are id, name, arguments."""
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if calls:
        message["tool_calls"] = [
            {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}
            for id_, name, arguments in calls
        ]
    return message


def tool(id_: str, text: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": id_, "content": text}


def chat(*messages: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": list(messages), "stream": True, **more}


def chat_calls(id_: str, *calls: tuple[str, str, str], used: Any = None) -> list[Any]:
    """The chunks of a completion that calls tools; calls are id, name, arguments."""
    told = script.chunks("", id_=id_, calls=[(name, text) for _, name, text in calls], used=used)
    for chunk in told:
        for choice in chunk["choices"]:
            for call in choice["delta"].get("tool_calls", ()):
                if "id" in call:
                    call["id"] = calls[call["index"]][0]
    return told
