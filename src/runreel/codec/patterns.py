"""Regular expressions with a time limit.

``re`` cannot be interrupted: it blocks the interpreter and all threads until it returns. ``regex``
supports timeouts, accepts the same syntax and is several times faster.
"""

from __future__ import annotations

import importlib
import re
from typing import Any

from runreel.model.errors import MissingExtra

Spans = list[tuple[int, int]]

_FLAGS = ("IGNORECASE", "MULTILINE", "DOTALL", "VERBOSE", "ASCII")
# re reads a brace that begins no count literally; regex reads some as approximate matching.
_BRACES = re.compile(r"(\\N\{[^}]*\}|\\.)|\{(?!(?:\d+(?:,\d*)?|,\d*)\})", re.DOTALL)


class TooSlow(Exception):
    """A pattern exceeded its time limit."""

    def __init__(self, pattern: str, seconds: float) -> None:
        super().__init__(f"pattern {pattern!r} exceeded the limit of {seconds:g} s")


class Pattern:
    """A pattern in the syntax of ``re``.

    ``trusted`` marks a built-in pattern that runs in linear time; it falls back to ``re`` if
    ``regex`` is not installed.

    Raises:
        re.error: if the syntax is invalid.
        TypeError: if it is a pattern for bytes.
        MissingExtra: if ``regex`` is needed and not installed.
    """

    def __init__(self, pattern: str | re.Pattern[str], *, trusted: bool = False) -> None:
        compiled = re.compile(pattern)
        if not isinstance(compiled.pattern, str):
            raise TypeError("a bytes pattern cannot be used on text")
        self.text = compiled.pattern
        self._limited = True
        try:
            self._compiled: Any = _compiled(compiled)
        except MissingExtra:
            if not trusted:
                raise
            self._compiled, self._limited = compiled, False

    def spans(self, text: str, seconds: float, start: int = 0) -> Spans:
        """Return the spans of all matches from ``start`` on, including empty ones.

        Raises:
            TooSlow: if it takes longer than ``seconds``.
        """
        limit = {"timeout": seconds} if self._limited else {}
        try:
            return [match.span() for match in [*self._compiled.finditer(text, start, **limit)]]
        except TimeoutError:
            raise TooSlow(self.text, seconds) from None


def _compiled(pattern: re.Pattern[str]) -> Any:
    try:
        regex: Any = importlib.import_module("regex")
    except ImportError:
        raise MissingExtra(
            "patterns need the package regex, which supports time limits",
            hint="pip install 'runreel[patterns]'",
        ) from None
    flags = regex.VERSION0
    for name in _FLAGS:
        if pattern.flags & getattr(re, name):
            flags |= getattr(regex, name)
    try:
        return regex.compile(_BRACES.sub(lambda match: match[1] or r"\{", pattern.pattern), flags)
    except regex.error as error:
        raise re.error(str(error), pattern.pattern) from None
