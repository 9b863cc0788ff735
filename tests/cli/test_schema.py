from __future__ import annotations

from typing import TYPE_CHECKING

from jsonschema import Draft202012Validator

from runreel.cli.commands import schema
from runreel.cli.render import json_schemas

if TYPE_CHECKING:
    from tests.cli.calls import Caller


def test_the_schemas_are_schemas_and_describe_every_item() -> None:
    Draft202012Validator.check_schema(json_schemas.all_schemas())
    assert (*json_schemas.DOCUMENTS, *json_schemas.ITEMS) == schema.NAMES
    for name in schema.NAMES:
        told = json_schemas.schema_for(name)
        Draft202012Validator.check_schema(told)
        assert told["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_the_schemas_are_printed(call_sqlite: Caller) -> None:
    for name in schema.NAMES:
        assert call_sqlite.bare("schema", name).json == json_schemas.schema_for(name)
    everything = call_sqlite.bare("schema").json
    assert everything == json_schemas.all_schemas()
    assert {"run", "event", "usage_item", "command:runs", "command:show"} <= set(
        everything["$defs"]
    )
    Draft202012Validator({"$ref": "#/$defs/command:runs", **everything}).validate(
        {"items": [], "next": None, "as_of": "2025-01-01T00:00:00.000000Z"}
    )
    assert call_sqlite.bare("schema", "nope").code == 2


def test_the_schemas_refuse_what_is_not_so(told_sqlite: Caller) -> None:
    validator = Draft202012Validator(json_schemas.schema_for("run"))
    run = told_sqlite.good("show", "run-done", "--json").json
    assert validator.is_valid(run)
    for wrong in (
        {**run, "status": "FINE"},
        {**run, "started_at": "yesterday"},
        {**run, "more": 1},
        {**run, "usage": {"total_tokens": 1}},
        {key: value for key, value in run.items() if key != "error"},
    ):
        assert not validator.is_valid(wrong)
