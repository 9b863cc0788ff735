"""The parameters of a page, from its URL."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runreel.model.errors import UsageError
from runreel.system import zones

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import tzinfo

_DIGITS = 18
_NO = ("", "0", "false", "no")


class Page(NamedTuple):
    """A template and its values.

    One that ``streams`` is sent in the pieces that its ``flush`` marks divide.
    """

    template: str
    values: Mapping[str, object]
    streams: bool = False


class Data(NamedTuple):
    """A value that is sent as JSON."""

    value: object


class Attachment(NamedTuple):
    """A file to save."""

    name: str
    content: bytes


class Moved(NamedTuple):
    """The URL of another page that is meant."""

    location: str


class Query:
    """The parameters of a URL; a name may occur several times, and an empty value is none.

    Raises:
        UsageError: if a name is not among ``known``, or a value has a NUL.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]], known: Iterable[str]) -> None:
        names = frozenset(known)
        self.pairs: list[tuple[str, str]] = []
        self._zone: tuple[tzinfo | None, str] | None = None
        for name, value in pairs:
            if name not in names:
                raise UsageError(
                    f"this page has no parameter {name!r}", hint=f"It has {', '.join(known)}."
                )
            if "\0" in value:
                raise UsageError(f"{name} has a NUL character")
            if value:
                self.pairs.append((name, value))

    def texts(self, name: str) -> list[str]:
        """All values of a parameter."""
        return [value for one, value in self.pairs if one == name]

    def text(self, name: str) -> str | None:
        """The only value of a parameter.

        Raises:
            UsageError: if it has several.
        """
        values = self.texts(name)
        if len(values) > 1:
            raise UsageError(f"{name} is given {len(values)} times")
        return values[0] if values else None

    def number(self, name: str) -> int | None:
        """The value of a parameter that counts from 0.

        Raises:
            UsageError: if it is no such number.
        """
        text = self.text(name)
        if text is None:
            return None
        if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS):
            raise UsageError(f"invalid {name} {text!r}: use a number from 0")
        return int(text)

    def flag(self, name: str) -> bool:
        """Whether a parameter is set."""
        return any(value.lower() not in _NO for value in self.texts(name))

    def zone(self) -> tuple[tzinfo | None, str]:
        """The time zone of ``tz`` and its name; None is that of the machine.

        Raises:
            UsageError: if the zone is unknown.
        """
        if self._zone is None:
            self._zone = zones.zone(self.text("tz"))
        return self._zone

    def without(self, *names: str) -> list[tuple[str, str]]:
        """The other parameters."""
        return [(name, value) for name, value in self.pairs if name not in names]
