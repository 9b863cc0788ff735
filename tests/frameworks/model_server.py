"""A model that calls its tool, if it has one, and then answers; by either API, streamed or not.

Like most servers it reports the usage of a streamed chat completion only if it is asked to.
"""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

from tests.live import openai_script as script
from tests.live.sse_server import Answer

if TYPE_CHECKING:
    from tests.live.sse_server import Asked

CALL = ("weather", '{"city": "Berlin"}')
RESULT = "Sunny in Berlin"
ANSWER = "It is sunny in Berlin."
WITHOUT_TOOLS = "Paris, of course."
USAGE = (10, 5)
TOTAL = sum(USAGE)
_numbers = itertools.count(1)


def answer(asked: Asked) -> Answer:
    """Answer a request as a model would."""
    number = next(_numbers)
    if asked.path.endswith("/chat/completions"):
        return _chat(asked.body, number)
    return _response(asked.body, number)


def _text(body: dict[str, Any], last: dict[str, Any]) -> str | None:
    """What it answers to the last item of a request; None if it calls the tool."""
    if last.get("type") == "function_call_output" or last.get("role") == "tool":
        return ANSWER
    return None if body.get("tools") else WITHOUT_TOOLS


def _response(body: dict[str, Any], number: int) -> Answer:
    given = body["input"]
    text = _text(body, given[-1] if isinstance(given, list) else {})
    if text is None:
        item = {**script.call(*CALL, number=number), "id": f"fc_{number}"}
    else:
        item = script.output_of([text], id_=f"msg_{number}")
    used = script.usage(*USAGE, cached=0, thought=0)
    told = script.events([item], id_=f"resp_{number}", usage=used, model=body["model"])
    if body.get("stream"):
        return Answer(events=told)
    return Answer(body=told[-1]["response"])


def _chat(body: dict[str, Any], number: int) -> Answer:
    text = _text(body, body["messages"][-1])
    id_ = f"chatcmpl-{number}"
    used = script.chat_usage(*USAGE)
    if body.get("stream"):
        shown = used if (body.get("stream_options") or {}).get("include_usage") else None
        calls = [CALL] if text is None else None
        told = script.chunks(text or "", id_=id_, calls=calls, used=shown)
        for chunk in told:
            chunk["model"] = body["model"]
            if body["model"].startswith("gpt://"):
                _drop_null_reasons(chunk)
        named = json.dumps(told).replace('"call_0"', f'"call_{number}"')
        return Answer(events=json.loads(named), done=True)
    more: dict[str, Any] = {"id": id_, "model": body["model"], "usage": used}
    if text is None:
        function = {"name": CALL[0], "arguments": CALL[1]}
        call = {"id": f"call_{number}", "type": "function", "function": function}
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
        choice = {"index": 0, "message": message, "finish_reason": "tool_calls", "logprobs": None}
        more["choices"] = [choice]
    return Answer(body=script.completion(text, **more))


def _drop_null_reasons(chunk: dict[str, Any]) -> None:
    """Leave out a finish reason that is null, as the Yandex SDK expects."""
    for choice in chunk["choices"]:
        if choice["finish_reason"] is None:
            del choice["finish_reason"]
