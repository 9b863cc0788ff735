"""The page of JSON shapes, made from the schemas that ``runreel schema`` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runreel.cli.render import json_schemas

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD = """\
# JSON

The output of `--json` is stable: keys keep their meaning, and new keys may be added. Unknown values
are `null`, never 0. `runreel schema` prints the JSON Schema (draft 2020-12) of all documents, and
`runreel schema NAME` that of one document, for programs that validate.

`--json` prints one document. `-o jsonl` prints one item per line. `-o csv` prints the same items as
rows; nested keys become columns such as `usage.total_tokens`, and a cell that a spreadsheet would
read as a formula gets a leading apostrophe. JSON is exact.
"""


def render() -> str:
    """The whole page, as Markdown."""
    parts = [HEAD, "## Output of each command\n"]
    for name, schema in json_schemas.DOCUMENTS.items():
        parts += [f"### runreel {name.replace('-', ' ')} --json\n", *_shape(schema)]
    parts.append("## Items\n")
    for name, schema in json_schemas.DEFINITIONS.items():
        parts += [f"### {name}\n", *_shape(schema)]
    return "\n".join(parts).rstrip() + "\n"


def _shape(schema: dict[str, Any]) -> Iterator[str]:
    if description := schema.get("description"):
        yield f"{description}\n"
    properties = schema.get("properties")
    if properties is None:
        yield f"{_capital(_type(schema))}.\n"
        return
    required = schema.get("required", ())
    yield "| key | value |"
    yield "| --- | --- |"
    for name, value in properties.items():
        yield _row(f"`{name}`", value, () if name in required else ("May be absent.",))
    if isinstance(more := schema.get("additionalProperties"), dict):
        yield _row("*any other*", more)
    yield ""


def _row(name: str, value: dict[str, Any], notes: tuple[str, ...] = ()) -> str:
    notes = (value["description"], *notes) if "description" in value else notes
    return f"| {name} | {'. '.join((_type(value), ' '.join(notes))) if notes else _type(value)} |"


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name})"
    if "anyOf" in schema:
        return " or ".join(_type(option) for option in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    types = schema.get("type", "any JSON value")
    types = [types] if isinstance(types, str) else types
    return " or ".join(_plain(one, schema) for one in types)


def _plain(name: str, schema: dict[str, Any]) -> str:
    if name == "array":
        return f"array of {_type(schema['items'])}"
    if name == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_type(schema['additionalProperties'])}s"
    if name == "object" and "properties" in schema:
        keys = schema["properties"].items()
        return f"object with {', '.join(f'`{key}` ({_type(value)})' for key, value in keys)}"
    return "`null`" if name == "null" else name


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
