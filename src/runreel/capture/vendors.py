"""The vendors whose clients are recorded, by the package of an object."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from runreel.capture.streams.vendor import Vendor

_MODULES = {
    "openai": "runreel.capture.openai.record",
    "anthropic": "runreel.capture.anthropic.record",
}
NAMES = tuple(_MODULES)


def vendor_of(value: object) -> Vendor | None:
    """Return the vendor of an object of its client, or of a call that is not awaited yet."""
    packages = {kind.__module__.partition(".")[0] for kind in type(value).__mro__}
    code = getattr(value, "cr_code", None)
    for name, module in _MODULES.items():
        if name in packages or (code is not None and name in code.co_filename):
            return cast("Vendor", import_module(module).VENDOR)
    return None
