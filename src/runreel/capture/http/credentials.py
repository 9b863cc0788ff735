"""The credentials that a request carries."""

from __future__ import annotations

from typing import Any

from runreel.codec.stream_codec import PLACEHOLDER

_HEADERS = ("authorization", "proxy-authorization", "x-api-key", "api-key", "x-goog-api-key")
_PARAMETERS = ("key", "api_key", "api-key", "access_token")
# Shorter values are no credentials, and could be part of any text.
_SHORTEST = 6


def without_credentials(body: bytes, request: Any) -> bytes:
    """Return the body of an answer with the credentials of its request masked.

    Some services repeat them in their errors.
    """
    for credential in _credentials(request):
        body = body.replace(credential.encode(), (PLACEHOLDER * len(credential)).encode())
    return body


def _credentials(request: Any) -> list[str]:
    values = [request.headers.get(name, "").rpartition(" ")[2] for name in _HEADERS]
    values += [request.url.params.get(name, "") for name in _PARAMETERS]
    return [value for value in values if len(value) >= _SHORTEST]
