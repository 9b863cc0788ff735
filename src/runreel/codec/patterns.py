"""Regular expressions with a time limit: a pattern that takes too long on a text is given up.

``re`` cannot be stopped: it holds the interpreter, and with it every thread, until it has an
answer. ``regex`` can, reads the same syntax and is several times faster.
"""

from __future__ import annotations

import importlib
import re
from typing import Any

from runreel.model.errors import MissingExtra

Spans = list[tuple[int, int]]

_FLAGS = ("IGNORECASE", "MULTILINE", "DOTALL", "VERBOSE", "ASCII")
# A brace that begins no count is itself to re; regex would take some for its approximate matching.
_BRACES = re.compile(r"(\\N\{[^}]*\}|\\.)|\{(?!(?:\d+(?:,\d*)?|,\d*)\})", re.DOTALL)


class TooSlow(Exception):
    """A pattern had no answer within its time."""

    def __init__(self, pattern: str, seconds: float) -> None:
        super().__init__(f"the pattern {pattern!r} has no result after {seconds:g} s")


class Pattern:
    """A pattern in the syntax of ``re``.

    ``trusted`` is a pattern of ours, whose time grows with the text and no faster: it does without
    ``regex`` where that is not installed.

    Raises:
        re.error, TypeError: if it is no pattern for text.
        MissingExtra: if ``regex`` is needed and not installed.
    """

    def __init__(self, pattern: str | re.Pattern[str], *, trusted: bool = False) -> None:
        compiled = re.compile(pattern)
        if not isinstance(compiled.pattern, str):
            raise TypeError("a pattern for bytes finds nothing in text")
        self.text = compiled.pattern
        self._limited = True
        try:
            self._compiled: Any = _compiled(compiled)
        except MissingExtra:
            if not trusted:
                raise
            self._compiled, self._limited = compiled, False

    def spans(self, text: str, seconds: float, start: int = 0) -> Spans:
        """Where it matches in ``text``, from ``start`` on, empty matches too.

        Raises:
            TooSlow: if it has no answer after so many seconds.
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
            "patterns need the package regex, which can stop one that takes too long",
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
