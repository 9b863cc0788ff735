"""How a command prints its answer: as a table, JSON, JSON lines or CSV."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from click.exceptions import Exit

from runreel.cli.render import csv_rows, json_views, tables, terminal
from runreel.model.timestamps import rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from runreel.cli.render.tables import Column

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ListView(Generic[T]):
    """What there is to print: ``noun`` in the plural, its JSON object, the keys of that."""

    noun: str
    value: Callable[[T], dict[str, Any]]
    fields: Sequence[str]
    columns: Sequence[Column[T]]


@dataclass(frozen=True, slots=True)
class Output:
    """Prints in the format that was asked for; ``fail_empty`` makes exit code 1 of nothing."""

    format: str = "table"
    fail_empty: bool = False

    @property
    def is_table(self) -> bool:
        """Whether people read it."""
        return self.format == "table"

    def items(
        self,
        kind: ListView[T],
        items: Iterable[T],
        *,
        as_of: datetime,
        next_: str | None = None,
        option: str = "--after",
    ) -> int:
        """Print a list, item by item as they come; how long it is.

        ``next_`` is where the next page begins, ``option`` the one that takes it.
        """
        rest = {"next": next_, "as_of": rfc3339(as_of)}
        count = self.report(kind, items, "items", lambda _: rest)
        if next_ is not None and self.format != "json":
            terminal.write_notice(f"There are more: {option} {next_}")
        self.found(kind.noun, count)
        return count

    def report(
        self,
        kind: ListView[T],
        items: Iterable[T],
        name: str,
        rest: Callable[[int], dict[str, Any]],
    ) -> int:
        """Print a list, item by item as they come; how long it is.

        In JSON it is the ``name`` of an object, whose ``rest`` is asked for, by the length of the
        list, once that has been printed.
        """
        if self.format == "json":
            return self._envelope(kind, items, name, rest)
        return self.lines(kind, items)

    def found(self, noun: str, count: int) -> None:
        """Take note of how much there was."""
        if count:
            return
        if self.is_table:
            terminal.write_notice(f"No {noun}.")
        if self.fail_empty:
            raise Exit(1)

    def object(self, value: dict[str, Any]) -> None:
        """Print one JSON object; its table is up to the caller."""
        if self.format == "json":
            terminal.write(_json(value, indent=2))
        elif self.format == "jsonl":
            terminal.write(_json(value))
        else:
            terminal.write_raw(csv_rows.header(value))
            terminal.write_raw(csv_rows.row(value, value))

    def lines(self, kind: ListView[T], items: Iterable[T]) -> int:
        """Print a list in another format than JSON; how long it is."""
        if self.is_table:
            return tables.print_table(kind.columns, items)
        count = 0
        if self.format == "csv":
            terminal.write_raw(csv_rows.header(kind.fields))
        for count, item in enumerate(items, 1):  # noqa: B007 - how many there were
            value = kind.value(item)
            if self.format == "csv":
                terminal.write_raw(csv_rows.row(value, kind.fields))
            else:
                terminal.write(_json(value))
        return count

    def _envelope(
        self,
        kind: ListView[T],
        items: Iterable[T],
        name: str,
        rest: Callable[[int], dict[str, Any]],
    ) -> int:
        """The items of a long list are not held in memory: each is written as it comes."""
        count = 0
        terminal.write(f'{{\n  "{name}": [', end="")
        for count, item in enumerate(items, 1):
            told = _json(kind.value(item), indent=2).replace("\n", "\n    ")
            terminal.write("," if count > 1 else "", "\n    ", told, end="")
        terminal.write("\n  ]" if count else "]", end="")
        for key, value in rest(count).items():
            terminal.write(f',\n  "{key}": ', _json(value, indent=2).replace("\n", "\n  "), end="")
        terminal.write("\n}")
        return count


def json_line(value: Any) -> str:
    """``value`` as one line of JSON."""
    return _json(value)


def json_text(value: Any) -> str:
    """``value`` as JSON, laid out for people."""
    return _json(value, indent=2)


def _json(value: Any, *, indent: int | None = None) -> str:
    return json_views.text(value, indent=indent, ascii_only=not terminal.takes_unicode())
