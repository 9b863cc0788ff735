"""Streams in the shapes that servers of OpenAI's interfaces send, and what each comes to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.live import openai_script as script
from tests.live.sse_server import sse

CHAT, RESPONSES = "openai-chat", "openai-responses"
DONE = "data: [DONE]\n\n"
ID = "chatcmpl-1"
USED = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}
WEATHER = ("call_0", "weather", {"city": "Paris"})


@dataclass(frozen=True)
class Shape:
    """A stream as it goes over the wire, and what a user is to see of it.

    ``read`` is how many of its events the client reads, which stops at an error.
    """

    source: str
    values: list[Any]
    done: bool = False
    text: str | None = None
    parts: list[str] | None = None
    status: str = "COMPLETED"
    calls: list[tuple[str | None, str, dict[str, Any]]] = field(default_factory=list)
    usage: tuple[int, int, int] | None = None
    cached: int | None = None
    reasoning: str | None = None
    error: tuple[str | None, int | str | None] | None = None
    read: int | None = None

    @property
    def wire(self) -> str:
        """The bytes of the stream, as text."""
        return "".join(map(sse, self.values)) + (DONE if self.done else "")


def chunk(delta: Any, reason: str | None = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return {**script.chat_chunk([choice]), **more}


def chat(*values: Any, **expected: Any) -> Shape:
    return Shape(CHAT, list(values), **{"done": True, **expected})


def response(items: list[Any], **expected: Any) -> Shape:
    expected = {"usage": (100, 14, 114), "cached": 8, **expected}
    return Shape(RESPONSES, script.events(items), **expected)


def call(index: int | None = 0, id_: str = "call_0", name: str = "weather", text: str = "") -> Any:
    place = {} if index is None else {"index": index}
    function = {"name": name, "arguments": text}
    return {**place, "id": id_, "type": "function", "function": function}


def more(text: str, index: int = 0) -> Any:
    return {"index": index, "function": {"arguments": text}}


HELLO = script.chunks("Hello, world")
SAID = {"text": "Hello, world", "parts": ["Hello, world"]}
CALLED = {"status": "TOOL_CALLS", "calls": [WEATHER]}
CITY = '{"city": "Paris"}'
FIRST = {"id": "", "object": "", "created": 0, "model": "", "choices": []}

CHAT_SHAPES = {
    "openai": chat(*script.chunks("Hello, world", used={**USED}), **SAID, usage=(9, 4, 13)),
    "openai two choices": chat(
        *[
            {**told, "choices": [*told["choices"], {"index": 1, "delta": {"content": "no"}}]}
            for told in HELLO
        ],
        **SAID,
    ),
    "openai parallel calls": chat(
        chunk({"role": "assistant", "content": None}),
        chunk({"tool_calls": [call()]}),
        chunk({"tool_calls": [more(CITY)]}),
        chunk({"tool_calls": [call(1, "call_1", "time")]}),
        chunk({"tool_calls": [more("{}", 1)]}),
        chunk({}, "tool_calls"),
        status="TOOL_CALLS",
        calls=[WEATHER, ("call_1", "time", {})],
    ),
    "azure": chat({**FIRST, "prompt_filter_results": [{"prompt_index": 0}]}, *HELLO, **SAID),
    "groq with usage of its own": chat(
        *HELLO[:-1], {**HELLO[-1], "x_groq": {"usage": USED}}, **SAID, usage=(9, 4, 13)
    ),
    "groq reasoning and ids that change": chat(
        *[{**chunk({"reasoning": piece}), "id": f"c-{piece}"} for piece in ("I ", "add.")],
        *HELLO,
        **SAID,
        reasoning="I add.",
    ),
    "groq error event": chat(
        chunk({"reasoning": "Hm."}),
        chunk({"content": "Hel"}),
        {"error": {"message": "not valid", "type": "t", "code": "tool_use_failed"}},
        done=False,
        status="FAILED",
        text="Hel",
        parts=["Hel"],
        reasoning="Hm.",
        error=("not valid", "tool_use_failed"),
    ),
    "deepseek": chat(
        *[chunk({"content": None, "reasoning_content": piece}) for piece in ("I ", "add.")],
        *[chunk({"content": piece, "reasoning_content": None}) for piece in ("Hello", ", world")],
        chunk({"content": "", "reasoning_content": None}, "stop", usage={**USED}),
        **SAID,
        reasoning="I add.",
        usage=(9, 4, 13),
    ),
    "deepseek out of resources": chat(
        chunk({"content": "Hel"}),
        chunk({"content": ""}, "insufficient_system_resource"),
        status="FAILED",
        text="Hel",
        parts=["Hel"],
        error=(
            "the completion ended with the finish reason insufficient_system_resource",
            "insufficient_system_resource",
        ),
    ),
    "mistral content parts": chat(
        chunk({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}]}),
        chunk({"content": [{"type": "text", "text": "Hello"}]}),
        chunk({"content": ", world"}, "stop", usage={**USED}),
        **SAID,
        reasoning="Hm.",
        usage=(9, 4, 13),
    ),
    "mistral calls at once": chat(
        chunk({"content": "", "tool_calls": [call(text=CITY)]}, "tool_calls"), **CALLED
    ),
    "openrouter": chat(
        *[
            chunk(
                {
                    "content": "",
                    "reasoning": piece,
                    "reasoning_details": [{"type": "reasoning.text", "text": piece}],
                },
                provider="P",
            )
            for piece in ("I ", "add.")
        ],
        *HELLO,
        chunk({"content": ""}, usage={**USED, "cost": 0.1}),
        **SAID,
        reasoning="I add.",
        usage=(9, 4, 13),
    ),
    "openrouter without finish reason": chat(
        chunk({"content": None, "tool_calls": [call()]}),
        chunk({"content": None, "tool_calls": [call(text=CITY)]}),
        chunk({"content": ""}, usage={**USED}),
        **CALLED,
        usage=(9, 4, 13),
    ),
    "openrouter error in a choice": chat(
        chunk({"content": "Hel"}),
        {
            **chunk({}),
            "choices": [
                {
                    "index": 0,
                    "delta": {"content": ""},
                    "finish_reason": "error",
                    "error": {"code": 502, "message": "down"},
                }
            ],
        },
        status="FAILED",
        text="Hel",
        parts=["Hel"],
        error=("down", 502),
    ),
    "xai": chat(
        chunk({"role": "assistant", "reasoning_content": "First"}),
        chunk({"tool_calls": [call(text=CITY)]}),
        chunk({}, "tool_calls"),
        {**script.chat_chunk([]), "usage": {**USED, "prompt_tokens_details": {"cached_tokens": 3}}},
        **CALLED,
        reasoning="First",
        usage=(9, 4, 13),
        cached=3,
    ),
    "yandex": chat(
        chunk(
            {"role": "assistant", "content": None, "tool_calls": [call(text=CITY)]}, "tool_calls"
        ),
        **CALLED,
    ),
    "together": chat(
        *HELLO[:-1],
        {**HELLO[-1], "usage": {**USED, "cached_tokens": 0}},
        **SAID,
        usage=(9, 4, 13),
        cached=0,
    ),
    "snowflake": chat(
        {**chunk({"content": "Hello, world", "refusal": "", "tool_calls": None}), "id": ""},
        {**chunk({"content": "", "refusal": "", "tool_calls": None}), "id": ""},
        {**script.chat_chunk([]), "id": "", "usage": {**USED}},
        **SAID,
        usage=(9, 4, 13),
    ),
    "moonshot": chat(
        *[{key: value for key, value in told.items() if key != "object"} for told in HELLO[:-1]],
        {
            "id": ID,
            "choices": [{"index": 0, "delta": {}, "finish_reason": "stop", "usage": {**USED}}],
        },
        **SAID,
        usage=(9, 4, 13),
    ),
    "perplexity": chat(
        *HELLO[:-1],
        {
            **HELLO[-1],
            "object": "chat.completion.done",
            "choices": [
                {
                    "index": 0,
                    "delta": {"role": "assistant", "content": ""},
                    "message": {"role": "assistant", "content": "Hello, world"},
                    "finish_reason": "stop",
                }
            ],
            "usage": {**USED},
        },
        **SAID,
        usage=(9, 4, 13),
    ),
}


def thinking(kind: str, **more: Any) -> dict[str, Any]:
    key = "content" if kind == "reasoning_text" else "summary"
    told = [{"type": kind, "text": "I add."}]
    return {"id": "rs", "type": "reasoning", "summary": [], key: told, **more}


ANSWER = script.output_of(["Hello, ", "world"])
FAILURE = {"code": "insufficient_quota", "message": "no money"}
RESPONSE_SHAPES = {
    "text": response([ANSWER], text="Hello, world", parts=["Hello, world"]),
    "several parts": response(
        [ANSWER, script.output_of(["!"])], text="Hello, world!", parts=["Hello, world", "!"]
    ),
    "reasoning text": response([thinking("reasoning_text"), ANSWER], **SAID, reasoning="I add."),
    "reasoning summary, encrypted": response(
        [thinking("summary_text", encrypted_content="gAAA"), ANSWER], **SAID, reasoning="I add."
    ),
    "reasoning encrypted": response(
        [{"id": "rs", "type": "reasoning", "summary": [], "encrypted_content": "g"}, ANSWER], **SAID
    ),
    "call": response([script.call("weather", {"city": "Paris"}, 0)], **CALLED),
    "text and call": response(
        [ANSWER, script.call("weather", {"city": "Paris"}, 0)], **CALLED, **SAID
    ),
    "mcp approval": response(
        [
            {
                "type": "mcp_approval_request",
                "id": "mcpr_1",
                "name": "shorten",
                "arguments": '{"url": "u"}',
                "server_label": "zip",
            }
        ],
        status="TOOL_CALLS",
        calls=[("mcpr_1", "shorten", {"url": "u"})],
    ),
    "mcp list and call": response(
        [
            {"type": "mcp_list_tools", "id": "l", "server_label": "s", "tools": []},
            {"type": "mcp_call", "id": "m", "name": "f", "arguments": "{}", "server_label": "s"},
            ANSWER,
        ],
        **SAID,
    ),
    "built-in tools": response(
        [
            {"type": "web_search_call", "id": "w", "status": "completed", "action": {}},
            {"type": "file_search_call", "id": "f", "status": "completed", "queries": ["q"]},
            {"type": "code_interpreter_call", "id": "c", "status": "completed", "code": "1"},
            {"type": "image_generation_call", "id": "i", "status": "completed", "result": "AAAA"},
            ANSWER,
        ],
        **SAID,
    ),
    "apply patch": response(
        [
            {
                "type": "apply_patch_call",
                "id": "apc",
                "call_id": "call_1",
                "status": "completed",
                "operation": {"type": "delete_file", "path": "a.txt"},
            }
        ],
        status="TOOL_CALLS",
        calls=[("call_1", "apply_patch", {"type": "delete_file", "path": "a.txt"})],
    ),
    "client tool search": response(
        [
            {
                "type": "tool_search_call",
                "id": "tsc",
                "call_id": "call_1",
                "status": "completed",
                "execution": "client",
                "arguments": {"goal": "weather"},
            }
        ],
        status="TOOL_CALLS",
        calls=[("call_1", "tool_search", {"goal": "weather"})],
    ),
    "hosted tool search and call": response(
        [
            {"type": "tool_search_call", "id": "t", "execution": "server", "arguments": {}},
            {"type": "tool_search_output", "id": "o", "execution": "server", "tools": []},
            script.call("weather", {"city": "Paris"}, 0),
        ],
        **CALLED,
    ),
    "error and failed": Shape(
        RESPONSES,
        [
            *script.events([], end=None),
            {"type": "error", "sequence_number": 2, "error": FAILURE},
            {
                "type": "response.failed",
                "sequence_number": 3,
                "response": script.response(status="failed", error=FAILURE),
            },
        ],
        status="FAILED",
        error=("no money", "insufficient_quota"),
        read=3,
    ),
    "last event without output": Shape(
        RESPONSES,
        [
            *script.events([ANSWER, script.call("weather", {"city": "Paris"}, 0)], end=None),
            {"type": "response.completed", "response": script.response(output=[])},
        ],
        **CALLED,
        **SAID,
    ),
}

SHAPES = {
    **{f"chat: {name}": shape for name, shape in CHAT_SHAPES.items()},
    **{f"responses: {name}": shape for name, shape in RESPONSE_SHAPES.items()},
}
