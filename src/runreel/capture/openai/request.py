"""Requests in a form that may be stored: without credentials and transport options."""

from __future__ import annotations

from typing import Any, NamedTuple

from runreel.codec import json_values as pj

# Options of the client that are not part of the request itself.
_TRANSPORT = frozenset(
    (
        *("api_key", "authorization", "extra_headers", "extra_query", "headers"),
        *("http_client", "idempotency_key", "timeout"),
    )
)
# Credentials of an MCP tool.
_SECRETS = frozenset(("authorization", "headers"))
_OUTPUT_TYPES = frozenset(("function_call_output", "custom_tool_call_output"))


class CapturedRequest(NamedTuple):
    """A request as it is recorded.

    ``context`` is the redacted request, None if the program gave none. ``previous`` is the id of
    the response that it continues, ``tool_results`` are the results for that response's calls.
    """

    context: dict[str, Any] | None
    previous: str | None
    tool_results: list[Any]


def capture_request(request: dict[str, Any] | None, sent: dict[str, Any]) -> CapturedRequest:
    """Capture the ``request`` that the program gave; ``sent`` is the body the client sent."""
    context = None if request is None else redacted_request(request)
    body = sent or context or {}
    previous = pj.as_text(body.get("previous_response_id")) or None
    return CapturedRequest(context, previous, tool_results_of(body) if previous else [])


def redacted_request(request: dict[str, Any]) -> dict[str, Any]:
    """The request as JSON without secrets; client objects as sent, classes as their names."""
    kept = {
        key: _json(value)
        for key, value in request.items()
        if key not in _TRANSPORT and not _is_omitted(value)
    }
    if isinstance(kept.get("tools"), list):
        kept["tools"] = [_without_secrets(tool) for tool in kept["tools"]]
    return kept


def tool_results_of(request: dict[str, Any]) -> list[Any]:
    """The tool results in a request."""
    items = map(pj.as_object, pj.as_list(request.get("input")))
    return [item for item in items if pj.as_text(item.get("type")) in _OUTPUT_TYPES]


def _json(value: Any) -> Any:
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if isinstance(value, dict):
        return {str(key): _json(item) for key, item in value.items() if not _is_omitted(item)}
    if isinstance(value, (list, tuple)):
        return [_json(item) for item in value if not _is_omitted(item)]
    if isinstance(value, type):
        return value.__name__
    dump = getattr(value, "model_dump", None)
    if dump is not None:
        return dump(mode="json", by_alias=True, exclude_unset=True, warnings=False)
    return str(value)


def _is_omitted(value: Any) -> bool:
    return type(value).__name__ in ("NotGiven", "Omit")


def _without_secrets(tool: Any) -> Any:
    if not isinstance(tool, dict) or tool.get("type") != "mcp":
        return tool
    return {key: item for key, item in tool.items() if key not in _SECRETS}
