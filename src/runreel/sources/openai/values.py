"""What the JSON of OpenAI's two interfaces has in common: calls, usage details, errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runreel.codec import plain_json as pj
from runreel.codec.json_text import MAX_DEPTH, loads
from runreel.codec.token_counts import count
from runreel.model.errors import BadValue
from runreel.model.messages import Author, Citation, Message
from runreel.model.results import FunctionCall, ToolCall, UsageDetails
from runreel.model.timestamps import from_micros

if TYPE_CHECKING:
    from runreel.codec.token_counts import UsageKeys
    from runreel.model.status import MessageStatus

# The key under which arguments stand that are no JSON object, as the model spelled them.
UNPARSED = "_unparsed"

# The keys of an error's message: one of them is OpenAI's.
_SENTENCES = ("message", "detail")
# Arguments stand some levels deep in what is stored of a run.
_DEPTH = MAX_DEPTH - 8


def call(id_: Any, name: Any, arguments: Any) -> ToolCall:
    """A call of a function; ``arguments`` is the text that the model wrote."""
    return ToolCall(pj.as_text(id_) or None, FunctionCall(pj.as_text(name) or "", _read(arguments)))


def custom_call(id_: Any, name: Any, text: Any) -> ToolCall:
    """A call of a tool that takes plain text: its only argument, ``input``."""
    function = FunctionCall(pj.as_text(name) or "", {"input": pj.as_text(text) or ""})
    return ToolCall(pj.as_text(id_) or None, function)


def details(value: Any, names: UsageKeys) -> UsageDetails | None:
    """What a usage object with these names says of its counts in ``…_details``, or beside them."""
    if not isinstance(value, dict):
        return None
    given, made = (pj.as_object(value.get(f"{keys[0]}_details")) for keys in names[:2])
    cached, thought = count(given.get("cached_tokens")), count(made.get("reasoning_tokens"))
    cached = count(value.get("cached_tokens")) if cached is None else cached
    return None if cached is thought is None else UsageDetails(cached, thought)


def error(value: Any) -> tuple[str | None, int | str | None]:
    """The message and the code (or else the type) of an error; a missing message is empty."""
    if isinstance(value, str):
        return value, None
    if not isinstance(value, dict):
        return None, None
    code: Any = value.get("code")
    if type(code) not in (int, str):
        code = pj.as_text(value.get("type"))
    return _sentence(value), code


def body_error(body: dict[str, Any]) -> tuple[str | None, int | str | None] | None:
    """The error that a whole body is, in the shapes of several servers; None if it is none."""
    if told := body.get("error"):
        return error(told) if isinstance(told, (dict, str)) else error(body)
    if any(isinstance(body.get(key), str) for key in _SENTENCES) or body.get("object") == "error":
        return error({**body, "type": body.get("type") if _is_kind(body.get("type")) else None})
    return None


def _sentence(error: dict[str, Any]) -> str:
    found = (error.get(key) for key in _SENTENCES)
    return next((text for text in found if isinstance(text, str)), "")


def _is_kind(type_: Any) -> bool:
    # The type of an event that carries an error says nothing about the error.
    return isinstance(type_, str) and type_ != "error"


def message(  # noqa: PLR0913 - the fields of a message
    id_: Any,
    parts: tuple[str, ...],
    *,
    role: Any,
    status: MessageStatus,
    created_at: int | None,
    thread_id: str | None = None,
    citations: tuple[Citation, ...] = (),
    finish_reason: str | None = None,
) -> Message:
    """A finished message."""
    return Message(
        id=pj.as_text(id_) or None,
        parts=parts,
        thread_id=thread_id,
        created_by=None,
        created_at=None if created_at is None else from_micros(created_at).replace(tzinfo=None),
        labels=None,
        author=Author(id="", role=pj.as_text(role) or "assistant"),
        citations=citations,
        status=status,
        finish_reason=finish_reason,
        _separator="",
    )


def _read(text: Any) -> dict[str, Any]:
    if text in (None, ""):
        return {}
    if isinstance(text, dict):
        return text
    try:
        value = loads(text, depth=_DEPTH) if isinstance(text, str) else text
    except BadValue:
        value = text
    return value if isinstance(value, dict) else {UNPARSED: text}
