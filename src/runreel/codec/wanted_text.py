"""What a search looks for: a text or a pattern, with or without regard to case."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runreel.codec import case_folding
from runreel.codec.patterns import Pattern
from runreel.codec.text_search import SECONDS
from runreel.model.errors import UsageError

if TYPE_CHECKING:
    from runreel.codec.patterns import Spans


class WantedText:
    """A text to search for, or a regular expression.

    ``folded`` is what every text with an occurrence contains after case folding; None for a
    pattern.

    Raises:
        UsageError: if it is empty, or no valid pattern.
        MissingExtra: if it is a pattern and the package ``regex`` is not installed.
    """

    def __init__(self, text: str, *, regex: bool = False, case: bool = False) -> None:
        if not text:
            raise UsageError("the text to search for is empty")
        self._text = text
        self._case = case
        self._pattern = _pattern(text, case=case) if regex else None
        self.folded = None if regex else case_folding.fold(text)

    def spans(self, text: str) -> Spans:
        """Return the spans of all occurrences, in order; none of them is empty or overlaps another.

        Raises:
            TooSlow: if a pattern takes longer than two seconds.
        """
        if self._pattern is not None:
            return [span for span in self._pattern.spans(text, SECONDS) if span[0] < span[1]]
        find = case_folding.exact_spans if self._case else case_folding.spans
        return list(find(text, self._text))


def _pattern(text: str, *, case: bool) -> Pattern:
    try:
        return Pattern(re.compile(text, 0 if case else re.IGNORECASE))
    except (re.error, RecursionError, OverflowError) as error:
        raise UsageError(f"invalid pattern {text!r}: {error}") from None
