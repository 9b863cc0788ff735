"""Print results as a table, JSON, JSON lines or CSV."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from click.exceptions import Exit

from runreel.cli import time_arguments
from runreel.cli.render import json_views, tables, terminal
from runreel.codec import csv_rows, flat_columns
from runreel.model.timestamps import rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from runreel.cli.render.json_views import JsonObject
    from runreel.cli.render.tables import Column
    from runreel.codec.schema_parts import Shape

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ListView(Generic[T]):
    """How to print a list of items.

    ``noun`` names the items in the plural, ``shape`` has the fields of their JSON objects, and
    ``columns`` are those of the table. ``convert`` makes the object of an item whose attributes
    are not the fields.
    """

    noun: str
    shape: Shape
    columns: Sequence[Column[T]]
    convert: Callable[[T], JsonObject] | None = None

    @property
    def fields(self) -> tuple[str, ...]:
        """The CSV columns."""
        return tuple(flat_columns.flat(self.shape))

    def value(self, item: T) -> JsonObject:
        """The JSON object of an item."""
        return json_views.fill(self.shape, item) if self.convert is None else self.convert(item)


@dataclass(frozen=True, slots=True)
class Output:
    """Prints in the requested format; with ``fail_empty``, an empty result exits with 1.

    ``as_of`` is the time at which the command started.
    """

    format: str = "table"
    fail_empty: bool = False
    as_of: datetime = field(default_factory=time_arguments.now)

    @property
    def is_table(self) -> bool:
        """True if the format is a table."""
        return self.format == "table"

    def items(
        self,
        view: ListView[T],
        items: Iterable[T],
        *,
        as_of: datetime | None = None,
        next_: str | None = None,
        option: str = "--after",
    ) -> int:
        """Print items one by one as they arrive; return their number.

        ``next_`` is the start of the next page, ``option`` the option to pass it to.
        """
        count = self.report(view, items, "items", lambda _: {"next": next_}, as_of=as_of)
        if next_ is not None and self.format != "json":
            terminal.write_notice(f"Next page: {option} {next_}")
        self.found(view.noun, count)
        return count

    def report(
        self,
        view: ListView[T],
        items: Iterable[T],
        name: str,
        extra: Callable[[int], JsonObject],
        *,
        as_of: datetime | None = None,
    ) -> int:
        """Print items one by one as they arrive; return their number.

        In JSON, the items are the list ``name`` of an object. ``extra`` is called with their
        number after the last one and returns the other fields of that object, but for ``as_of``.
        """
        if self.format != "json":
            return self.lines(view, items)
        # Each item is written as it arrives, so that a long list is not held in memory.
        count = 0
        terminal.write(f'{{\n  "{name}": [', end="")
        for count, item in enumerate(items, 1):
            encoded = json_text(view.value(item), indent=2).replace("\n", "\n    ")
            terminal.write("," if count > 1 else "", "\n    ", encoded, end="")
        terminal.write("\n  ]" if count else "]", end="")
        for key, value in {**extra(count), "as_of": rfc3339(as_of or self.as_of)}.items():
            terminal.write(
                f',\n  "{key}": ', json_text(value, indent=2).replace("\n", "\n  "), end=""
            )
        terminal.write("\n}")
        return count

    def found(self, noun: str, count: int) -> None:
        """Report an empty result: a notice for a table, exit code 1 with ``--fail-empty``."""
        if count:
            return
        if self.is_table:
            terminal.write_notice(f"No {noun}.")
        if self.fail_empty:
            raise Exit(1)

    def object(self, value: JsonObject, facts: Iterable[tables.Fact] = ()) -> None:
        """Print one JSON object; its table has a line for each of ``facts``."""
        if self.is_table:
            tables.print_fields(facts)
        elif self.format == "json":
            terminal.write(json_text(value, indent=2))
        elif self.format == "jsonl":
            terminal.write(json_text(value))
        else:
            terminal.write_raw(csv_rows.header(value))
            terminal.write_raw(csv_rows.row(value, value))

    def lines(self, view: ListView[T], items: Iterable[T]) -> int:
        """Print items in any format but JSON; return their number."""
        if self.is_table:
            return tables.print_table(view.columns, items)
        count, fields = 0, view.fields
        if self.format == "csv":
            terminal.write_raw(csv_rows.header(fields))
        for count, item in enumerate(items, 1):  # noqa: B007 - counts the items
            value = view.value(item)
            if self.format == "csv":
                terminal.write_raw(csv_rows.row(value, fields))
            else:
                terminal.write(json_text(value))
        return count


def json_text(value: object, *, indent: int | None = None) -> str:
    """Encode ``value`` as JSON in the characters that stdout takes."""
    return json_views.text(value, indent=indent, ascii_only=not terminal.takes_unicode())
