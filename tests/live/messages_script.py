"""What a server of the Messages API sends, in the shapes that are documented."""

from __future__ import annotations

import json
from typing import Any

# The client warns of names of models that are about to end.
MODEL = "claude-of-tests"
ID = "msg_1"
USED = {"input_tokens": 12, "output_tokens": 1}
QUESTION = {"role": "user", "content": "Hello?"}
ASKED = {"model": MODEL, "max_tokens": 1024, "messages": [QUESTION]}
OVERLOADED = {
    "type": "error",
    "error": {"type": "overloaded_error", "message": "Overloaded"},
    "request_id": "req_1",
}
PING = {"type": "ping"}
STOP = {"type": "message_stop"}
TEXTS = ("Hello", ", ", "world")


def message(content: list[Any], reason: str | None = "end_turn", **more: Any) -> dict[str, Any]:
    """A finished message, or one that begins."""
    return {
        "id": ID,
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": content,
        "stop_reason": reason,
        "stop_sequence": None,
        "usage": {**USED, "output_tokens": 15, "service_tier": "standard"},
        **more,
    }


def start(**more: Any) -> dict[str, Any]:
    more = {"usage": {**USED, "service_tier": "standard"}, **more}
    return {"type": "message_start", "message": message([], None, **more)}


def end(reason: str = "end_turn", **usage: Any) -> list[dict[str, Any]]:
    """The end of a stream: the message changes, and stops."""
    return [change(reason, **usage), STOP]


def change(reason: str | None = "end_turn", delta: Any = None, **usage: Any) -> dict[str, Any]:
    change = {"stop_reason": reason, "stop_sequence": None, **(delta or {})}
    return {"type": "message_delta", "delta": change, "usage": {"output_tokens": 15, **usage}}


