"""Checked fields of the objects in price books and files of exchange rates."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, TypeVar

from runreel.model.timestamps import from_micros, micros
from runreel.prices.currencies import CURRENCIES
from runreel.prices.json_lines import BadFields

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_MAX_TEXT = 2_000
# More digits than any price has; sums of them stay short.
_decimal = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,40})?").fullmatch
_date = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}").fullmatch
_surrogate = re.compile("[\ud800-\udfff]").search


class Fields:
    """The fields of one object; each problem is kept in ``problems``."""

    def __init__(self, value: dict[str, object], keys: tuple[str, ...]) -> None:
        self._value = value
        self.problems = [f"unknown key `{key}`" for key in value if key not in keys]

    def required(self, key: str, read: Callable[[str, object], T], default: T) -> T:
        """Return the field; if it is missing, null or invalid, keep the problem."""
        if self._value.get(key) is None:
            self.problems.append(f"`{key}` is missing")
            return default
        return self.optional(key, read) or default

    def given(self, key: str) -> None:
        """Keep a problem if there is no such key; null is accepted."""
        if key not in self._value:
            self.problems.append(f"`{key}` is missing")

    def optional(self, key: str, read: Callable[[str, object], T]) -> T | None:
        """Return the field, None if it is missing, null or invalid."""
        value = self._value.get(key)
        if value is None:
            return None
        try:
            return read(key, value)
        except BadFields as error:
            self.problems += error.messages
            return None

    def finish(self) -> None:
        """Raise the problems.

        Raises:
            BadFields: if there are any.
        """
        if self.problems:
            raise BadFields(*self.problems)


def text(key: str, value: object) -> str:
    """Return a text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise BadFields(f"`{key}` must be a text that is not empty")
    if len(value) > _MAX_TEXT or _surrogate(value):
        raise BadFields(f"`{key}` is too long or not valid Unicode")
    return value


def decimal(key: str, value: object) -> Decimal:
    """Return a decimal string of 0 or more as a number."""
    if isinstance(value, str) and _decimal(value):
        return Decimal(value)
    if str(value).startswith("-"):
        raise BadFields(f"`{key}` is negative")
    raise BadFields(f'`{key}` must be a decimal string, as in "{key}": "0.25"')


def currency(key: str, value: object) -> str:
    """Return a currency code."""
    if not isinstance(value, str) or value not in CURRENCIES:
        shown = repr(value)[:40]
        raise BadFields(f"`{key}`: unknown currency {shown}; use a code of ISO 4217 such as USD")
    return value


def day(key: str, value: object) -> date:
    """Return a date."""
    if isinstance(value, str) and _date(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise BadFields(f"`{key}` must be a date, as in 2026-11-30")


def time(key: str, value: object) -> datetime:
    """Return a time in UTC; a date is its start."""
    if isinstance(value, str) and _date(value):
        return datetime.combine(day(key, value), datetime.min.time(), UTC)
    found = micros(value) if isinstance(value, str) else None
    if found is None:
        raise BadFields(f"`{key}` must be a time, as in 2026-11-30T12:00:00Z")
    return from_micros(found)


def count(key: str, value: object) -> int:
    """Return a whole number of 0 or more."""
    if type(value) is not int or not 0 <= value < 2**63:
        raise BadFields(f"`{key}` must be a whole number of 0 or more")
    return value
