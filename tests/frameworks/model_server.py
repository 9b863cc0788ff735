"""A model that calls a tool once and then answers, by either API, streamed or not."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

from tests.live import openai_script as script
from tests.live.sse_server import Answer

if TYPE_CHECKING:
    from tests.live.sse_server import Asked

CALL = ("weather", '{"city": "Berlin"}')
ANSWER = "It is sunny."
USAGE = (10, 5)
_numbers = itertools.count(1)


def answer(asked: Asked) -> Answer:
    """Answer a request as a model would."""
    number = next(_numbers)
    if asked.path.endswith("/chat/completions"):
        return _chat(asked.body, number)
    return _response(asked.body, number)


def _response(body: dict[str, Any], number: int) -> Answer:
    answered = any(
        isinstance(item, dict) and item.get("type") == "function_call_output"
        for item in (body["input"] if isinstance(body["input"], list) else ())
    )
    item = (
        script.output_of([ANSWER])
        if answered
        else {**script.call(*CALL, number=number), "id": f"fc_{number}"}
    )
    told = script.events([item], id_=f"resp_{number}", usage=script.usage(*USAGE))
    if body.get("stream"):
        return Answer(events=told)
    return Answer(body=told[-1]["response"])


def _chat(body: dict[str, Any], number: int) -> Answer:
    answered = any(message["role"] == "tool" for message in body["messages"])
    id_ = f"chatcmpl-{number}"
    if body.get("stream"):
        told = (
            script.chunks(ANSWER, id_=id_, used=script.chat_usage(*USAGE))
            if answered
            else script.chunks(id_=id_, calls=[CALL], used=script.chat_usage(*USAGE))
        )
        text = json.dumps(told).replace('"call_0"', f'"call_{number}"')
        return Answer(events=json.loads(text), done=True)
    if answered:
        return Answer(body=script.completion(ANSWER, id=id_, usage=script.chat_usage(*USAGE)))
    function = {"name": CALL[0], "arguments": CALL[1]}
    call = {"id": f"call_{number}", "type": "function", "function": function}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls", "logprobs": None}
    return Answer(
        body=script.completion(None, id=id_, choices=[choice], usage=script.chat_usage(*USAGE))
    )
