from __future__ import annotations

from typing import TYPE_CHECKING

from jsonschema import Draft202012Validator

from runreel.cli import schema, schemas

if TYPE_CHECKING:
    from tests.cli.calls import Caller


def test_the_schemas_are_schemas_and_describe_every_item() -> None:
    Draft202012Validator.check_schema(schemas.everything())
    assert (*schemas.DOCUMENTS, *schemas.ITEMS) == schema.NAMES
    for name in schema.NAMES:
        told = schemas.schema_of(name)
        Draft202012Validator.check_schema(told)
        assert told["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_the_schemas_are_printed(call_sqlite: Caller) -> None:
    for name in schema.NAMES:
        assert call_sqlite.bare("schema", name).json == schemas.schema_of(name)
    everything = call_sqlite.bare("schema").json
    assert everything == schemas.everything()
    assert {"run", "event", "usage_item", "command:runs", "command:show"} <= set(
        everything["$defs"]
    )
    Draft202012Validator({"$ref": "#/$defs/command:runs", **everything}).validate(
        {"items": [], "next": None, "as_of": "2025-01-01T00:00:00.000000Z"}
    )
    assert call_sqlite.bare("schema", "nope").code == 2


def test_the_schemas_refuse_what_is_not_so(told_sqlite: Caller) -> None:
    validator = Draft202012Validator(schemas.schema_of("run"))
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
