"""The columns of Parquet tables: the fields of JSON objects, by names that need no quotes.

Times are timestamps in UTC. Values with fields or items of any kind, such as labels, are JSON text:
a map would be a list of pairs in Polars and pandas, and JSON keeps any text exactly.
"""

from __future__ import annotations

import json
from operator import is_not
from typing import TYPE_CHECKING, Any, NamedTuple

from runreel.codec import object_shapes
from runreel.codec.flat_columns import flat
from runreel.codec.schema_parts import TIME
from runreel.export.result_rows import EVENTS, RUNS
from runreel.model.timestamps import micros

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runreel.codec.schema_parts import Schema

# Reserved words of SQL dialects.
_RENAMED = {"at": "received_at"}

TEXT, JSON, TIMESTAMP, INTEGER, NUMBER, FLAG = "text", "json", "time", "integer", "number", "flag"
_TYPES = {"string": TEXT, "integer": INTEGER, "number": NUMBER, "boolean": FLAG}


class Column(NamedTuple):
    """A column: its name, the field it is from (``a.b``), and the kind of its values."""

    name: str
    field: str
    kind: str


class Encoded(NamedTuple):
    """Values of a column as Parquet has them, and the number of texts that were escaped."""

    values: list[Any]
    escaped: int


def _kind(schema: Schema) -> str:
    inner = schema.get("anyOf", [schema])[0]
    if inner.get("$ref") == TIME["$ref"]:
        return TIMESTAMP
    if "enum" in inner:
        return TEXT
    types = inner.get("type", [])
    names = {types} if isinstance(types, str) else {*types}
    kinds = {_TYPES.get(name, JSON) for name in names - {"null"}} or {JSON}
    # A code is a number or a text.
    return kinds.pop() if len(kinds) == 1 else TEXT


def _columns(shape: dict[str, Schema]) -> tuple[Column, ...]:
    return tuple(
        Column(_RENAMED.get(field, field.replace(".", "_")), field, _kind(schema))
        for field, schema in flat(shape).items()
    )


COLUMNS = {RUNS: _columns(object_shapes.RUN), EVENTS: _columns(object_shapes.EVENT)}


def encode(kind: str, values: Sequence[Any]) -> Encoded:
    """Convert JSON values of a column to those of its Parquet type; None stays None."""
    if kind == TIMESTAMP:
        return Encoded([micros(value) for value in values], 0)
    if kind not in (JSON, TEXT):
        return Encoded(list(values), 0)
    spell = _json if kind == JSON else str
    texts = [None if value is None else spell(value) for value in values]
    found = [None if text is None else utf8(text) for text in texts]
    # In JSON an escape changes nothing.
    changed = 0 if kind == JSON else sum(map(is_not, texts, found))
    return Encoded(found, changed)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def utf8(text: str) -> str:
    r"""Return a text with its lone surrogates as ``\udXXX``: UTF-8 has none."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()
    return text
