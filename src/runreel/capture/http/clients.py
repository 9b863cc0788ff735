"""Finds the client of httpx or httpx2 inside of a vendor's client."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from runreel.capture.http import patching
from runreel.capture.streams.sse_tap import OLDEST
from runreel.model.errors import MissingExtra, UsageError

# The classes of clients, without "Async", whose calls go to an endpoint in `calls.ROUTES`.
_CLIENTS = {"openai": "OpenAI", "anthropic": "Anthropic"}


def http_client(client: Any) -> Any:
    """Return the client that a vendor's client sends its requests with.

    Raises:
        UsageError: if it is not the client of a supported vendor.
        MissingExtra: if its version has another structure.
    """
    vendor = _vendor_of(client)
    if vendor is None or not hasattr(client, "with_options"):
        raise UsageError(
            f"cannot attach to a {type(client).__name__}",
            hint="Pass a client of openai or anthropic, such as OpenAI() or AsyncAnthropic();"
            " reel.watch() records the calls of other programs through httpx.",
        )
    inner = getattr(client, "_client", None)
    if not any(isinstance(inner, kind) for kind in patching.client_classes()):
        version = getattr(import_module(vendor), "__version__", "")
        raise MissingExtra(
            f"cannot attach to a client of {vendor} {version}: it does not use httpx",
            hint=f"pip install 'runreel[{vendor}]': {vendor} {OLDEST[vendor]} and later.",
        )
    return inner


def _vendor_of(client: Any) -> str | None:
    """The package of a client, None if it is no client whose calls are recorded."""
    for kind in type(client).__mro__:
        package = kind.__module__.partition(".")[0]
        if kind.__name__.removeprefix("Async") == _CLIENTS.get(package):
            return package
    return None
