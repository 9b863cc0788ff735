"""What requests ask, what tools answered and which calls a model began, in a source's JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from runreel.codec.json_values import as_list, as_object, as_text, text_in
from runreel.model.events import RUN, TOOL_RESULTS
from runreel.model.story import AskedMessage
from runreel.sources import request_items, requests
from runreel.sources.archives import lines as archive_lines
from runreel.sources.archives import spans
from runreel.sources.yandex import messages as yandex_messages
from runreel.sources.yandex import proto_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from runreel.model.results import ToolCallList
    from runreel.sources.openai.hosted_calls import HostedCall

YANDEX = "yandex-assistants"
_ANSWERING = frozenset(("assistant", "model"))
_TOOL_ROLES = frozenset(("tool", "function"))
# Keys under which a result of a tool stands, in the order in which they are looked for.
_CONTENTS = ("output", "content", "result", "approve", "response")
# Keys of the messages of a whole request, of a source that has requests of any shape.
_LISTS = ("messages", "input")
_IDS = ("call_id", "tool_call_id", "tool_use_id", "approval_request_id", "id")

# Fields that Yandex Assistants gives to every message and assistant.
_GIVEN = proto_json.spellings(
    *("id", "threadId", "createdBy", "createdAt", "updatedBy", "updatedAt", "expiresAt"),
    *("author", "status"),
)


class ToolResult(NamedTuple):
    """The result of a tool call; ``call_id`` and ``name`` are None where the source has none."""

    call_id: str | None
    name: str | None
    content: Any


def new_items(source: str, body: object) -> tuple[list[object], int] | None:
    """Return the items that a stored request holds itself, and the number that it repeats.

    None for a source whose requests have no items.
    """
    request = requests.parse(source, body)
    if request is None:
        return None
    reference = requests.reference_of(body)
    return request.items, 0 if reference is None else reference.items


def asked_with_answer(
    source: str, kind: str, value: object, *, first: bool
) -> tuple[list[object], int] | None:
    """Return the new messages of a request that comes with its answer, and the number before.

    Those before are repeated of earlier requests: there are none if it is the ``first`` of the run.
    None if the row has no request.
    """
    if source != archive_lines.OTLP or kind != RUN:
        return None
    from runreel.sources.otlp_genai import asked as asked_in_span

    messages = asked_in_span.messages_of(value)
    new = messages if first else asked_in_span.after_last_answer(messages)
    return (new, len(messages) - len(new)) if messages else None


def asked(source: str, item: object) -> Iterator[AskedMessage]:
    """Yield the text of an item of a request, unless it is an answer or a result of a tool."""
    value = as_object(item)
    if source == YANDEX:
        yield from _asked_of_assistant(value)
        return
    for key in _LISTS:
        for inner in as_list(value.get(key)):
            yield from asked(source, inner)
    role = (text_in(value, "role") or "user").lower()
    is_message = (text_in(value, "type") or "message") == "message"
    if is_message and role not in _ANSWERING and role not in _TOOL_ROLES:
        texts = next(filter(None, map(list, _contents(value))), [])
        if texts:
            yield AskedMessage(role, "\n".join(texts))


def _contents(value: dict[str, object]) -> Iterator[Iterator[str]]:
    for key in ("content", "text", "input", "prompt", "question", "parts"):
        content = value.get(key)
        if not (key in _LISTS and isinstance(content, list)):
            yield _texts(content)


def comparable(source: str, item: object) -> object:
    """Return an item of a request without the names and times that a service gave it."""
    if source != YANDEX or not isinstance(item, dict):
        return item
    return {key: value for key, value in item.items() if key not in _GIVEN}


def tool_results(source: str, kind: str, value: object) -> list[ToolResult]:
    """Return the results of tools in a row of tool results, or in an item of a request."""
    content = as_object(value)
    if kind == TOOL_RESULTS:
        if source == YANDEX:
            listed = proto_json.repeated(
                proto_json.mapping(content, "toolResultList"), "toolResults"
            )
            if listed:
                return [_assistant_result(item) for item in listed]
        message = archive_lines.message_of(source, value)
        if message is not None:
            return [tool_result(output.item) for output in request_items.outputs(message)]
        if source == archive_lines.OTLP:
            return [ToolResult(*spans.tool_result(value))]
        return [tool_result(item) for item in as_list(content.get("tool_results"))]
    return [tool_result(output.item) for output in request_items.outputs(content)]


def unfinished_calls(source: str, memory: object) -> ToolCallList | None:
    """Return the tool calls that a stream holds so far, given its memory; None without any."""
    if source == "openai-chat":
        from runreel.sources.openai import chat_memory, tool_calls

        if isinstance(memory, chat_memory.Memory):
            return tool_calls.tool_call_list(memory.calls)
    elif source == "openai-responses":
        from runreel.sources.openai import items, responses_memory

        if isinstance(memory, responses_memory.Memory):
            return items.calls([memory.items[index] for index in sorted(memory.items)])
    elif source == requests.GOOGLE_GEMINI:
        from runreel.sources.google import content
        from runreel.sources.google import memory as gemini_memory

        if isinstance(memory, gemini_memory.Memory):
            return content.call_list(memory.calls)
    elif source == requests.ANTHROPIC_MESSAGES:
        from runreel.sources.anthropic import blocks
        from runreel.sources.anthropic import memory as messages_memory

        if isinstance(memory, messages_memory.Memory):
            return blocks.pending(memory.calls)
    return None


def hosted_calls(source: str, kind: str, value: object, memory: object) -> Iterable[HostedCall]:
    """Return the calls, in an event or a snapshot, of tools that the server executes itself.

    ``memory`` is that of the interpretation of the event.
    """
    if source == requests.ANTHROPIC_MESSAGES:
        from runreel.sources.anthropic import hosted_calls as hosted_by_messages

        return hosted_by_messages.hosted_calls(kind, value, memory)
    if source != "openai-responses":
        return ()
    from runreel.sources.openai import hosted_calls as hosted

    return hosted.hosted_calls(kind, value)


def _asked_of_assistant(value: dict[str, object]) -> Iterator[AskedMessage]:
    if instruction := proto_json.string(value, "instruction"):
        yield AskedMessage("system", instruction)
    author = proto_json.mapping(value, "author")
    role = (proto_json.string(author, "role") or "user").lower()
    texts = yandex_messages.parts(value.get("content"))
    if role not in _ANSWERING and any(texts):
        yield AskedMessage(role, "\n".join(texts))


def _assistant_result(item: dict[str, object]) -> ToolResult:
    result = proto_json.mapping(item, "functionResult")
    return ToolResult(None, proto_json.string(result, "name"), result.get("content"))


def tool_result(item: object) -> ToolResult:
    """Return the result of a tool in an item of a request, or in a block of one."""
    value = as_object(item)
    # The Gemini API has the result in a part of a message.
    value = request_items.function_response(value) or value
    call_id = next((id_ for key in _IDS if (id_ := as_text(value.get(key)))), None)
    key = next((key for key in _CONTENTS if key in value), None)
    content = item if key is None else value[key]
    return ToolResult(call_id, text_in(value, "name"), content)


def _texts(content: object) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    for part in as_list(content):
        value = as_object(part)
        text = value.get("text")
        if isinstance(text, str):
            yield text
        elif isinstance(part, str):
            yield part
        elif (type_ := text_in(value, "type")) and type_ != "tool_result":
            yield f"[{type_}]"
