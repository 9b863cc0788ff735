"""JSON values that OpenAI's two interfaces share: calls, errors, messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.codec.json_text import MAX_DEPTH, loads
from runreel.codec.json_values import as_text
from runreel.model.errors import BadValue
from runreel.model.messages import Author, Citation, Message
from runreel.model.results import FunctionCall, ToolCall
from runreel.model.timestamps import from_micros

if TYPE_CHECKING:
    from runreel.model.status import MessageStatus

# Key of arguments that are not a JSON object; the value is the text of the model.
UNPARSED = "_unparsed"

# Keys of an error's message: OpenAI's, and that of other servers.
_MESSAGE_KEYS = ("message", "detail")
# Arguments are nested some levels deep in the stored result.
_DEPTH = MAX_DEPTH - 8


def call(id_: object, name: object, arguments: object) -> ToolCall:
    """A call of a function; ``arguments`` is the text that the model wrote."""
    return ToolCall(as_text(id_) or None, FunctionCall(as_text(name) or "", _read(arguments)))


def custom_call(id_: object, name: object, text: object) -> ToolCall:
    """A call of a tool that takes plain text: its only argument, ``input``."""
    function = FunctionCall(as_text(name) or "", {"input": as_text(text) or ""})
    return ToolCall(as_text(id_) or None, function)


def service_tier(answer: dict[str, object]) -> str | None:
    """The service tier that processed a request, None if the answer does not name it."""
    tier = as_text(answer.get("service_tier"))
    # "auto" is a request: the tier is not decided yet.
    return None if tier in ("", "auto") else tier


def error(value: object) -> tuple[str | None, int | str | None]:
    """The message and the code (or else the type) of an error; a missing message is empty."""
    if isinstance(value, str):
        return value, None
    if not isinstance(value, dict):
        return None, None
    code = value.get("code")
    if type(code) is int or type(code) is str:
        return _error_message(value), code
    return _error_message(value), as_text(value.get("type"))


def body_error(body: dict[str, object]) -> tuple[str | None, int | str | None] | None:
    """Message and code of a body that is an error, in several servers' shapes; else None."""
    if content := body.get("error"):
        return error(content) if isinstance(content, (dict, str)) else error(body)
    if (
        any(isinstance(body.get(key), str) for key in _MESSAGE_KEYS)
        or body.get("object") == "error"
    ):
        return error({**body, "type": body.get("type") if _is_kind(body.get("type")) else None})
    return None


def _error_message(error: dict[str, object]) -> str:
    found = (error.get(key) for key in _MESSAGE_KEYS)
    return next((text for text in found if isinstance(text, str)), "")


def _is_kind(type_: object) -> bool:
    # "error" is the type of the event, not of the error in it.
    return isinstance(type_, str) and type_ != "error"


def message(  # noqa: PLR0913 - the fields of a message
    id_: object,
    parts: tuple[str, ...],
    *,
    role: object,
    status: MessageStatus,
    created_at: int | None,
    thread_id: str | None = None,
    citations: tuple[Citation, ...] = (),
    finish_reason: str | None = None,
) -> Message:
    """Build a finished message."""
    return Message(
        id=as_text(id_) or None,
        parts=parts,
        thread_id=thread_id,
        created_by=None,
        created_at=None if created_at is None else from_micros(created_at).replace(tzinfo=None),
        labels=None,
        author=Author(id="", role=as_text(role) or "assistant"),
        citations=citations,
        status=status,
        finish_reason=finish_reason,
        _separator="",
    )


def _read(text: object) -> dict[str, object]:
    if text in (None, ""):
        return {}
    if isinstance(text, dict):
        return text
    try:
        value = loads(text, depth=_DEPTH) if isinstance(text, str) else text
    except BadValue:
        value = text
    return value if isinstance(value, dict) else {UNPARSED: text}
