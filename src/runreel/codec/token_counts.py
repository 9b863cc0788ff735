"""Parser of token counts for all sources; a usage object is valid as a whole or not at all."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from runreel.model.results import MAX_COUNT, UsageDetails
from runreel.model.results import usage as usage_of

if TYPE_CHECKING:
    from runreel.model.results import Usage

# Markers of a missing and of an invalid count.
_ABSENT: object = object()
_BAD: object = object()
# int() would also accept digits of other scripts, underscores and white space.
_int64 = re.compile(r"[0-9]{1,19}").fullmatch


class Tally(NamedTuple):
    """A sum of token counts; ``unread`` is the number of reports in it that were not understood.

    The difference of two tallies may be negative.
    """

    input_text_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    unread: int = 0

    @property
    def usage(self) -> Usage | None:
        """The usage; None if a report was not understood or a count is out of range."""
        counts = self[:3]
        if self.unread or min(counts) < 0 or max(counts) > MAX_COUNT:
            return None
        return usage_of(self.input_text_tokens, self.total_tokens, self.completion_tokens)

    def plus(self, more: Tally | None) -> Tally:
        """Return the sum of both."""
        if more is None:
            return self
        return Tally._make(one + other for one, other in zip(self, more, strict=True))

    def minus(self, before: Tally | None) -> Tally:
        """Return the difference of this tally and ``before``."""
        if before is None:
            return self
        return Tally._make(one - other for one, other in zip(self, before, strict=True))


NOT_UNDERSTOOD = Tally(unread=1)


class UsageKeys(NamedTuple):
    """The keys of a source's usage object; the keys of one tuple are synonyms.

    ``cached`` counts are added to that under ``input_tokens``. ``proto`` means proto JSON, which
    omits zeros and writes an int64 as a string.
    """

    input: tuple[str, ...]
    completion: tuple[str, ...]
    total: tuple[str, ...] = ("total_tokens",)
    cached: tuple[str, ...] = ()
    proto: bool = False


# Keys of details in the usage object itself, as several servers send them.
_CACHED = ("cached_tokens", "cache_read_input_tokens", "prompt_cache_hit_tokens")
_WRITTEN = ("cache_write_tokens", "cache_creation_tokens", "cache_creation_input_tokens")
_REASONING = ("reasoning_tokens",)

# runreel's own names, OpenAI's of both interfaces, Anthropic's.
PLAIN = UsageKeys(
    input=("input_text_tokens", "prompt_tokens", "input_tokens"),
    completion=("completion_tokens", "output_tokens"),
    cached=("cache_creation_input_tokens", "cache_read_input_tokens"),
)
CHAT = UsageKeys(("prompt_tokens",), ("completion_tokens",))
RESPONSES = UsageKeys(("input_tokens",), ("output_tokens",))
MESSAGES = UsageKeys(("input_tokens",), ("output_tokens",), cached=PLAIN.cached)
YANDEX = UsageKeys(
    input=("promptTokens", "prompt_tokens"),
    completion=("completionTokens", "completion_tokens"),
    total=("totalTokens", "total_tokens"),
    proto=True,
)

YANDEX_COMPLETIONS = UsageKeys(
    input=("inputTextTokens", "input_text_tokens"),
    completion=YANDEX.completion,
    total=YANDEX.total,
    proto=True,
)


def tally(usage: Usage | None) -> Tally | None:
    """Convert a usage to a tally."""
    if usage is None:
        return None
    return Tally(usage.input_text_tokens, usage.completion_tokens, usage.total_tokens)


def read(value: object, names: UsageKeys) -> Tally | None:
    """Parse a usage object to a tally, ``NOT_UNDERSTOOD``, or None if it reports no usage.

    A float without a fraction is accepted as an integer; a missing total is the sum of the others.
    The whole object is not understood if a count is null, missing, negative, over 2^63-1, a
    fraction, a boolean or a string.
    """
    if value is None or (value == {} and not names.proto):
        return None
    if not isinstance(value, dict):
        return NOT_UNDERSTOOD
    counts = [_part(value, keys, proto=names.proto) for keys in names[:3]]
    if None in counts and {None, _ABSENT}.issuperset(counts):
        return None
    if names.proto and (not value or counts != [_ABSENT] * 3):
        counts = list(map(_or_zero, counts))
    given, completion, total = counts
    return _tally(given, completion, total, _cached(value, names.cached))


def _or_zero(counted: object) -> object:
    return 0 if counted is _ABSENT else counted


def _tally(given: object, completion: object, total: object, cached: int | None) -> Tally:
    if type(given) is not int or type(completion) is not int or cached is None:
        return NOT_UNDERSTOOD
    given += cached
    if total is _ABSENT:
        total = given + completion
    if type(total) is not int or max(given, total) > MAX_COUNT:
        return NOT_UNDERSTOOD
    return Tally(given, completion, total)


def count(value: object, *, proto: bool = False) -> int | None:
    """Return ``value`` as a token count, or None if it is not one; ``proto`` allows a string."""
    if isinstance(value, str):
        value = int(value) if proto and _int64(value) else None
    elif isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 <= value <= MAX_COUNT else None


def details(value: object, names: UsageKeys) -> UsageDetails | None:
    """Return the details of a usage object, None if it has none; ``names`` are those of its counts.

    A count that is not valid is left out.
    """
    if not isinstance(value, dict) or _detail_keys(names).isdisjoint(value):
        return None
    given = _inner(value, names.input)
    made = _inner(value, names.completion)
    cached = _first(given, ("cached_tokens",)) or _first(value, _CACHED)
    written = _first(given, _WRITTEN) or _first(value, _WRITTEN)
    thought = _first(made, _REASONING) or _first(value, _REASONING)
    if cached is written is thought is None:
        return None
    return UsageDetails(*(found and found[0] for found in (cached, thought, written)))


@cache
def _detail_keys(names: UsageKeys) -> frozenset[str]:
    """Return the keys of a usage object that may have details."""
    objects = (f"{key}_details" for key in (*names.input, *names.completion))
    return frozenset((*objects, *_CACHED, *_WRITTEN, *_REASONING))


def merge_details(known: UsageDetails | None, more: UsageDetails) -> UsageDetails:
    """Add the details of two usages; a detail that one does not report is taken from the other."""
    if known is None:
        return more
    return UsageDetails(
        _add(known.cached_tokens, more.cached_tokens),
        _add(known.reasoning_tokens, more.reasoning_tokens),
        _add(known.cache_write_tokens, more.cache_write_tokens),
    )


def _part(value: dict[str, object], keys: tuple[str, ...], *, proto: bool) -> object:
    """Return the count under any of ``keys``: an integer, None for null, ``_ABSENT`` or ``_BAD``.

    Keys with different counts make it ``_BAD``.
    """
    found = _ABSENT
    for key in keys:
        if key not in value:
            continue
        part = value[key]
        if part is not None:
            number = count(part, proto=proto)
            part = _BAD if number is None else number
        if found is _ABSENT or found is None:
            found = part
        elif part is not None and part != found:
            found = _BAD
    return found


def _cached(value: dict[str, object], keys: tuple[str, ...]) -> int | None:
    """Return the counts to add to ``input_tokens``, 0 without it; None if one is invalid."""
    if value.get("input_tokens") is None:
        return 0
    counts = [count(value[key]) for key in keys if value.get(key) is not None]
    return None if None in counts else sum(number for number in counts if number)


def _inner(value: dict[str, object], keys: tuple[str, ...]) -> dict[str, object]:
    """Return the object with the details of the counts under ``keys``, empty without one."""
    found = (value.get(f"{key}_details") for key in keys)
    return next((inner for inner in found if isinstance(inner, dict)), {})


def _first(value: dict[str, object], keys: tuple[str, ...]) -> tuple[int] | None:
    """Return the first valid count under ``keys``, in a tuple, as it may be 0; None without one."""
    counts = (count(value.get(key)) for key in keys)
    return next(((number,) for number in counts if number is not None), None)


def _add(one: int | None, other: int | None) -> int | None:
    if one is None:
        return other
    return one if other is None else one + other
