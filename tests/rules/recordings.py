"""Recordings as rows, without a database: what the codec tests write and read."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import strategies as st

from runreel.codec import text_delta
from runreel.codec.stream_codec import StreamCodec
from runreel.model.events import CONTEXT, RUN, STREAM_EVENT, TOOL_RESULTS, EventRow
from runreel.sources import SOURCES, reader_of
from tests.strategies import tellings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from runreel.codec.source_protocol import Interpretation

    Shape = Callable[[int, list[str]], tuple[str, Any]]

PLAIN = reader_of("plain")
YANDEX = reader_of("yandex-assistants")
READERS = pytest.mark.parametrize(
    "reader", [reader_of(source) for source in SOURCES], ids=lambda reader: reader.name
)
# Sources whose every partial message tells the whole text so far.
CUMULATIVE = pytest.mark.parametrize("reader", [PLAIN, YANDEX], ids=lambda reader: reader.name)


def write(reader: Any, told: Iterable[tuple[str, Any]]) -> list[EventRow]:
    """The rows that a recorder would write."""
    text = ""
    rows = []
    for seq, (kind, value) in enumerate(told):
        event = reader.interpret(kind, value)
        encoded = text_delta.encode(event, text)
        text = encoded.text
        rows.append(
            EventRow(
                run_id="run-1",
                seq=seq,
                kind=kind,
                type=event.type,
                source_index=event.index,
                at=0,
                elapsed=0,
                keep=encoded.keep,
                added=encoded.added,
                payload=encoded.payload,
                salt=b"salt",
                redacted=None,
                digest=b"digest",
            )
        )
    return rows


def meaning(reader: Any, kind: str, value: Any) -> Interpretation:
    """What a reader makes of the first value of a run."""
    return reader.interpret(kind, value).read("", None)


def read(reader: Any, rows: Iterable[EventRow]) -> list[Any]:
    """The values of the rows."""
    transcript = StreamCodec(reader)
    return [transcript.decode(row) for row in rows]


def content(parts: list[Any]) -> dict[str, Any]:
    """The content of a Yandex message."""
    return {"content": [{"text": {"content": part}} for part in parts]}


def plain_partial(index: int, parts: list[str]) -> tuple[str, Any]:
    return STREAM_EVENT, {"type": "PARTIAL_MESSAGE", "text": "".join(parts)}


def plain_numbered(index: int, parts: list[str]) -> tuple[str, Any]:
    value = {"type": "PARTIAL_MESSAGE", "text": "".join(parts[:1]), "source_index": index}
    return STREAM_EVENT, value


def plain_parts(index: int, parts: list[str]) -> tuple[str, Any]:
    return STREAM_EVENT, {"type": "PARTIAL_MESSAGE", "parts": parts, "at": index}


def plain_message(index: int, parts: list[str]) -> tuple[str, Any]:
    return STREAM_EVENT, {"type": "DONE", "message": {"parts": [*parts, {"n": index}, None]}}


def plain_run(index: int, parts: list[str]) -> tuple[str, Any]:
    return RUN, {"type": "COMPLETED", "message": {"id": "m", "parts": parts}}


def plain_context(index: int, parts: list[str]) -> tuple[str, Any]:
    return CONTEXT, {"text": "".join(parts)}


def yandex_partial(index: int, parts: list[str]) -> tuple[str, Any]:
    cursor = {"currentEventIdx": str(index)} if index else {}
    message = {"partialMessage": content(parts)}
    return STREAM_EVENT, {"eventType": "PARTIAL_MESSAGE", "streamCursor": cursor, **message}


def yandex_unknown(index: int, parts: list[str]) -> tuple[str, Any]:
    return STREAM_EVENT, {"eventType": 99, "partialMessage": content(parts)}


def yandex_done(index: int, parts: list[str]) -> tuple[str, Any]:
    message = {"id": "m", "content": content(parts)}
    return STREAM_EVENT, {"eventType": "DONE", "completedMessage": message}


def yandex_run(index: int, parts: list[str]) -> tuple[str, Any]:
    state = {"status": "COMPLETED", "completedMessage": {"content": content(parts)}}
    return RUN, {"id": "r", "state": state}


def yandex_results(index: int, parts: list[str]) -> tuple[str, Any]:
    return TOOL_RESULTS, {"partialMessage": content(parts)}


def chat_chunk(index: int, parts: list[str]) -> tuple[str, Any]:
    delta = {"content": "".join(parts)}
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}
    return STREAM_EVENT, {"object": "chat.completion.chunk", "id": index, "choices": [choice]}


def chat_refusal(index: int, parts: list[str]) -> tuple[str, Any]:
    delta = {"refusal": "".join(parts), "content": None, "tool_calls": [{"index": index}]}
    return STREAM_EVENT, {"choices": [{"delta": delta, "finish_reason": "stop"}]}


def chat_completion(index: int, parts: list[str]) -> tuple[str, Any]:
    message = {"role": "assistant", "content": "".join(parts), "refusal": "".join(parts[:1])}
    return RUN, {"choices": [{"index": 0, "message": message}], "n": index}


def _output(parts: list[str]) -> list[Any]:
    texts = [{"type": "output_text", "text": part} for part in parts]
    return [{"type": "reasoning", "text": "hm"}, {"type": "message", "content": texts}]


def response_created(index: int, parts: list[str]) -> tuple[str, Any]:
    return STREAM_EVENT, {"type": "response.created", "response": {"id": f"r{index}"}}


def response_delta(index: int, parts: list[str]) -> tuple[str, Any]:
    place = {"output_index": 0, "content_index": 0, "logprobs": []}
    value = {"type": "response.output_text.delta", "delta": "".join(parts), **place}
    return STREAM_EVENT, value | {"sequence_number": index}


def response_refusal(index: int, parts: list[str]) -> tuple[str, Any]:
    delta = {"delta": "".join(parts[:1]), "output_index": index}
    return STREAM_EVENT, {"type": "response.refusal.delta", **delta}


def response_text_done(index: int, parts: list[str]) -> tuple[str, Any]:
    return STREAM_EVENT, {"type": "response.output_text.done", "text": "".join(parts)}


def response_completed(index: int, parts: list[str]) -> tuple[str, Any]:
    response = {"id": "r", "status": "completed", "output": _output(parts)}
    return STREAM_EVENT, {"type": "response.completed", "response": response}


def response_whole(index: int, parts: list[str]) -> tuple[str, Any]:
    return RUN, {"id": f"r{index}", "status": "completed", "output": _output(parts)}


def message_delta(index: int, parts: list[str]) -> tuple[str, Any]:
    delta = {"type": "text_delta", "text": "".join(parts)}
    return STREAM_EVENT, {"type": "content_block_delta", "index": 0, "delta": delta, "n": index}


def message_other_delta(index: int, parts: list[str]) -> tuple[str, Any]:
    delta = {"type": "text_delta", "text": "".join(parts[:1]), "n": index}
    return STREAM_EVENT, {"type": "content_block_delta", "index": index, "delta": delta}


def message_block(index: int, parts: list[str]) -> tuple[str, Any]:
    block = {"type": "text", "text": "".join(parts)}
    return STREAM_EVENT, {"type": "content_block_start", "index": index, "content_block": block}


def message_start(index: int, parts: list[str]) -> tuple[str, Any]:
    return STREAM_EVENT, {"type": "message_start", "message": {"id": f"m{index}", "content": []}}


def message_whole(index: int, parts: list[str]) -> tuple[str, Any]:
    content = [{"type": "thinking", "thinking": "hm"}, {"type": "tool_use", "id": index}]
    content += [{"type": "text", "text": part} for part in parts]
    return RUN, {"type": "message", "content": content, "stop_reason": "end_turn"}


def message_request(index: int, parts: list[str]) -> tuple[str, Any]:
    return CONTEXT, {"messages": [{"role": "user", "content": "".join(parts)}]}


def claude_answer(index: int, parts: list[str], reason: str = "pause_turn") -> tuple[str, Any]:
    blocks = [{"type": "text", "text": part} for part in parts]
    message = {"id": f"m{index // 2}", "content": blocks, "stop_reason": reason}
    return STREAM_EVENT, {"type": "assistant", "sessionId": "s", "message": message}


def claude_end(index: int, parts: list[str]) -> tuple[str, Any]:
    return claude_answer(index, parts, "end_turn")


def claude_results(index: int, parts: list[str]) -> tuple[str, Any]:
    block = {"type": "tool_result", "tool_use_id": "t", "content": "".join(parts)}
    message = {"role": "user", "content": [block]}
    return TOOL_RESULTS, {"type": "user", "sessionId": "s", "message": message}


def codex_answer(index: int, parts: list[str]) -> tuple[str, Any]:
    content = [{"type": "output_text", "text": part} for part in parts]
    item = {"type": "message", "role": "assistant", "content": content, "id": f"i{index}"}
    return STREAM_EVENT, {"type": "response_item", "payload": item}


def codex_results(index: int, parts: list[str]) -> tuple[str, Any]:
    item = {"type": "function_call_output", "call_id": "c", "output": "".join(parts)}
    return TOOL_RESULTS, {"type": "response_item", "payload": item, "n": index}


def llm_response(index: int, parts: list[str]) -> tuple[str, Any]:
    return RUN, {"id": f"r{index}", "part": "response", "text": "".join(parts)}


def error_body(index: int, parts: list[str]) -> tuple[str, Any]:
    return STREAM_EVENT, {"error": {"message": "".join(parts)}, "n": index}


def span(index: int, parts: list[str]) -> tuple[str, Any]:
    attributes = [{"key": "gen_ai.completion.0.content", "value": {"stringValue": "".join(parts)}}]
    return RUN, {"traceId": "t", "spanId": f"s{index}", "attributes": attributes}


def gemini_chunk(index: int, parts: list[str]) -> tuple[str, Any]:
    candidate = {"content": {"parts": [{"text": "".join(parts)}], "role": "model"}}
    return STREAM_EVENT, {"candidates": [candidate], "usageMetadata": {"promptTokenCount": index}}


def gemini_parts(index: int, parts: list[str]) -> tuple[str, Any]:
    told = [*({"text": part} for part in parts), {"text": "hm", "thought": True}]
    candidate = {"index": 0, "content": {"parts": told, "role": "model"}, "finishReason": "STOP"}
    return STREAM_EVENT, {"candidates": [candidate], "responseId": f"r{index}"}


def gemini_whole(index: int, parts: list[str]) -> tuple[str, Any]:
    return RUN, gemini_parts(index, parts)[1]


def gemini_request(index: int, parts: list[str]) -> tuple[str, Any]:
    asked = [{"role": "user", "parts": [{"text": part} for part in parts]}]
    return CONTEXT, {"model": "m", "contents": asked}


def completion_partial(index: int, parts: list[str]) -> tuple[str, Any]:
    message = {"role": "assistant", "text": "".join(parts)}
    alternative = {"message": message, "status": "ALTERNATIVE_STATUS_PARTIAL"}
    usage = {"inputTextTokens": "9", "completionTokens": str(index), "totalTokens": str(9 + index)}
    return STREAM_EVENT, {"alternatives": [alternative], "usage": usage, "modelVersion": "1"}


def completion_final(index: int, parts: list[str]) -> tuple[str, Any]:
    message = {"role": "assistant", "text": "".join(parts), "n": index}
    alternative = {"message": message, "status": "ALTERNATIVE_STATUS_FINAL"}
    return STREAM_EVENT, {"result": {"alternatives": [alternative, copy.deepcopy(alternative)]}}


def completion_whole(index: int, parts: list[str]) -> tuple[str, Any]:
    return RUN, completion_final(index, parts)[1]


def completion_request(index: int, parts: list[str]) -> tuple[str, Any]:
    asked = [{"role": "user", "text": part} for part in parts]
    return CONTEXT, {"modelUri": "gpt://m", "messages": asked, "n": index}


# An ordinary partial message comes first.
SHAPES: dict[str, list[Shape]] = {
    "anthropic-messages": [
        message_delta,
        message_other_delta,
        message_block,
        message_start,
        message_whole,
        message_request,
    ],
    "llm-log": [llm_response, error_body],
    "otlp-genai": [span, error_body],
    "codex": [codex_answer, codex_results],
    "claude-code": [claude_answer, claude_end, claude_results],
    "plain": [
        plain_partial,
        plain_numbered,
        plain_parts,
        plain_message,
        plain_run,
        plain_context,
    ],
    "yandex-assistants": [
        yandex_partial,
        yandex_unknown,
        yandex_done,
        yandex_run,
        yandex_results,
    ],
    "yandex-completions": [
        completion_partial,
        completion_final,
        completion_whole,
        completion_request,
    ],
    "google-gemini": [gemini_chunk, gemini_parts, gemini_whole, gemini_request],
    "openai-chat": [chat_chunk, chat_refusal, chat_completion],
    "openai-responses": [
        response_delta,
        response_refusal,
        response_text_done,
        response_completed,
        response_whole,
        response_created,
    ],
}


@st.composite
def recordings(draw: Callable[..., Any], reader: Any) -> list[tuple[str, Any]]:
    """A run's values with their kinds, the message in shapes of this source."""
    shapes = st.sampled_from(SHAPES[reader.name])
    return [draw(shapes)(index, parts) for index, parts in enumerate(draw(tellings()))]
