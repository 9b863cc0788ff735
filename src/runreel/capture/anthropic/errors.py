"""Errors that the anthropic client raises as they are, and does not try again after."""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runreel.model.errors import RecordingError


def pass_through(error: RecordingError) -> RecordingError:
    """Return ``error`` as one that the client, if it is loaded, takes for its own.

    It takes any other error of sending for a failed connection, and sends the request again.
    """
    base = getattr(sys.modules.get("anthropic"), "AnthropicError", None)
    if isinstance(base, type):
        changed: Any = error
        kind: type = type(error)
        changed.__class__ = _own(kind, base)
    return error


@functools.cache
def _own(error_class: type, base: type) -> Any:
    return type(error_class.__name__, (error_class, base), {"__module__": error_class.__module__})
