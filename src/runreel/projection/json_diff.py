"""The differences of two JSON values, by JSON pointers (RFC 6901)."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from runreel.codec.json_text import sorted_bytes
from runreel.model.run_diff import ADDED, CHANGED, REMOVED, ValueChange

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

K = TypeVar("K", str, int)


def value_changes(a: object, b: object, pointer: str = "") -> Iterator[ValueChange]:
    """Yield the differences of two JSON values; 1, 1.0 and true differ.

    Items of lists are compared by their numbers.
    """
    if isinstance(a, dict) and isinstance(b, dict):
        for key in dict.fromkeys((*a, *b)):
            yield from _member(a, b, key, f"{pointer}/{_escaped(str(key))}")
    elif isinstance(a, list) and isinstance(b, list):
        items_a, items_b = dict(enumerate(a)), dict(enumerate(b))
        for number in range(max(len(a), len(b))):
            yield from _member(items_a, items_b, number, f"{pointer}/{number}")
    elif type(a) is not type(b) or sorted_bytes(a) != sorted_bytes(b):
        yield ValueChange(pointer, CHANGED, a, b)


def _member(
    a: Mapping[K, object], b: Mapping[K, object], key: K, pointer: str
) -> Iterator[ValueChange]:
    if key not in b:
        yield ValueChange(pointer, REMOVED, a[key], None)
    elif key not in a:
        yield ValueChange(pointer, ADDED, None, b[key])
    else:
        yield from value_changes(a[key], b[key], pointer)


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
