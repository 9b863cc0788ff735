"""A request as it may be kept: what was asked, without what opens doors."""

from __future__ import annotations

from typing import Any, NamedTuple

from runreel.codec import plain_json as pj

# How the client is to send a request is no part of what is asked.
_SENDING = frozenset(
    (
        *("api_key", "authorization", "extra_headers", "extra_query", "headers"),
        *("http_client", "idempotency_key", "timeout"),
    )
)
# With what a tool that is somebody's server lets the model in.
_SECRETS = frozenset(("authorization", "headers"))
_ANSWERS = frozenset(("function_call_output", "custom_tool_call_output"))


class CapturedRequest(NamedTuple):
    """What is known of a request.

    ``context`` is the request as it is kept, if at all; ``previous`` the response that is to be
    gone on from, ``answers`` what is sent back for that one's calls of tools.
    """

    context: dict[str, Any] | None
    previous: str | None
    tool_results: list[Any]


def capture_request(request: dict[str, Any] | None, sent: dict[str, Any]) -> CapturedRequest:
    """What the program says of its ``request``, and what of it the client has ``sent``."""
    context = None if request is None else redacted_request(request)
    told = sent or context or {}
    previous = pj.as_text(told.get("previous_response_id")) or None
    return CapturedRequest(context, previous, tool_results_of(told) if previous else [])


def redacted_request(request: dict[str, Any]) -> dict[str, Any]:
    """The request as JSON: objects of the client as what it sends, classes by their names."""
    asked = {
        key: _json(value)
        for key, value in request.items()
        if key not in _SENDING and not _is_omitted(value)
    }
    if isinstance(asked.get("tools"), list):
        asked["tools"] = [_without_secrets(tool) for tool in asked["tools"]]
    return asked


def tool_results_of(request: dict[str, Any]) -> list[Any]:
    """What a kept request sends back for the calls of tools before it."""
    items = map(pj.as_object, pj.as_list(request.get("input")))
    return [item for item in items if pj.as_text(item.get("type")) in _ANSWERS]


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
