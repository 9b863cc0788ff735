"""Which model names a provider of genai-prices sells, as shell patterns."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genai_prices.types import MatchLogic, ModelInfo

_SPECIAL = re.compile(r"([*?[])")
_REGEX_PART = re.compile(
    r"(?P<digits>\\d)(?:\{(?P<count>\d+)\})?|\\(?P<escaped>[^a-zA-Z0-9])"
    r"|(?P<set>\[[-@A-Za-z0-9]+\])|(?P<plain>[^\\^$.|?*+()\[\]{}])"
)
# Stands for any text that a prefix or a suffix leaves open.
_ANY = "zz"


class Name(NamedTuple):
    """A shell pattern, and a name that it matches."""

    pattern: str
    example: str
    is_exact: bool


def names(model: ModelInfo, own: MatchLogic | None) -> Iterator[Name]:
    """Yield the names of a model, of those that ``own`` accepts; exact names in any case.

    Conditions that are no shell pattern are left out: most regular expressions, and all but the
    plain name of combined conditions.
    """
    if model.is_match(model.id):
        yield from _exact(model.id, own)
    for clause in _alternatives(model.match):
        for one in getattr(clause, "and_", ()):
            name = getattr(one, "starts_with", None)
            if name is not None and clause.is_match(name):
                yield from _exact(name, own)
        for attribute, read in _READERS.items():
            value = getattr(clause, attribute, None)
            if isinstance(value, str):
                yield from read(value, own)


def is_own(own: MatchLogic | None, name: str) -> bool:
    """Return whether the condition is given and holds for this name."""
    return own is not None and own.is_match(name)


def _alternatives(clause: MatchLogic) -> Iterator[MatchLogic]:
    either = getattr(clause, "or_", None)
    if either is None:
        yield clause
    else:
        for one in either:
            yield from _alternatives(one)


def _exact(value: str, _own: MatchLogic | None) -> Iterator[Name]:
    # The package ignores case; services write names as they are listed, or in small letters.
    for name in dict.fromkeys((value, value.lower())):
        yield Name(_escaped(name), name, is_exact=True)


def _starting(value: str, own: MatchLogic | None) -> Iterator[Name]:
    if is_own(own, value + _ANY):
        yield Name(f"{_escaped(value)}*", value + _ANY, is_exact=False)


def _ending(value: str, own: MatchLogic | None) -> Iterator[Name]:
    if is_own(own, _ANY + value):
        yield Name(f"*{_escaped(value)}", _ANY + value, is_exact=False)


def _containing(value: str, own: MatchLogic | None) -> Iterator[Name]:
    if is_own(own, _ANY + value + _ANY):
        yield Name(f"*{_escaped(value)}*", _ANY + value + _ANY, is_exact=False)
    else:
        yield from _starting(value, own)


def _matching(value: str, own: MatchLogic | None) -> Iterator[Name]:
    begin, body, end = value.startswith("^"), value.removeprefix("^"), value.endswith("$")
    body = body.removesuffix("$")
    pattern, example, position = "", "", 0
    while position < len(body):
        part = _REGEX_PART.match(body, position)
        if part is None:
            return
        glob, text = _glob(part)
        pattern, example, position = pattern + glob, example + text, part.end()
    pattern = f"{'' if begin else '*'}{pattern}{'' if end else '*'}"
    if is_own(own, example):
        yield Name(pattern, example, is_exact=False)


def _glob(part: re.Match[str]) -> tuple[str, str]:
    """Return the part of a regular expression as a shell pattern, and a text that it matches."""
    if part["digits"]:
        count = int(part["count"] or 1)
        return "[0-9]" * count, "1" * count
    if part["set"]:
        return part["set"], part["set"][1]
    text = part["escaped"] or part["plain"]
    return _escaped(text), text


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"[\1]", text)


_READERS = {
    "equals": _exact,
    "starts_with": _starting,
    "ends_with": _ending,
    "contains": _containing,
    "regex": _matching,
}