def block(index: int, content: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    """A content block, with what is added to it."""
    return [
        {"type": "content_block_start", "index": index, "content_block": content},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def text(*pieces: str, index: int = 0, cited: tuple[dict[str, Any], ...] = ()) -> list[Any]:
    deltas = [{"type": "text_delta", "text": piece} for piece in pieces]
    noted = [{"type": "citations_delta", "citation": citation} for citation in cited]
    return block(index, {"type": "text", "text": ""}, *noted, *deltas)


def thinking(*pieces: str, index: int = 0, signature: str = "c2ln") -> list[Any]:
    deltas = [{"type": "thinking_delta", "thinking": piece} for piece in pieces]
    signed = {"type": "signature_delta", "signature": signature}
    return block(index, {"type": "thinking", "thinking": "", "signature": ""}, *deltas, signed)


def call(
    *pieces: str, index: int = 0, name: str = "weather", type_: str = "tool_use"
) -> list[dict[str, Any]]:
    deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
    begun = {"type": type_, "id": f"toolu_{index}", "name": name, "input": {}}
    return block(index, begun, *deltas)


CITED = (
    {
        "type": "char_location",
        "cited_text": "The grass is green.",
        "document_index": 0,
        "document_title": "Grass",
        "start_char_index": 0,
        "end_char_index": 19,
        "file_id": None,
    },
    {
        "type": "web_search_result_location",
        "cited_text": "The sky is blue.",
        "encrypted_index": "Eo8BCioIAhgB",
        "title": "Sky",
        "url": "https://sky.example/blue",
    },
)
FOUND = {
    "type": "web_search_tool_result",
    "tool_use_id": "toolu_1",
    "content": [
        {
            "type": "web_search_result",
            "title": "Sky",
            "url": "https://sky.example/blue",
            "encrypted_content": "EqgfCioIARgB",
            "page_age": None,
        }
    ],
}
RAN = {
    "type": "bash_code_execution_tool_result",
    "tool_use_id": "toolu_0",
    "content": {
        "type": "bash_code_execution_result",
        "stdout": "2\n",
        "stderr": "",
        "return_code": 0,
        "content": [],
    },
}
CACHED = {"cache_creation_input_tokens": 100, "cache_read_input_tokens": 50}
UNICODE = ("a\u0301\u2028", "👩\u200d👩", "\U0001f600\x00", "日本", "\ufeff\u202e«")
_DEEP = {"a": [1, 1.5, None, {"日本": "天\u0000気 👩"}], "b": True}
DEEP = json.dumps(_DEEP)[:-1] + ", " + json.dumps({"c": _DEEP}, ensure_ascii=False)[1:]

# Whole streams by name, each of which the client's own accumulator makes a message of.
STREAMS: dict[str, list[Any]] = {
    "text": [start(), PING, *text(*TEXTS), *end()],
    "several text blocks": [start(), *text("One"), *text("Two", "!", index=1), *end()],
    "thinking": [start(), *thinking("I add", " the two."), *text("4", index=1), *end()],
    "thinking twice": [
        start(),
        *thinking("First."),
        *text("So", index=1),
        *thinking("Second", ".", index=2),
        *text(" it is", index=3),
        *end(output_tokens_details={"thinking_tokens": 7}),
    ],
    "redacted thinking": [
        start(),
        *block(0, {"type": "redacted_thinking", "data": "EmwKAhgB"}),
        *text("4", index=1),
        *end(),
    ],
    "a call": [start(), *call("", '{"city": "Be', 'rlin"}'), *end("tool_use")],
    "a call without arguments": [start(), *call(), *end("tool_use")],
    "text and two calls": [
        start(),
        *text("Let me look."),
        *call('{"n": 1}', index=1),
        *call(*DEEP[:40], DEEP[40:], index=2, name="深度"),
        *end("tool_use"),
    ],
    "thinking and a call": [
        start(),
        *thinking("I look."),
        *call('{"n": 1}', index=1),
        *end("tool_use"),
    ],
    "citations": [start(), *text("It is ", "green.", cited=CITED), *end()],
    "a search of the server": [
        start(),
        *text("I search."),
        *call('{"query":', ' "sky"}', index=1, name="web_search", type_="server_tool_use"),
        *block(2, FOUND),
        *text("Blue.", index=3, cited=CITED[1:]),
        *end(server_tool_use={"web_search_requests": 1}),
    ],
    "code of the server": [
        start(),
        *call('{"command": "echo 2"}', name="bash_code_execution", type_="server_tool_use"),
        *block(1, RAN),
        *text("2", index=2),
        change(delta={"container": {"id": "c_1", "expires_at": "2026-12-01T00:00:00Z"}}),
        STOP,
    ],
    "cached input": [start(usage={**USED, **CACHED}), *text(*TEXTS), *end()],
    "cached input counted again": [
        start(usage={**USED, **CACHED, "cache_creation": {"ephemeral_5m_input_tokens": 100}}),
        *text(*TEXTS),
        *end(input_tokens=30, cache_read_input_tokens=60, cache_creation_input_tokens=None),
    ],
    "pings everywhere": [
        piece for event in [start(), *text(*TEXTS), *end()] for piece in (PING, event, PING)
    ],
    "refused midway": [
        start(),
        *text("I will"),
        change(
            "refusal",
            delta={"stop_details": {"type": "refusal", "category": "cyber", "explanation": "No."}},
        ),
        STOP,
    ],
    "refused at once": [start(), *end("refusal")],
    "paused": [
        start(),
        *text("I search."),
        *call('{"query": "sky"}', index=1, name="web_search", type_="server_tool_use"),
        *end("pause_turn"),
    ],
    "nothing": [start(), *end()],
    "an empty block": [start(), *text(), *end()],
    "unicode": [start(), *text(*UNICODE), *end()],
    "cut short": [start(), *text(*TEXTS), *end("max_tokens")],
    "too long a context": [start(), *text(*TEXTS), *end("model_context_window_exceeded")],
    "a stop sequence": [
        start(),
        *text(*TEXTS),
        change("stop_sequence", delta={"stop_sequence": "END"}),
        STOP,
    ],
    "several changes": [start(), *text(*TEXTS), change(None, output_tokens=5), *end()],
    "unknown words": [
        start(unheard_of={"a": 1.0}),
        {"type": "message_unheard_of", "index": 0},
        *block(
            0,
            {"type": "text", "text": "So "},
            {"type": "text_delta", "text": "it is", "more": 1},
            {"type": "unheard_of_delta", "text": "not this"},
        ),
        *end("unheard_of"),
    ],
}
# Streams whose events the client cannot make whole arguments of.
CUT_CALL = [start(), *call('{"city": "Be'), *end("max_tokens")]
