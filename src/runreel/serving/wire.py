"""Recorded answers as the services send them: server-sent events, and whole answers.

An error has the shape of its service, so that the vendor's client shows its message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.codec import json_text
from runreel.codec.json_values import as_object, as_text
from runreel.serving.whole_chat import whole_completion
from runreel.serving.whole_message import whole_message
from runreel.sources import requests
from runreel.sources.openai.chat_reader import DONE

if TYPE_CHECKING:
    from collections.abc import Sequence

EVENTS, JSON = "text/event-stream; charset=utf-8", "application/json"
# A comment, which clients skip.
KEEP_ALIVE = b": keep-alive\n\n"

_INVALID = "invalid_request_error"
# Of errors that the request is not the cause of, by service.
_SERVER = 500
_SERVER_ERRORS = {requests.ANTHROPIC_MESSAGES: "api_error"}


def event(source: str, value: object) -> bytes:
    """Return an event as it is sent; services that name the type of an event do so."""
    data = DONE if value == DONE else json_text.dumps(value)
    type_ = as_text(as_object(value).get("type"))
    named = f"event: {type_}\n" if type_ and source != requests.OPENAI_CHAT else ""
    return f"{named}data: {data}\n\n".encode()


def end(source: str, last: object) -> bytes:
    """Return what a stream that was not cut ends with, after its last event."""
    if source == requests.OPENAI_CHAT and last != DONE and "error" not in as_object(last):
        return event(source, DONE)
    return b""


def whole(source: str, values: Sequence[object]) -> object | None:
    """Return the whole answer that the events of a stream add up to.

    None if they do not: the stream was cut, or is of another service.
    """
    if source == requests.OPENAI_CHAT:
        return whole_completion(values)
    if source == requests.ANTHROPIC_MESSAGES:
        return whole_message(values)
    if source == requests.OPENAI_RESPONSES:
        for value in reversed(values):
            response = as_object(as_object(value).get("response"))
            if response.get("status") not in (None, "in_progress", "queued"):
                return response
    return None


def body(value: object) -> bytes:
    """Return a whole answer as it is sent."""
    return json_text.dumps(value).encode()


def error(
    source: str | None, message: str, *, code: str, status: int, pointer: str | None = None
) -> dict[str, object]:
    """Return the body of an error; ``pointer`` is the place in the request that it is about."""
    type_ = _INVALID if status < _SERVER else _SERVER_ERRORS.get(source or "", "server_error")
    if source == requests.ANTHROPIC_MESSAGES:
        return {"type": "error", "error": {"type": type_, "message": message}}
    return {"error": {"message": message, "type": type_, "param": pointer, "code": code}}
