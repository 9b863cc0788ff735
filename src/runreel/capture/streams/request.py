"""Requests in a form that may be stored: without credentials and transport options."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any, NamedTuple, Protocol

from runreel.capture.streams.run_resolver import ResponseIdentity
from runreel.codec import json_values as pj

# Options of the client that are not part of the request itself.
_TRANSPORT = frozenset(
    (
        *("api_key", "authorization", "extra_headers", "extra_query", "headers"),
        *("http_client", "idempotency_key", "timeout"),
    )
)
# Credentials of an MCP server.
_SECRETS = frozenset(("authorization", "authorization_token", "headers"))
_OUTPUT_TYPES = frozenset(("function_call_output", "custom_tool_call_output"))


class HttpRequest(Protocol):
    """The request of an HTTP client."""

    method: str
    url: Any
    content: bytes


class SentRequest(NamedTuple):
    """A request as a client sent it: its path, whether it creates a response, its JSON body."""

    path: str
    creates: bool
    body: dict[str, object]


class CapturedRequest(NamedTuple):
    """A request as it is recorded.

    ``context`` is the redacted request, None if the program gave none. ``tool_results`` are the
    results for the calls of the response that it continues; ``identity`` is that of its own.
    """

    context: dict[str, object] | None
    tool_results: list[object]
    identity: ResponseIdentity


def sent_request(request: HttpRequest) -> SentRequest:
    """Read an HTTP request; the body is empty if it cannot be read."""
    body: dict[str, object] = {}
    with suppress(Exception):  # the body may not be readable twice
        body = pj.as_object(json.loads(request.content))
    return SentRequest(str(request.url.path), request.method == "POST", body)


def capture_request(
    source: str, request: dict[str, object] | None, sent: SentRequest | None
) -> CapturedRequest:
    """Capture the ``request`` that the program gave, and the one that the client sent if known."""
    context = None if request is None else redacted_request(request)
    body = (sent and sent.body) or context or {}
    previous = pj.as_text(body.get("previous_response_id")) or None
    tool_results = tool_results_of(body) if previous else []
    creates = sent is not None and sent.creates
    id_ = None if sent is None or creates else sent.path.rstrip("/").rpartition("/")[2]
    identity = ResponseIdentity(source, id_ or None, previous, may_exist=not creates)
    return CapturedRequest(context, tool_results, identity)


def redacted_request(request: dict[str, object]) -> dict[str, object]:
    """The request as JSON without secrets; client objects as sent, classes as their names."""
    kept = {
        key: _json(value)
        for key, value in request.items()
        if key not in _TRANSPORT and not _is_omitted(value)
    }
    if isinstance(tools := kept.get("tools"), list):
        kept["tools"] = [_without_secrets(tool) if _is_mcp(tool) else tool for tool in tools]
    if isinstance(servers := kept.get("mcp_servers"), list):
        kept["mcp_servers"] = [_without_secrets(server) for server in servers]
    return kept


def tool_results_of(request: dict[str, object]) -> list[object]:
    """The tool results in a request."""
    items = map(pj.as_object, pj.as_list(request.get("input")))
    return [item for item in items if pj.as_text(item.get("type")) in _OUTPUT_TYPES]


def _json(value: object) -> object:
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if isinstance(value, dict):
        return {str(key): _json(item) for key, item in value.items() if not _is_omitted(item)}
    if isinstance(value, (list, tuple)):
        return [_json(item) for item in value if not _is_omitted(item)]
    if isinstance(value, type):
        return value.__name__
    if hasattr(value, "model_dump"):
        dumped: object = value.model_dump(
            mode="json", by_alias=True, exclude_unset=True, warnings=False
        )
        return dumped
    return str(value)


def _is_omitted(value: object) -> bool:
    return type(value).__name__ in ("NotGiven", "Omit")


def _is_mcp(tool: object) -> bool:
    return pj.as_object(tool).get("type") == "mcp"


def _without_secrets(server: object) -> object:
    if not isinstance(server, dict):
        return server
    return {key: item for key, item in server.items() if key not in _SECRETS}
