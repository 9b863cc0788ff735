"""Finds the client of httpx or httpx2 inside of a vendor's client."""

from __future__ import annotations

from typing import Any

from runreel.capture.http import patching
from runreel.model.errors import MissingExtra, UsageError

# Vendors whose endpoints are in `calls.ROUTES`.
_VENDORS = ("openai",)


def http_client(client: Any) -> Any:
    """Return the client that a vendor's client sends its requests with.

    Raises:
        UsageError: if it is not the client of a supported vendor.
        MissingExtra: if its version has another structure.
    """
    packages = {kind.__module__.partition(".")[0] for kind in type(client).__mro__}
    if packages.isdisjoint(_VENDORS) or not hasattr(client, "with_options"):
        raise UsageError(
            f"cannot attach to a {type(client).__name__}",
            hint="Pass a client of openai, such as OpenAI() or AsyncOpenAI(); reel.watch() records"
            " the calls of other programs through httpx.",
        )
    inner = getattr(client, "_client", None)
    if not any(isinstance(inner, kind) for kind in patching.client_classes()):
        import openai

        raise MissingExtra(
            f"cannot attach to a client of openai {openai.__version__}: it does not use httpx",
            hint="pip install 'runreel[openai]': openai 1.66 and later.",
        )
    return inner
