"""The lines of a session of Claude Code: what each is, and by what it is known."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from runreel.codec.json_values import as_object, object_in, objects_in, text_in
from runreel.model.events import CONTEXT, STREAM_EVENT, TOOL_RESULTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Role(Enum):
    """What a line of a session is."""

    PROMPT = "what the user asked: a turn begins"
    REMARK = "more input of the turn, which the program added"
    RESULTS = "results of tools"
    ANSWER = "a block of an answer of the model"
    SIDE = "nothing of the conversation"
    UNKNOWN = "of a type that is not known"


KINDS = {
    Role.PROMPT: CONTEXT,
    Role.REMARK: STREAM_EVENT,
    Role.RESULTS: TOOL_RESULTS,
    Role.ANSWER: STREAM_EVENT,
}
# The model of messages that the program wrote itself, such as reports of errors.
SYNTHETIC = "<synthetic>"

_SIDE = frozenset((
    *("summary", "system", "file-history-snapshot", "queue-operation", "turn_end", "progress"),
    *("custom-title", "ai-title", "last-prompt", "tag", "mode", "permission-mode", "attachment"),
    *("agent-name", "agent-color", "agent-setting", "agent-metadata", "pr-link", "task-summary"),
    *("saved_hook_context", "attribution-snapshot", "content-replacement", "worktree-state"),
    *("speculation-accept", "compact_boundary", "file-history-delta", "bridge-session"),
))  # fmt: skip
_ADDED = ("isMeta", "isCompactSummary", "isVisibleInTranscriptOnly")
_INTERRUPTED = "[Request interrupted by user"


def is_line(value: Mapping[str, object]) -> bool:
    """Return whether an object has the shape of a line of a session."""
    type_ = text_in(value, "type")
    if type_ in ("user", "assistant"):
        return "message" in value and ("sessionId" in value or "uuid" in value)
    if type_ == "summary":
        return "leafUuid" in value
    if type_ == "file-history-snapshot":
        return "snapshot" in value
    return type_ in _SIDE and "sessionId" in value


def role_of(value: Mapping[str, object]) -> Role:
    """Return what a line is."""
    type_, message = text_in(value, "type"), value.get("message")
    if type_ == "assistant" and isinstance(message, dict):
        return Role.ANSWER
    if type_ == "user" and isinstance(message, dict):
        return _role_of_input(value, message)
    return Role.SIDE if type_ in _SIDE else Role.UNKNOWN


def original(value: dict[str, object]) -> dict[str, object]:
    """Return a line as the session has it from which a fork says that it copied it."""
    origin = object_in(value, "forkedFrom")
    session, uuid = text_in(origin, "sessionId"), text_in(origin, "messageUuid")
    if session is None or uuid is None:
        return value
    own = {key: item for key, item in value.items() if key != "forkedFrom"}
    return own | {"sessionId": session, "uuid": uuid}


def identity(value: object) -> str | None:
    """Return by what a line is known in every file that repeats it; None if it has no id."""
    return text_in(as_object(value), "uuid")


def message_key(value: Mapping[str, object]) -> str | None:
    """Return by what the message in a line is known; None if it has no id."""
    id_, request = text_in(object_in(value, "message"), "id"), text_in(value, "requestId")
    return id_ if request is None or id_ is None else f"{id_} {request}"


def copy_key(value: Mapping[str, object]) -> str | None:
    """Return what a line of a message has in common with its copies; None if that is not known.

    Some gateways repeat the ids of messages, so the time and the block are part of it.
    """
    key, time = message_key(value), text_in(value, "timestamp")
    if key is None or time is None:
        return None
    block = next(iter(blocks(value)), {})
    text = text_in(block, "text") or text_in(block, "thinking") or ""
    return f"{key} {time} {block.get('type')} {block.get('id')} {len(text)}"


def blocks(value: object) -> list[dict[str, object]]:
    """Return the blocks of the message in a line; a text stands for one block."""
    message = object_in(as_object(value), "message")
    content = message.get("content")
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return objects_in(message, "content")


def _role_of_input(value: Mapping[str, object], message: dict[str, object]) -> Role:
    if any(block.get("type") == "tool_result" for block in objects_in(message, "content")):
        return Role.RESULTS
    if any(value.get(key) is True for key in _ADDED):
        return Role.REMARK
    interrupted = next(_texts(message), "").startswith(_INTERRUPTED)
    return Role.REMARK if interrupted else Role.PROMPT


def _texts(message: dict[str, object]) -> Iterator[str]:
    content = message.get("content")
    if isinstance(content, str):
        yield content
    for block in objects_in(message, "content"):
        if text := text_in(block, "text"):
            yield text
