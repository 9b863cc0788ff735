"""Access to proto3 JSON, where a field has two names and an int64 may be a string."""

from __future__ import annotations

import re

from runreel.codec.json_values import as_object

_capital = re.compile(r"[A-Z]")
# int() also accepts digits of other scripts, underscores and white space.
_int64 = re.compile(r"-?[0-9]{1,19}").fullmatch


def get(value: dict[str, object], name: str) -> object:
    """The field by its lowerCamelCase name or its original proto name; None if absent."""
    found = value.get(name)
    return value.get(_originals[name]) if found is None else found


def has(value: dict[str, object], name: str) -> bool:
    """Whether the field is present under either name."""
    return name in value or _originals[name] in value


def original(name: str) -> str:
    """The name of a field in its proto: ``created_at`` for ``createdAt``."""
    return _originals[name]


class _Originals(dict[str, str]):
    """The original names of the fields that were asked for, which are few."""

    def __missing__(self, name: str) -> str:
        self[name] = _capital.sub(lambda capital: f"_{capital[0].lower()}", name)
        return self[name]


# A dictionary takes half the time of a cached function, and an event has many fields.
_originals = _Originals()


def spellings(*names: str) -> frozenset[str]:
    """Both names of each of these lowerCamelCase fields."""
    return frozenset((*names, *map(original, names)))


def mapping(value: dict[str, object], name: str) -> dict[str, object]:
    """A message or map field; empty if it is not an object."""
    found = value.get(name)
    if found is None:
        found = value.get(_originals[name])
    return found if isinstance(found, dict) else {}


def repeated(value: dict[str, object], name: str) -> list[dict[str, object]]:
    """A repeated message field; empty if it is not a list."""
    found = get(value, name)
    return [as_object(item) for item in found] if isinstance(found, list) else []


def string(value: dict[str, object], name: str) -> str | None:
    """A string field; None if it is not a string, or empty, which proto JSON may omit."""
    text = get(value, name)
    return text if isinstance(text, str) and text else None


def integer(value: object) -> int | None:
    """An int64, given as a number or a string of digits; None for anything else."""
    if isinstance(value, str):
        value = int(value) if _int64(value) else None
    elif type(value) is float and value.is_integer():
        value = int(value)
    return value if type(value) is int and -(2**63) <= value < 2**63 else None
