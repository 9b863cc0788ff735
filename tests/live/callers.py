"""Programs that call a model with the vendor's client, at once and streamed."""

from __future__ import annotations

import openai

from tests.live import openai_script as script

ASKED = {"model": script.MODEL, "input": "Hello?"}
TOLD = script.events([script.output_of(["Hello, ", "world"])])
FUNCTION = {"name": "weather", "parameters": {"type": "object"}}
REFUSED = {"error": {"message": "Incorrect API key", "code": "invalid_api_key"}}
QUESTION = {"role": "user", "content": "Weather?"}


def client_of(url, retries=0):
    """The client of a server."""
    return openai.OpenAI(base_url=url, api_key="k", max_retries=retries)


def respond(client, items, *, stream):
    """Ask by Responses; return the items to repeat, with the result of a tool if it is called."""
    tools = [{"type": "function", **FUNCTION}]
    got = client.responses.create(model="m", input=items, tools=tools, stream=stream)
    if stream:
        got = next(event.response for event in got if event.type == "response.completed")
    for item in got.output:
        if item.type == "function_call":
            output = {"type": "function_call_output", "call_id": item.call_id, "output": "sun"}
            return [*items, item.model_dump(exclude_none=True), output]
    return items


def complete(client, messages, *, stream):
    """Like ``respond``, by chat completions."""
    tools = [{"type": "function", "function": FUNCTION}]
    got = client.chat.completions.create(model="m", messages=messages, tools=tools, stream=stream)
    if stream:
        choices = [choice for chunk in got for choice in chunk.choices]
        deltas = [call for choice in choices for call in choice.delta.tool_calls or ()]
        calls = [(call.id, call.function.name) for call in deltas if call.id]
        arguments = "".join(call.function.arguments or "" for call in deltas)
    else:
        made = got.choices[0].message.tool_calls or ()
        calls = [(call.id, call.function.name) for call in made]
        arguments = "".join(call.function.arguments for call in made)
    for id_, name in calls:
        call = {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}
        said = {"role": "assistant", "content": None, "tool_calls": [call]}
        return [*messages, said, {"role": "tool", "tool_call_id": id_, "content": "sun"}]
    return messages


WAYS = [(respond, "openai-responses"), (complete, "openai-chat")]


def ask(client, *, stream):
    """One response of ``ASKED``, or its events."""
    got = client.responses.create(**ASKED, stream=stream)
    return list(got) if stream else got
