"""What servers of OpenAI's interfaces send, in the shapes that they are seen to send."""

from __future__ import annotations

import json
from typing import Any

CREATED_AT = 1_780_000_000
MODEL = "gpt://folder/yandexgpt/latest"
USAGE = (100, 14)


def usage(given: int, completed: int, cached: int = 8, thought: int = 2) -> dict[str, Any]:
    return {
        "input_tokens": given,
        "input_tokens_details": {"cached_tokens": cached},
        "output_tokens": completed,
        "output_tokens_details": {"reasoning_tokens": thought},
        "total_tokens": given + completed,
    }


def response(id_: str = "resp_1", status: str = "completed", **more: Any) -> dict[str, Any]:
    return {
        "id": id_,
        "object": "response",
        "created_at": CREATED_AT,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": MODEL,
        "output": [],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "temperature": 1,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": None,
        "vendor_extra": {"a": [1, 1.0, None, 2**60]},
        **more,
    }


def text_part(text: str, annotations: list[Any] | None = None) -> dict[str, Any]:
    return {"type": "output_text", "annotations": annotations or [], "logprobs": [], "text": text}


def refusal_part(text: str) -> dict[str, Any]:
    return {"type": "refusal", "refusal": text}


def message(id_: str, parts: list[dict[str, Any]], status: str = "completed") -> dict[str, Any]:
    return {
        "id": id_,
        "type": "message",
        "status": status,
        "content": parts,
        "role": "assistant",
    }


def call(name: str, arguments: Any, number: int = 1) -> dict[str, Any]:
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return {
        "id": f"fc_{number}",
        "type": "function_call",
        "status": "completed",
        "arguments": text,
        "call_id": f"call_{number}",
        "name": name,
    }


def output_of(*answers: list[str], id_: str = "msg_1") -> dict[str, Any]:
    """One message, each answer a part in its pieces."""
    return message(id_, [text_part("".join(pieces)) for pieces in answers])


def events(
    items: list[Any],
    *,
    end: str | None = "completed",
    chunk: int = 4,
    numbered: bool = True,
    **more: Any,
) -> list[dict[str, Any]]:
    """The stream of a response with these output items, text cut into ``chunk`` characters."""
    running = {key: value for key, value in more.items() if key in ("id_", "previous_response_id")}
    told: list[dict[str, Any]] = [
        {"type": "response.created", "response": response(status="in_progress", **running)},
        {"type": "response.in_progress", "response": response(status="in_progress", **running)},
    ]
    for index, item in enumerate(items):
        told += _item(index, item, chunk)
    if end is not None:
        last = {"usage": usage(*USAGE), "status": end, "output": items} | more
        told.append({"type": f"response.{end}", "response": response(**last)})
    if numbered:
        for number, event in enumerate(told):
            event["sequence_number"] = number
    return told


def _item(index: int, item: dict[str, Any], chunk: int) -> list[dict[str, Any]]:
    place = {"output_index": index}
    empty = {**item, "status": "in_progress"}
    empty |= {"content": []} if "content" in item else {}
    empty |= {"arguments": ""} if "arguments" in item else {}
    told = [{"type": "response.output_item.added", **place, "item": empty}]
    if item["type"] == "function_call":
        where = {"item_id": item["id"], **place}
        told += [
            {"type": "response.function_call_arguments.delta", **where, "delta": piece}
            for piece in _cut(item["arguments"], chunk)
        ]
        done = {"arguments": item["arguments"], "name": item["name"]}
        told.append({"type": "response.function_call_arguments.done", **where, **done})
    for number, part in enumerate(item.get("content", ())):
        told += _part({"item_id": item["id"], **place, "content_index": number}, part, chunk)
    told.append({"type": "response.output_item.done", **place, "item": item})
    return told


def _part(where: dict[str, Any], part: dict[str, Any], chunk: int) -> list[dict[str, Any]]:
    kind, key = ("refusal", "refusal") if part["type"] == "refusal" else ("output_text", "text")
    logprobs = {} if kind == "refusal" else {"logprobs": []}
    return [
        {"type": "response.content_part.added", **where, "part": {**part, key: ""}},
        *(
            {
                "type": f"response.{kind}.delta",
                **where,
                "delta": piece,
                **logprobs,
                "obfuscation": "x" * (len(piece) % 3),
            }
            for piece in _cut(part[key], chunk)
        ),
        {"type": f"response.{kind}.done", **where, key: part[key], **logprobs},
        {"type": "response.content_part.done", **where, "part": part},
    ]


def chunks(
    text: str = "",
    *,
    id_: str = "chatcmpl-1",
    calls: list[tuple[str, str]] | None = None,
    reason: str | None = None,
    used: dict[str, Any] | None = None,
    chunk: int = 4,
) -> list[dict[str, Any]]:
    """The stream of a chat completion."""
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": "" if text else None}]
    deltas += [{"content": piece} for piece in _cut(text, chunk)]
    for index, (name, arguments) in enumerate(calls or ()):
        head = {"id": f"call_{index}", "type": "function"}
        first = {"index": index, **head, "function": {"name": name, "arguments": ""}}
        deltas.append({"tool_calls": [first]})
        deltas += [
            {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}
            for piece in _cut(arguments, chunk)
        ]
    told = [chat_chunk([_choice(delta)], id_) for delta in deltas]
    told.append(chat_chunk([_choice({}, reason or ("tool_calls" if calls else "stop"))], id_))
    if used is not None:
        told.append({**chat_chunk([], id_), "usage": used})
    return told


def chat_chunk(choices: list[Any], id_: str = "chatcmpl-1") -> dict[str, Any]:
    return {
        "id": id_,
        "object": "chat.completion.chunk",
        "created": CREATED_AT,
        "model": MODEL,
        "service_tier": "default",
        "system_fingerprint": None,
        "choices": choices,
    }


def chat_usage(given: int, completed: int) -> dict[str, Any]:
    return {
        "prompt_tokens": given,
        "completion_tokens": completed,
        "total_tokens": given + completed,
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 1},
    }


def completion(text: str | None, **more: Any) -> dict[str, Any]:
    said = {"role": "assistant", "content": text, "refusal": None, "annotations": []}
    choice = {"index": 0, "message": said, "logprobs": None, "finish_reason": "stop"}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": CREATED_AT,
        "model": MODEL,
        "choices": [choice],
        "usage": chat_usage(9, 12),
        **more,
    }


def _choice(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}


def _cut(text: str, size: int) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]
