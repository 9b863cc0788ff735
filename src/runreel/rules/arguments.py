"""Checks of the arguments of public calls: a wrong type is refused in words, before any use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runreel.words.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence


def require(
    call: str, value: Any, type_: type, *, optional: bool = False, hint: str | None = None
) -> None:
    """See that ``value``, an argument of ``call``, has a type; or is None, if ``optional``.

    Raises:
        UsageError: if it has another.
    """
    if isinstance(value, type_) or (optional and value is None):
        return
    raise UsageError(
        f"{call} takes {_a(type_.__name__)}, not {_a(type(value).__name__)}", hint=hint
    )


def several(call: str, value: str | Sequence[str]) -> tuple[str, ...]:
    """The strings of an argument that is one string or several.

    Raises:
        UsageError: if it is neither.
    """
    if isinstance(value, str):
        return (value,)
    if isinstance(value, (list, tuple)) and all(isinstance(text, str) for text in value):
        return tuple(value)
    raise UsageError(f"{call} takes a string or a list of strings, not {_a(type(value).__name__)}")


def _a(name: str) -> str:
    return f"an {name}" if name[0] in "aeiouAEIOU" else f"a {name}"
