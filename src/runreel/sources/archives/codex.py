"""The lines of a session (rollout) of the Codex CLI: what each is."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from runreel.codec.json_values import as_object, object_in, objects_in, text_in
from runreel.model.events import CONTEXT, STREAM_EVENT, TOOL_RESULTS

if TYPE_CHECKING:
    from collections.abc import Mapping


class Role(Enum):
    """What a line of a session is."""

    META = "about the session"
    SETTINGS = "the model and the settings of a turn"
    STARTED = "a turn begins"
    PROMPT = "what the user asked"
    INPUT = "more input, which the program added"
    ANSWER = "text, reasoning or a call of the model"
    RESULTS = "the result of a tool"
    TOKENS = "token counts"
    ENDED = "the end of a turn, or an error"
    SIDE = "nothing of the conversation, or a copy of it for display"
    UNKNOWN = "of a type that is not known"


KINDS = {
    Role.SETTINGS: STREAM_EVENT,
    Role.PROMPT: CONTEXT,
    Role.INPUT: STREAM_EVENT,
    Role.ANSWER: STREAM_EVENT,
    Role.RESULTS: TOOL_RESULTS,
    Role.TOKENS: STREAM_EVENT,
    Role.ENDED: STREAM_EVENT,
}
_EVENTS = {
    "user_message": Role.PROMPT,
    "task_started": Role.STARTED,
    "turn_started": Role.STARTED,
    "token_count": Role.TOKENS,
    "task_complete": Role.ENDED,
    "turn_complete": Role.ENDED,
    "turn_aborted": Role.ENDED,
    "error": Role.ENDED,
}
_TYPES = frozenset((
    *("session_meta", "turn_context", "response_item", "event_msg", "compacted", "world_state"),
    *("ghost_snapshot", "inter_agent_communication"),
))  # fmt: skip
# How the messages begin that the program adds in the name of the user.
_ADDED = (
    *("<environment_context>", "<user_instructions>", "<permissions", "<turn_aborted>"),
    *("<user_shell_command>", "# AGENTS.md instructions", "<collaboration_mode>", "<skill>"),
    *("<subagent_notification>", "<INSTRUCTIONS>"),
)


def is_line(value: Mapping[str, object]) -> bool:
    """Return whether an object has the shape of a line of a session."""
    return text_in(value, "type") in _TYPES and isinstance(value.get("payload"), dict)


def role_of(value: Mapping[str, object]) -> Role:
    """Return what a line is."""
    type_, payload = text_in(value, "type"), value.get("payload")
    if not isinstance(payload, dict) or type_ not in _TYPES:
        return Role.UNKNOWN
    if type_ == "response_item":
        return _role_of_item(payload)
    if type_ == "event_msg":
        return _EVENTS.get(str(payload.get("type")), Role.SIDE)
    return {"session_meta": Role.META, "turn_context": Role.SETTINGS}.get(type_, Role.SIDE)


def payload_of(value: object) -> dict[str, object]:
    """Return what a line holds."""
    return object_in(as_object(value), "payload")


def message_of(value: object) -> dict[str, object] | None:
    """Return the item in a line that the model got, in the form of requests; None without one."""
    payload = payload_of(value)
    if payload.get("type") == "user_message":
        return {"role": "user", "content": payload.get("message")}
    return payload or None


def prompt_text(value: object) -> str:
    """Return the text of a prompt."""
    payload = payload_of(value)
    text = text_in(payload, "message")
    return text if text is not None else "".join(_texts(payload))


def _role_of_item(item: dict[str, object]) -> Role:
    type_ = text_in(item, "type") or ""
    if type_.endswith("_output"):
        return Role.RESULTS
    if type_ == "message" and item.get("role") != "assistant":
        is_prompt = item.get("role") == "user" and _is_of_the_user(item)
        return Role.PROMPT if is_prompt else Role.INPUT
    return Role.ANSWER


def _is_of_the_user(item: dict[str, object]) -> bool:
    texts = _texts(item)
    return not texts or not texts[0].lstrip().startswith(_ADDED)


def _texts(item: dict[str, object]) -> list[str]:
    texts = (text_in(part, "text") for part in objects_in(item, "content"))
    return [text for text in texts if text]
