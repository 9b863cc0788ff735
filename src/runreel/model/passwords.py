"""Masks passwords in names, URLs and messages that are printed."""

from __future__ import annotations

import re

# Up to the last @: a password may contain an unescaped one.
_USERINFO = re.compile(r"(://[^:@/\s]*):\S*@")
_HOST = re.compile(r"(host(?:name)?:? ['\"])[^'\"\s]*@")
_SECRET = re.compile(
    r"((?:password|passwd|secret|sslkey)\w*\s*=\s*)('[^']*'|[^\s&'\"]+)", re.IGNORECASE
)


def mask_passwords(text: str) -> str:
    """Mask the passwords of database URLs and connection strings in ``text``."""
    return _SECRET.sub(r"\1***", _HOST.sub(r"\1***@", _USERINFO.sub(r"\1:***@", text)))


def is_secret(option: str) -> bool:
    """True if the value of a URL's option is a password or a secret."""
    return "pass" in option.lower() or "secret" in option.lower()
