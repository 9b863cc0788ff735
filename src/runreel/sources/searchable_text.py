"""The texts of requests, of tool calls and of their results, as a search reads them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from runreel.codec.json_values import as_list, as_object, as_text
from runreel.model.events import CONTEXT, TOOL_RESULTS
from runreel.sources import conversation, request_items, requests
from runreel.sources.archives import lines as archive_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.model.results import ToolCall
    from runreel.sources.conversation import ToolResult

# Parameters of a request with instructions to the model, which are not among its items.
_INSTRUCTIONS = (
    *("instructions", "system", "prompt"),
    *("systemInstruction", "system_instruction"),
)
# Values of these keys are names, ids and content that is not text.
_NOT_TEXT = frozenset((
    *("type", "role", "id", "call_id", "tool_call_id", "tool_use_id", "approval_request_id"),
    *("status", "name", "model", "format", "detail", "mime_type", "media_type", "filename"),
    *("data", "file_data", "file_id", "image_url", "file_url", "url", "audio", "signature"),
    *("encrypted_content", "b64_json", "cache_control", "annotations", "logprobs"),
))  # fmt: skip
# An object under one of these keys is the tool's own: all of it is text.
_OPAQUE = frozenset(("arguments", "input", "output", "result"))


def request_texts(source: str, body: object) -> Iterator[str]:
    """Yield the texts of a request: instructions, messages, calls and results of tools in it.

    Names, ids and content that is not text, such as images in base64, are left out. Of a source
    whose requests have no items it is what the messages ask.
    """
    request = requests.parse(source, body)
    if request is None:
        yield from (message.text for message in conversation.asked(source, body))
        return
    for name in _INSTRUCTIONS:
        yield from _texts(request.parameters.get(name))
    for item in request.items:
        yield from _texts(item)


def texts_with_answer(source: str, kind: str, value: object, *, first: bool) -> Iterator[str]:
    """Yield what is new in a request that comes with its answer; ``first`` of the run."""
    found = conversation.asked_with_answer(source, kind, value, first=first)
    for item in () if found is None else found[0]:
        yield from (message.text for message in conversation.asked(source, item))


def texts_near_results(source: str, value: object) -> Iterator[str]:
    """Yield what the user said in a row of tool results, next to the results."""
    message = archive_lines.message_of(source, value) or {}
    for block in as_list(message.get("content")):
        if as_object(block).get("type") != "tool_result":
            yield from _texts(block)


def _texts(value: object) -> Iterator[str]:
    match value:
        case str():
            if value and not value.startswith("data:"):
                yield value
        case list():
            for item in value:
                yield from _texts(item)
        case dict() if not str(value.get("type")).startswith(requests.OWN_TYPES):
            for key, item in value.items():
                if key in _OPAQUE and isinstance(item, dict):
                    yield _json(item)
                elif key not in _NOT_TEXT:
                    yield from _texts(item)


def arguments_text(call: ToolCall) -> str | None:
    """Return the arguments of a tool call as JSON text, None if it has none."""
    if call.function is None or not call.function.arguments:
        return None
    return _json(call.function.arguments)


def result_texts(source: str, kind: str, value: object) -> Iterator[str]:
    """Yield the texts of the results of tools that a row brings.

    A result that is no text and has none in its blocks counts as its JSON text.
    """
    for result in _results(source, kind, value):
        content: object = result.content
        texts = [content] if isinstance(content, str) else list(_blocks(content))
        yield from texts or [_json(content)]


def _results(source: str, kind: str, value: object) -> list[ToolResult]:
    if kind == CONTEXT:
        request = requests.parse(source, value)
        found = [] if request is None else request_items.tool_outputs(request)
        return [conversation.tool_result(output.item) for output in found]
    return conversation.tool_results(source, kind, value) if kind == TOOL_RESULTS else []


def _blocks(content: object) -> Iterator[str]:
    for block in as_list(content):
        text = as_text(as_object(block).get("text"))
        if text:
            yield text


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
