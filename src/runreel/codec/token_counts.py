"""The one reader of token counts, for every source: understood as a whole, or not at all."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from runreel.model.results import MAX_COUNT, UsageDetails
from runreel.model.results import usage as usage_of

if TYPE_CHECKING:
    from runreel.model.results import Usage

# How a source without a count spells it; JSON has no such value.
_ABSENT: Final = object()
_BAD: Final = object()
# int() would take digits of other scripts, underscores and white space.
_int64 = re.compile(r"[0-9]{1,19}").fullmatch


class Tally(NamedTuple):
    """Token counts to add up; ``unread`` counts the reports among them that are not understood.

    A difference of two tallies may be negative.
    """

    input_text_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    unread: int = 0

    @property
    def usage(self) -> Usage | None:
        """The usage, None where a part of it is not understood or out of bounds."""
        counts = self[:3]
        if self.unread or min(counts) < 0 or max(counts) > MAX_COUNT:
            return None
        return usage_of(self.input_text_tokens, self.total_tokens, self.completion_tokens)

    def plus(self, more: Tally | None) -> Tally:
        """Both together."""
        if more is None:
            return self
        return Tally._make(one + other for one, other in zip(self, more, strict=True))

    def minus(self, before: Tally | None) -> Tally:
        """What is to be added to ``before`` to reach this tally."""
        if before is None:
            return self
        return Tally._make(one - other for one, other in zip(self, before, strict=True))


NOT_UNDERSTOOD = Tally(unread=1)


class UsageKeys(NamedTuple):
    """The keys of a source's usage object; each of a tuple means the same.

    ``cached`` are counts that come on top of the key ``input_tokens``. ``proto`` is proto JSON,
    which leaves out zeros and writes an int64 as a string.
    """

    input: tuple[str, ...]
    completion: tuple[str, ...]
    total: tuple[str, ...] = ("total_tokens",)
    cached: tuple[str, ...] = ()
    proto: bool = False


# runreel's own names, OpenAI's of both interfaces, Anthropic's.
PLAIN = UsageKeys(
    input=("input_text_tokens", "prompt_tokens", "input_tokens"),
    completion=("completion_tokens", "output_tokens"),
    cached=("cache_creation_input_tokens", "cache_read_input_tokens"),
)
CHAT = UsageKeys(("prompt_tokens",), ("completion_tokens",))
RESPONSES = UsageKeys(("input_tokens",), ("output_tokens",))
YANDEX = UsageKeys(
    input=("promptTokens", "prompt_tokens"),
    completion=("completionTokens", "completion_tokens"),
    total=("totalTokens", "total_tokens"),
    proto=True,
)


def tally(usage: Usage | None) -> Tally | None:
    """The counts of a usage, to add others to them."""
    if usage is None:
        return None
    return Tally(usage.input_text_tokens, usage.completion_tokens, usage.total_tokens)


def read(value: Any, names: UsageKeys) -> Tally | None:
    """The counts of a usage object; ``NOT_UNDERSTOOD``, or None where it reports none.

    Whole floats are integers; a total that is left out is the sum of the two others. A part that
    is null, left out, negative, over 2^63-1, a fraction, a boolean or a string makes all of it not
    understood.
    """
    if value is None or (value == {} and not names.proto):
        return None
    if not isinstance(value, dict):
        return NOT_UNDERSTOOD
    parts = [_part(value, keys, proto=names.proto) for keys in names[:3]]
    if None in parts and {None, _ABSENT}.issuperset(parts):
        return None
    absent = parts.count(_ABSENT)
    if names.proto and absent and (not value or absent < len(parts)):
        parts = [0 if part is _ABSENT else part for part in parts]
    given, made, total = parts
    if names.cached and type(given) is int and value.get("input_tokens") is not None:
        given = _with_cached(value, given, names.cached)
    understood = type(given) is int and type(made) is int
    if understood and total is _ABSENT:
        total = given + made
    if not understood or type(total) is not int or max(given, total) > MAX_COUNT:
        return NOT_UNDERSTOOD
    return Tally(given, made, total)


def count(value: Any, *, proto: bool = False) -> int | None:
    """A count of tokens; None where it is none. In ``proto`` JSON it may be a string."""
    digits = proto and type(value) is str and _int64(value)
    if digits or (type(value) is float and value.is_integer()):
        value = int(value)
    return value if type(value) is int and 0 <= value <= MAX_COUNT else None


def merge_details(known: UsageDetails | None, more: UsageDetails) -> UsageDetails:
    """The details of two usages; what one of them does not report is that of the other."""
    if known is None:
        return more
    return UsageDetails(
        _sum(known.cached_tokens, more.cached_tokens),
        _sum(known.reasoning_tokens, more.reasoning_tokens),
    )


def _part(value: dict[str, Any], keys: tuple[str, ...], *, proto: bool) -> Any:
    """The count under any of ``keys``: an integer, None for null, ``_ABSENT`` or ``_BAD``."""
    found: Any = _ABSENT
    for key in keys:
        if key not in value:
            continue
        told = value[key]
        if told is not None:
            number = count(told, proto=proto)
            told = _BAD if number is None else number
        if found is _ABSENT or found is None:
            found = told
        elif told is not None and told != found:
            found = _BAD
    return found


def _with_cached(value: dict[str, Any], given: int, keys: tuple[str, ...]) -> Any:
    cached = [count(value[key]) for key in keys if value.get(key) is not None]
    return _BAD if None in cached else given + sum(number for number in cached if number)


def _sum(one: int | None, other: int | None) -> int | None:
    if one is None:
        return other
    return one if other is None else one + other
