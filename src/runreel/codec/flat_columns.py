"""JSON objects as rows of flat columns: ``a.b`` is the field ``b`` of the object in ``a``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.codec.object_shapes import TOKENS
from runreel.codec.schema_parts import ref

if TYPE_CHECKING:
    from runreel.codec.json_objects import JsonObject
    from runreel.codec.schema_parts import Shape


def flat(shape: Shape) -> Shape:
    """Return the columns of objects of this shape, each with its schema.

    Only objects with known fields have a column for each field.
    """
    found: Shape = {}
    for name, schema in shape.items():
        inner = schema.get("anyOf", [schema])[0]
        fields = TOKENS if inner == ref("tokens") else inner.get("properties")
        if fields:
            found |= {f"{name}.{field}": part for field, part in fields.items()}
        else:
            found[name] = schema
    return found


def pick(value: JsonObject, column: str) -> object:
    """Return the value of a column, None if it is null or its object is."""
    if column in value:
        return value[column]
    outer, _, inner = column.partition(".")
    nested = value.get(outer)
    return nested.get(inner) if isinstance(nested, dict) else None
