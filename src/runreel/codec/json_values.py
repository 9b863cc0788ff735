"""Typed access to parsed JSON: what has another type than expected counts as missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.codec import json_text

if TYPE_CHECKING:
    from collections.abc import Mapping


def as_object(value: object) -> dict[str, object]:
    """Return ``value`` if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[object]:
    """Return ``value`` if it is a JSON array, else an empty one."""
    return value if isinstance(value, list) else []


def as_text(value: object) -> str | None:
    """Return ``value`` if it is a string, else None."""
    return value if isinstance(value, str) else None


def as_labels(value: object) -> dict[str, str] | None:
    """Return the labels in a JSON object, or None for any other value.

    A label that is not a string is formatted as JSON; null labels are omitted.

    Raises:
        BadValue: if a label is not a JSON value.
    """
    if not isinstance(value, dict):
        return None
    return {str(key): _label(label) for key, label in value.items() if label is not None}


def text_in(value: Mapping[str, object], key: str) -> str | None:
    """Return the string under ``key``; None if it is empty or not a string."""
    text = value.get(key)
    return text if isinstance(text, str) and text else None


def object_in(value: Mapping[str, object], key: str) -> dict[str, object]:
    """Return the JSON object under ``key``, else an empty one."""
    found = value.get(key)
    return found if isinstance(found, dict) else {}


def objects_in(value: Mapping[str, object], key: str) -> list[dict[str, object]]:
    """Return the items of the array under ``key``; an item that is not an object is empty."""
    return [as_object(item) for item in as_list(value.get(key))]


def number_in(value: Mapping[str, object], key: str) -> int:
    """Return the integer under ``key``, else 0."""
    number = value.get(key)
    return number if type(number) is int else 0


def _label(value: object) -> str:
    return value if isinstance(value, str) else json_text.dumps(value)
