"""Write CSV rows whose cells a spreadsheet does not evaluate as formulas."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runreel.cli.render import json_views, shapes
from runreel.cli.render.escaping import visible_chars
from runreel.cli.render.schema_parts import ref

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from runreel.cli.render.json_views import JsonObject
    from runreel.cli.render.schema_parts import Shape

# First characters of a formula, in every width.
_FORMULA = frozenset("=+-@\u2212\uff1d\uff0b\uff0d\uff20\ufe62\ufe63\ufe66\ufe6b")
_BREAKS = frozenset("\t\r\n")
_QUOTE = '"'
# A comma, a quote, or any white space but a space: this includes line ends of every kind.
_SPECIAL = re.compile(r'[",]|[^\S ]')
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")


def columns(shape: Shape) -> Iterator[str]:
    """The columns of objects of this shape: ``a.b`` for the field ``b`` of the object in ``a``."""
    for name, schema in shape.items():
        inner = schema.get("anyOf", [schema])[0]
        fields = shapes.TOKENS if inner == ref("tokens") else inner.get("properties")
        yield from [f"{name}.{field}" for field in fields] if fields else [name]


def header(fields: Iterable[str]) -> str:
    """The header line."""
    return _line(fields)


def row(value: JsonObject, fields: Iterable[str]) -> str:
    """Convert a JSON object to a line; the field ``a.b`` is ``b`` in ``a``, null an empty cell."""
    return _line(_cell(_pick(value, field)) for field in fields)


def escape_formula(text: str) -> str:
    """Prefix ``text`` with an apostrophe if a spreadsheet would evaluate it as a formula."""
    first = next(visible_chars(text), "")
    harmful = first in _FORMULA or text[:1] in _BREAKS
    return f"'{text}" if text and harmful and not _NUMBER.fullmatch(text) else text


def _pick(value: JsonObject, field: str) -> object:
    if field in value:
        return value[field]
    outer, _, inner = field.partition(".")
    nested = value.get(outer)
    return nested.get(inner) if isinstance(nested, dict) else None


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return escape_formula(value)
    if isinstance(value, (int, float)):
        return json_views.text(value)
    return escape_formula(json_views.text(value))


def _line(cells: Iterable[str]) -> str:
    # The csv module does not quote a lone carriage return, but its reader ends the line there.
    quoted = [
        f'"{cell.replace(_QUOTE, _QUOTE * 2)}"' if _SPECIAL.search(cell) else cell for cell in cells
    ]
    return (",".join(quoted) or _QUOTE * 2) + "\n"
