"""Write CSV rows whose cells a spreadsheet does not evaluate as formulas."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runreel.codec import json_objects
from runreel.codec.flat_columns import pick
from runreel.codec.visible_text import visible_chars

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runreel.codec.json_objects import JsonObject

# First characters of a formula, in every width.
_FORMULA = frozenset("=+-@\u2212\uff1d\uff0b\uff0d\uff20\ufe62\ufe63\ufe66\ufe6b")
_BREAKS = frozenset("\t\r\n")
_QUOTE = '"'
# A comma, a quote, or any white space but a space: this includes line ends of every kind.
_SPECIAL = re.compile(r'[",]|[^\S ]')
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")


def header(fields: Iterable[str]) -> str:
    """Return the header line; a field may be a text from a run, such as the name of a model."""
    return _line(map(escape_formula, fields))


def row(value: JsonObject, fields: Iterable[str]) -> str:
    """Convert a JSON object to a line; the field ``a.b`` is ``b`` in ``a``, null an empty cell."""
    return _line(_cell(pick(value, field)) for field in fields)


def escape_formula(text: str) -> str:
    """Prefix ``text`` with an apostrophe if a spreadsheet would evaluate it as a formula."""
    first = next(visible_chars(text), "")
    harmful = first in _FORMULA or text[:1] in _BREAKS
    return f"'{text}" if text and harmful and not _NUMBER.fullmatch(text) else text


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return escape_formula(value)
    if isinstance(value, (int, float)):
        return json_objects.text(value)
    return escape_formula(json_objects.text(value))


def _line(cells: Iterable[str]) -> str:
    # The csv module does not quote a lone carriage return, but its reader ends the line there.
    quoted = [
        f'"{cell.replace(_QUOTE, _QUOTE * 2)}"' if _SPECIAL.search(cell) else cell for cell in cells
    ]
    return (",".join(quoted) or _QUOTE * 2) + "\n"
