r"""What must never be stored: masked in every string of an event before the log sees it.

A pattern is held against what a stream has said so far, so that a secret that comes in pieces is
found as soon as the pattern matches: patterns that match from the first characters on (``sk-\S*``
rather than ``sk-\S{20}``) leave nothing of it. A pattern that takes too long on a string is given
up there, and the string is masked as a whole.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from runreel.codec.masks import mask_text
from runreel.codec.patterns import Pattern, Spans, TooSlow
from runreel.model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    SecretPattern = str | re.Pattern[str] | Callable[[str], str]

# Keys and tokens as the services spell them that hand them out.
SECRETS = "secrets"
_SECRETS = (
    r"\bsk-[\w-]*",  # OpenAI and those that speak its API
    r"\bAQVN[\w-]*",  # an API key of Yandex Cloud
    r"\bt1\.[\w-]{3,}[\w.=-]*",  # an IAM token of it
    r"\by[0-3]__[\w-]*",  # an OAuth token of Yandex
    r"\bAKIA[0-9A-Z]*",  # AWS
    r"\bgh[pousr]_\w*|\bgithub_pat_\w*",
    r"\bxox[abeoprs]-[\w-]*",  # Slack
    r"\bAIza[\w-]*",  # Google
    r"\beyJ[\w-]{5,}+(?:\.[\w-]*+){0,4}",  # JSON web tokens
    r"(?i:\b(?:bearer|api-key|basic)\s+)[\w.~+/=-]{6,}",
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*(?:-----END [A-Z ]*PRIVATE KEY-----)?",
)
# Seconds for one pattern and one string, and once one has taken longer.
SECONDS = 0.5
SECONDS_AFTER_TIMEOUT = 0.05
# How far back a match may begin that ends in the piece that came last.
_REACH = 4_000
_NAMES = ("type", "item_id", "output_index", "content_index", "index")


class SecretFilter:
    """The rules: names of built-in patterns (``secrets``), patterns, and functions of a string.

    Raises:
        UsageError: if one is none of these.
        MissingExtra: if one is a pattern and ``regex`` is not installed.
    """

    def __init__(self, rules: Iterable[SecretPattern]) -> None:
        self._patterns: list[Pattern] = []
        self._functions: list[Callable[[str], str]] = []
        for rule in rules:
            if callable(rule):
                self._functions.append(rule)
            else:
                self._patterns.append(_pattern(rule))

    def __bool__(self) -> bool:
        return bool(self._patterns or self._functions)

    def spans(self, text: str, seconds: float) -> Spans:
        """What the patterns match, in no order.

        Raises:
            TooSlow: if one takes longer than so many seconds.
        """
        return [span for pattern in self._patterns for span in pattern.spans(text, seconds)]

    def apply_functions(self, text: str) -> str:
        """What the functions make of a string, one after the other."""
        for function in self._functions:
            text = function(text)
        return text


class StreamSecretFilter:
    """Applies the rules to one run's values in their order; ``hits`` counts what was masked.

    ``report`` is called with what to say when a pattern first takes too long.
    """

    def __init__(self, masking: SecretFilter, report: Callable[[str], None]) -> None:
        self._masking = masking
        self._report = report
        self._seconds = SECONDS
        self._tails: dict[tuple[Any, ...], str] = {}
        self.masked_count = 0

    def apply(self, value: Any) -> Any:
        """``value`` as it may be stored; the value itself is left as it is."""
        return self._walk(value, (), ())

    def _walk(self, value: Any, path: tuple[str, ...], names: tuple[Any, ...]) -> Any:
        match value:
            case str():
                # Only what comes piece by piece goes on where the piece before it ended.
                return self._string(value, (path, names) if "delta" in path else None)
            case dict():
                names = (*names, *(str(value.get(name)) for name in _NAMES if name in value))
                return {key: self._walk(item, (*path, key), names) for key, item in value.items()}
            case list() | tuple():
                return [self._walk(item, path, names) for item in value]
        return value

    def _string(self, text: str, stream: tuple[Any, ...] | None) -> str:
        before = "" if stream is None else self._tails.get(stream, "")
        whole, begin = before + text, len(before)
        if stream is not None:
            self._tails[stream] = whole[-_REACH:]
        spans = [(max(a, begin) - begin, b - begin) for a, b in self._spans(whole)]
        spans = [span for span in spans if span[0] < span[1]]
        told = self._masking.apply_functions(mask_text(text, spans))
        self.masked_count += len(spans) or int(told != text)
        return told

    def _spans(self, text: str) -> Spans:
        try:
            return self._masking.spans(text, self._seconds)
        except TooSlow as slow:
            if self._seconds > SECONDS_AFTER_TIMEOUT:
                self._report(str(slow))
            # A recording goes on: with less patience, and without what may be a secret.
            self._seconds = SECONDS_AFTER_TIMEOUT
            return [(0, len(text))]


def _pattern(rule: str | re.Pattern[str]) -> Pattern:
    if rule == SECRETS:
        return Pattern("|".join(_SECRETS), trusted=True)
    try:
        return Pattern(rule)
    except (re.error, TypeError) as error:
        raise UsageError(f"{rule!r} is no pattern to mask: {error}") from None
