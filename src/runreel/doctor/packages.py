"""A check for installed packages whose model calls `watch` does not record."""

from __future__ import annotations

import sys
from importlib import metadata
from typing import NamedTuple

from runreel.doctor.checks import OK, WARN, Check

_NAME = "unwatched packages"


class _Package(NamedTuple):
    """A package by the name that is installed, the name that is imported, and what to do.

    It counts only if the package ``through`` is there too.
    """

    name: str
    module: str
    advice: str
    through: str = ""


# Each calls models, by a way or in a format that `watch` does not record.
_PACKAGES = (
    _Package(
        "claude-agent-sdk",
        "claude_agent_sdk",
        "makes its calls in a child process; write the messages that it yields with reel.recording",
    ),
    _Package(
        "google-genai",
        "google.genai",
        "its async calls go through aiohttp; give its client"
        " http_options=HttpOptions(httpx_async_client=httpx.AsyncClient())",
        through="aiohttp",
    ),
    _Package(
        "yandex-ai-studio-sdk",
        "yandex_ai_studio_sdk",
        "sdk.chat is recorded, calls through gRPC are not; pass reel.interceptors() to AIStudio"
        " for assistants and sdk.models.completions",
    ),
)
# Installed for many other reasons, so that it is no warning; what their model calls would be.
_TRANSPORTS = (
    _Package("aiohttp", "aiohttp", "direct requests"),
    _Package("boto3", "boto3", "Bedrock"),
    _Package("websockets", "websockets", "the Realtime API"),
)


def check_packages() -> Check:
    """Check for loaded and installed packages that `watch` does not reach; imports none."""
    transports = [f"{package.name} ({package.advice})" for package in _present(_TRANSPORTS)]
    unless = f"not recorded if used: {', '.join(transports)}" if transports else ""
    found = _present(_PACKAGES)
    if not found:
        return Check(_NAME, OK, unless or "none")
    names = ", ".join(package.name for package in found)
    return Check(
        _NAME,
        WARN,
        "; ".join(filter(None, (f"`watch` does not record all calls of {names}", unless))),
        " ".join(f"{package.name}: {package.advice}." for package in found),
    )


def _present(packages: tuple[_Package, ...]) -> list[_Package]:
    return [
        package
        for package in packages
        if _is_there(package.name, package.module)
        and (not package.through or _is_there(package.through, package.through))
    ]


def _is_there(name: str, module: str) -> bool:
    return module in sys.modules or _is_installed(name)


def _is_installed(name: str) -> bool:
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    return True
