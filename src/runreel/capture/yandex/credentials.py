"""Credentials for the Assistants service from the SDK's environment variables."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# Environment variables of a key, in order of precedence -> scheme of the authorization header.
KEYS = {"YC_API_KEY": "Api-Key", "YC_IAM_TOKEN": "Bearer", "YC_TOKEN": "Bearer"}


def authorization(environment: Mapping[str, str]) -> str | None:
    """The value of the ``authorization`` header, None if no key is set."""
    for name, scheme in KEYS.items():
        if key := environment.get(name, "").strip():
            return f"{scheme} {key}"
    return None
