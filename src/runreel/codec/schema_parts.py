"""The parts that JSON Schemas of command output are made of."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]
# The fields of an object and their schemas.
Shape = dict[str, Schema]

ANY: Schema = {}
NULL: Schema = {"type": "null"}
STRING: Schema = {"type": "string"}
TEXT: Schema = {"type": ["string", "null"]}
INTEGER: Schema = {"type": "integer"}
MAYBE_INTEGER: Schema = {"type": ["integer", "null"]}
COUNT: Schema = {"type": "integer", "minimum": 0}
MAYBE_COUNT: Schema = {"type": ["integer", "null"], "minimum": 0}
FLAG: Schema = {"type": "boolean"}
MAYBE_FLAG: Schema = {"type": ["boolean", "null"]}
MILLISECONDS: Schema = {"type": ["number", "null"]}
LABELS: Schema = {"type": "object", "additionalProperties": STRING}
COUNTS: Schema = {"type": "object", "additionalProperties": COUNT}


def ref(name: str) -> Schema:
    """A reference to the definition with this name."""
    return {"$ref": f"#/$defs/{name}"}


def enum(*values: str | None) -> Schema:
    """One of these values."""
    return {"enum": [*values]}


def maybe(schema: Schema) -> Schema:
    """A value or null."""
    return {"anyOf": [schema, NULL]}


def array(items: Schema) -> Schema:
    """A list of such items."""
    return {"type": "array", "items": items}


def described(schema: Schema, description: str) -> Schema:
    """A schema with a description."""
    return {**schema, "description": description}


def closed(shape: Shape, *optional: str) -> Schema:
    """The schema of an object with these fields and no other; ``optional`` ones may be absent."""
    required = [name for name in shape if name not in optional]
    schema = {"type": "object", "properties": shape, "required": required}
    return {**schema, "additionalProperties": False}


TIME = ref("time")
MAYBE_TIME = maybe(TIME)
TOOL_CALLS = maybe(array(ref("tool_call")))


def page(item: str) -> Shape:
    """A page of a list of items."""
    return {"items": array(ref(item)), "next": TEXT, "as_of": TIME}
