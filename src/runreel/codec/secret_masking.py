r"""Masking of secrets in every string of an event before it is stored.

A pattern is applied to the recent text of a stream, so that a secret split over several deltas is
found as soon as the pattern matches. Patterns that match from the first characters on (``sk-\S*``
rather than ``sk-\S{20}``) leave nothing of it. If a pattern exceeds its time limit on a string, the
whole string is masked.
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

# Name of the built-in patterns: keys and tokens in the formats of their services.
SECRETS = "secrets"
_SECRETS = (
    r"\bsk-[\w-]*",  # OpenAI and services with its API
    r"\bAQVN[\w-]*",  # an API key of Yandex Cloud
    r"\bt1\.[\w-]{3,}[\w.=-]*",  # an IAM token of Yandex Cloud
    r"\by[0-3]__[\w-]*",  # an OAuth token of Yandex
    r"\bAKIA[0-9A-Z]*",  # AWS
    r"\bgh[pousr]_\w*|\bgithub_pat_\w*",
    r"\bxox[abeoprs]-[\w-]*",  # Slack
    r"\bAIza[\w-]*",  # Google
    r"\beyJ[\w-]{5,}+(?:\.[\w-]*+){0,4}",  # JSON web tokens
    r"(?i:\b(?:bearer|api-key|basic)\s+)[\w.~+/=-]{6,}",
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*(?:-----END [A-Z ]*PRIVATE KEY-----)?",
)
# Time limit in seconds for one pattern and one string; shorter after the first timeout.
SECONDS = 0.5
SECONDS_AFTER_TIMEOUT = 0.05
# Maximum number of characters of earlier deltas that a match may include.
_MAX_REACH = 4_000
_STREAM_KEYS = ("type", "item_id", "output_index", "content_index", "index")


class SecretFilter:
    """Masking rules: names of built-in patterns (``secrets``), patterns, and string functions.

    Raises:
        UsageError: if a rule is invalid.
        MissingExtra: if a rule is a pattern and ``regex`` is not installed.
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
        """Return the spans of all matches, unordered.

        Raises:
            TooSlow: if a pattern takes longer than ``seconds``.
        """
        return [span for pattern in self._patterns for span in pattern.spans(text, seconds)]

    def apply_functions(self, text: str) -> str:
        """Apply the functions to a string, one after the other."""
        for function in self._functions:
            text = function(text)
        return text


class StreamSecretFilter:
    """Applies the rules to the values of one run in order; counts them in ``masked_count``.

    ``report`` is called with a message when a pattern first exceeds its time limit.
    """

    def __init__(self, secret_filter: SecretFilter, report: Callable[[str], None]) -> None:
        self._filter = secret_filter
        self._report = report
        self._seconds = SECONDS
        self._tails: dict[tuple[Any, ...], str] = {}
        self.masked_count = 0

    def apply(self, value: Any) -> Any:
        """Return a masked copy of ``value``."""
        return self._walk(value, (), ())

    def _walk(self, value: Any, path: tuple[str, ...], names: tuple[Any, ...]) -> Any:
        match value:
            case str():
                # Only deltas continue the text of earlier events.
                return self._string(value, (path, names) if "delta" in path else None)
            case dict():
                names = (*names, *(str(value.get(name)) for name in _STREAM_KEYS if name in value))
                return {key: self._walk(item, (*path, key), names) for key, item in value.items()}
            case list() | tuple():
                return [self._walk(item, path, names) for item in value]
        return value

    def _string(self, text: str, stream: tuple[Any, ...] | None) -> str:
        before = "" if stream is None else self._tails.get(stream, "")
        whole, begin = before + text, len(before)
        if stream is not None:
            self._tails[stream] = whole[-_MAX_REACH:]
        spans = [(max(a, begin) - begin, b - begin) for a, b in self._spans(whole)]
        spans = [span for span in spans if span[0] < span[1]]
        masked = self._filter.apply_functions(mask_text(text, spans))
        self.masked_count += len(spans) or int(masked != text)
        return masked

    def _spans(self, text: str) -> Spans:
        try:
            return self._filter.spans(text, self._seconds)
        except TooSlow as slow:
            if self._seconds > SECONDS_AFTER_TIMEOUT:
                self._report(str(slow))
            # The recording continues with a shorter limit; the string may hold a secret.
            self._seconds = SECONDS_AFTER_TIMEOUT
            return [(0, len(text))]


def _pattern(rule: str | re.Pattern[str]) -> Pattern:
    if rule == SECRETS:
        return Pattern("|".join(_SECRETS), trusted=True)
    try:
        pattern = Pattern(rule)
    except (re.error, TypeError) as error:
        raise UsageError(f"invalid mask pattern {rule!r}: {error}") from None
    if not pattern.text:
        # Such as a variable of a shell that is not set.
        raise UsageError("a mask pattern is empty: it would mask nothing")
    return pattern
