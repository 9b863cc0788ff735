"""``runreel schema``: print the JSON Schemas of the output."""

from __future__ import annotations

import click

from runreel.cli import options
from runreel.cli.render import json_schemas, terminal

NAMES = (*json_schemas.DOCUMENTS, *json_schemas.ITEMS)


@options.command("""
runreel schema
runreel schema runs
runreel schema event
""")
@click.argument("name", required=False, type=click.Choice(NAMES))
def schema_command(name: str | None) -> None:
    """Print the JSON Schemas of the output.

    NAME is a command, for its --json, or an item, for a line of -o jsonl. Without NAME, all are
    printed in one document. Draft 2020-12.
    """
    from runreel.cli.render import output

    schema = json_schemas.all_schemas() if name is None else json_schemas.schema_for(name)
    terminal.write(output.json_text(schema, indent=2))
