"""Recognizes calls of a model among HTTP requests, by method, path and body."""

from __future__ import annotations

import json
import logging
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from runreel.capture.calls.attempts import key_of
from runreel.capture.calls.call import model_call
from runreel.codec import json_values as pj
from runreel.codec.json_text import MAX_DEPTH, loads
from runreel.model.errors import BadValue
from runreel.sources import requests

if TYPE_CHECKING:
    from collections.abc import Callable

    from runreel.capture.calls.call import ModelCall
    from runreel.capture.scope import Scope

# The vendor's client counts the attempts of one call here.
_ATTEMPT = "x-stainless-retry-count"
_IDEMPOTENCY = "idempotency-key"
# A stored request is at most this deep: the log has further levels around it.
_DEPTH = MAX_DEPTH - 8

_OF_GEMINI = frozenset(("candidates", "promptFeedback", "usageMetadata", "error"))

_log = logging.getLogger("runreel")


class Route(NamedTuple):
    """An endpoint that is recorded: its source, and what its events and answers look like.

    A request has one of the keys ``asks``.
    """

    source: str
    asks: frozenset[str]
    is_event: Callable[[dict[str, Any]], bool]
    is_answer: Callable[[dict[str, Any]], bool]


class SentCall(NamedTuple):
    """A call as a client sends it; ``size`` is that of the request in bytes.

    ``attempt`` counts the retries of the vendor's client, 0 for the first request of a call;
    ``key`` is the same for all of them.
    """

    call: ModelCall
    size: int
    attempt: int
    key: str


def _has_type(event: dict[str, Any]) -> bool:
    return isinstance(event.get("type"), str) or "error" in event


def _has_choices(value: dict[str, Any]) -> bool:
    return "choices" in value or "error" in value


def _is_response(value: dict[str, Any]) -> bool:
    failed = isinstance(value.get("error"), dict)
    return value.get("object") == "response" or "output" in value or failed


def _is_message(value: dict[str, Any]) -> bool:
    return value.get("type") == "message" or isinstance(value.get("error"), dict)


def _has_candidates(value: dict[str, Any]) -> bool:
    return not _OF_GEMINI.isdisjoint(value)


_ROUTES = (
    Route(
        requests.OPENAI_RESPONSES,
        frozenset(("input", "prompt", "conversation", "previous_response_id")),
        _has_type,
        _is_response,
    ),
    Route(requests.OPENAI_CHAT, frozenset(("messages",)), _has_choices, _has_choices),
    Route(requests.ANTHROPIC_MESSAGES, frozenset(("messages",)), _has_type, _is_message),
    Route(requests.GOOGLE_GEMINI, frozenset(("contents",)), _has_candidates, _has_candidates),
)
# A new source is one more route, and its path in ``requests.ENDPOINTS``.
ROUTES = {route.source: route for route in _ROUTES}


def call_of(request: Any, scope: Scope) -> SentCall | None:
    """Return the call that a request of httpx makes, None if it is no call of a model.

    The body is read only if the path is that of a route and the body is in memory already.
    """
    route = _route(request)
    if route is None:
        return None
    content = _content(request)
    body, left_out, reason = _body(content)
    if route.source == requests.GOOGLE_GEMINI and body:
        # Its requests name the model in the path only.
        body = {"model": requests.model_in_path(request.url.path), **body}
    if not isinstance(body.get("model"), str) or route.asks.isdisjoint(body.keys() | left_out):
        return None
    if left_out:
        names = ", ".join(sorted(left_out))
        _log.warning("of a request to %s, the log has no %s: %s", request.url.path, names, reason)
    call = model_call(route.source, body, requested_at=time.time_ns() // 1_000, scope=scope)
    attempt = request.headers.get(_ATTEMPT, "")
    return SentCall(
        call,
        len(content),
        attempt=int(attempt) if attempt.isdecimal() else 0,
        key=key_of(str(request.url), request.headers.get(_IDEMPOTENCY), content),
    )


def _route(request: Any) -> Route | None:
    if request.method != "POST":
        return None
    return ROUTES.get(requests.source_of_path(request.url.path) or "")


def _body(content: bytes) -> tuple[dict[str, Any], set[str], object]:
    """The JSON of a request, the keys whose values no log can hold, and why."""
    try:
        return pj.as_object(loads(content, depth=_DEPTH)), set(), None
    except BadValue as error:
        reason = error
    try:
        whole = pj.as_object(json.loads(content))
    except (ValueError, RecursionError):
        return {}, set(), reason
    body = {}
    for key, value in whole.items():
        with suppress(BadValue, RecursionError, ValueError):
            body[key] = loads(json.dumps(value), depth=_DEPTH)
    return body, whole.keys() - body.keys(), reason


def _content(request: Any) -> bytes:
    """The body if it is in memory, else nothing: reading a stream would change what is sent."""
    content = getattr(request, "_content", None)
    if content is None and type(request.stream).__name__ == "ByteStream":
        # A redirect has the bytes in this form.
        content = b"".join(request.stream)
    return content or b""
