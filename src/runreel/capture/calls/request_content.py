"""The content of a request as it is stored: without credentials, and with digests of binary data.

``$runreel`` keys and credentials are left out: transport options, and ``headers``,
``authorization`` and ``authorization_token`` of MCP servers. Long base64 data, such as images and
audio, is replaced by its digest and size; everything else is stored in full.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re

from runreel.capture.streams.request import redacted_request
from runreel.codec.json_values import as_list, as_object
from runreel.sources.requests import OWN

# Shorter base64 data is stored as it is.
MAX_BASE64 = 512

_SECRETS = frozenset(("authorization", "authorization_token", "headers"))
# Lists of MCP servers, each with its credentials.
_SERVERS = ("tools", "mcp_servers")
_DATA_URL = re.compile(r"data:([^,]{0,200});base64,", re.IGNORECASE).match
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]+={0,2}").fullmatch
# Keys that hold base64 data which is not in a data URL.
_DATA_KEYS = frozenset(("data", "file_data", "b64_json", "image_url", "url"))


def stored_content(body: dict[str, object]) -> dict[str, object]:
    """Return a copy of a request's body with what may be stored of it."""
    kept = redacted_request(body)
    kept.pop(OWN, None)
    for name in _SERVERS:
        if isinstance(kept.get(name), list):
            kept[name] = [_without_secrets(server) for server in as_list(kept[name])]
    return {key: _shortened(value, key) for key, value in kept.items()}


def _without_secrets(server: object) -> object:
    if not as_object(server).keys() & _SECRETS or as_object(server).get("type") == "function":
        return server
    return {key: value for key, value in as_object(server).items() if key not in _SECRETS}


def _shortened(value: object, key: str) -> object:
    """Replace long base64 data in a value; ``key`` is the key that holds it."""
    if isinstance(value, str):
        return value if len(value) <= MAX_BASE64 else _shortened_text(value, key)
    if isinstance(value, list):
        return [_shortened(item, key) for item in value]
    if isinstance(value, dict):
        return {name: _shortened(item, name) for name, item in value.items()}
    return value


def _shortened_text(text: str, key: str) -> str:
    url = _DATA_URL(text)
    if url is not None:
        return url[0] + _description(text[url.end() :])
    return _description(text) if key in _DATA_KEYS and _BASE64(text) else text


def _description(encoded: str) -> str:
    try:
        data = base64.b64decode(encoded.replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError):
        data = encoded.encode("utf-8", "surrogatepass")
    return f"<{len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()}>"
