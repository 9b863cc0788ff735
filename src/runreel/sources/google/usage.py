"""Token counts of the Gemini API."""

from __future__ import annotations

from runreel.codec.token_counts import NOT_UNDERSTOOD, Tally, count
from runreel.model.results import MAX_COUNT, UsageDetails

_INPUT = ("promptTokenCount", "toolUsePromptTokenCount")
_COMPLETION = ("candidatesTokenCount", "thoughtsTokenCount")


def tally(value: object) -> Tally | None:
    """The counts in ``usageMetadata``, of which zeros are left out; None without any.

    The prompt includes what was read from a cache; the answer includes the reasoning.
    """
    if value is None or value == {}:
        return None
    if not isinstance(value, dict):
        return NOT_UNDERSTOOD
    given, made = _sum(value, _INPUT), _sum(value, _COMPLETION)
    if given is None or made is None:
        return NOT_UNDERSTOOD
    total = count(value["totalTokenCount"]) if "totalTokenCount" in value else given + made
    if total is None or max(given, made, total) > MAX_COUNT:
        return NOT_UNDERSTOOD
    return Tally(given, made, total)


def details(value: object) -> UsageDetails | None:
    """The cached and the reasoning tokens in ``usageMetadata``; None if it has none."""
    if not isinstance(value, dict):
        return None
    cached = count(value.get("cachedContentTokenCount"))
    thought = count(value.get("thoughtsTokenCount"))
    return None if cached is thought is None else UsageDetails(cached, thought)


def _sum(value: dict[str, object], keys: tuple[str, ...]) -> int | None:
    """The sum of the counts under ``keys``, of which any may be missing; None if one is invalid."""
    counts = [count(value[key]) for key in keys if key in value]
    return None if None in counts else sum(number for number in counts if number is not None)
