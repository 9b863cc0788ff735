"""The JSON Schemas of what commands print."""

from __future__ import annotations

from runreel.cli.render import (
    shapes,
    shapes_budget,
    shapes_cost,
    shapes_export,
    shapes_look,
    shapes_prices,
    shapes_report,
    shapes_search,
)
from runreel.codec import object_shapes
from runreel.codec.schema_parts import STRING, Schema, Shape, array, closed, described, page, ref

_DRAFT = "https://json-schema.org/draft/2020-12/schema"

_CONTENT: Shape = {**shapes.CONTENT, **shapes_look.STORY}
DEFINITIONS: Shape = {
    "time": {
        "type": "string",
        "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z$",
        "description": "RFC 3339, UTC, microseconds.",
    },
    "tokens": closed(object_shapes.TOKENS),
    "tool_call": closed(object_shapes.TOOL_CALL),
    "run": closed({**object_shapes.RUN, **shapes_cost.RUN_COST}),
    "event": closed(object_shapes.RAW_EVENT, "raw", "text"),
    "message": described(
        closed(shapes.MESSAGE, *shapes.MESSAGE.keys() - {"parts"}),
        "A partial message has only `parts`.",
    ),
    "citation": closed(shapes.CITATION),
    "usage_item": {
        **closed(shapes_cost.PRICED_TOTALS, *shapes_cost.ADDED),
        "additionalProperties": shapes.GROUP,
        "description": "The last keys only with --cost: an item for each group and currency.",
    },
    "difference": closed(shapes.DIFFERENCE),
    "open_recording": described(
        closed(shapes.RECOVERED, "action", "reason"),
        "`action` and `reason` are absent with --list.",
    ),
    "pruned_run": described(
        closed(shapes.PRUNED_RUN), "The other fields of a damaged run are unknown."
    ),
    "check": closed(shapes.CHECK),
    "place": closed(shapes.PLACE),
    "finding": described(
        closed(shapes.FINDING), "`run_id` and `seq` are null if no single run or row is concerned."
    ),
    "problem": closed(shapes.PROBLEM),
    "shown_run": described(
        closed({**object_shapes.RUN, **shapes_cost.RUN_COST, **_CONTENT}, *_CONTENT),
        "The last keys only with --content.",
    ),
    "story_step": shapes_look.STORY_STEP,
    **shapes_look.STORY_STEPS,
    "run_timeline": closed(shapes_look.TIMELINE),
    "step": described(
        closed(shapes_look.STEP_OF_RUN, "run_id"), "`run_id` only where several runs are listed."
    ),
    "end": closed(shapes_look.END),
    "match": closed(shapes_search.MATCH),
    "budget_item": shapes_budget.BUDGET_ITEM,
    "price": closed(shapes_prices.PRICE),
    "price_problem": closed(shapes_prices.PRICE_PROBLEM),
}
_USAGE = closed(
    {
        "items": array(ref("usage_item")),
        "totals": closed(shapes_cost.PRICED_TOTALS, *shapes_cost.ADDED),
        "tz": STRING,
        **shapes_cost.COSTS,
    },
    *shapes_cost.COSTS,
)
# Output of `runreel COMMAND --json`, by command.
DOCUMENTS: Shape = {
    "runs": closed(page("run")),
    "show": {"anyOf": [ref("shown_run"), closed(page("shown_run"))]},
    "events": closed(page("event")),
    "timeline": {"anyOf": [ref("run_timeline"), closed(page("run_timeline"))]},
    "tail": closed(shapes_look.TAIL),
    "diff": closed(shapes_look.DIFF),
    "search": described(
        {"anyOf": [closed(page("match")), closed(shapes_search.INDEX)]},
        "With --build, the state of the index.",
    ),
    "usage": described(
        {"anyOf": [_USAGE, closed(shapes_report.PIVOT)]}, "The second one with --pivot."
    ),
    "prices-list": closed(page("price")),
    "prices-show": closed(shapes_prices.SHOWN_PRICE),
    "prices-import": closed(shapes_prices.ADDED_PRICES),
    "prices-check": closed(page("price_problem")),
    "budget": closed(shapes_budget.BUDGET),
    "rebuild": closed(page("difference")),
    "verify": closed(shapes.VERIFIED),
    "recover": closed(page("open_recording")),
    "redact": closed(shapes.REDACTED),
    "prune": closed(shapes.PRUNED),
    "checkpoint": closed(shapes.CHECKPOINT),
    "keygen": closed(shapes.KEY),
    "backup": closed(shapes.BACKUP),
    "doctor": closed(page("check")),
    "export": closed(shapes_export.EXPORT),
    "import": closed(shapes.REPORT),
    "record": closed(shapes.REPORT),
    "db-current": closed(shapes.REVISION),
    "db-status": closed(shapes.DATABASE),
}
# Each line of `-o jsonl` is one of these.
ITEMS = (
    "run",
    "event",
    "usage_item",
    "budget_item",
    "difference",
    "open_recording",
    "pruned_run",
    "place",
    "check",
    "finding",
    "step",
    "end",
    "match",
    "price",
    "price_problem",
)


def schema_for(name: str) -> Schema:
    """The schema of the output of a command, or of an item."""
    own = DOCUMENTS.get(name) or ref(name)
    return {"$schema": _DRAFT, "title": f"runreel {name}", **own, "$defs": DEFINITIONS}


def all_schemas() -> Schema:
    """All schemas as the definitions of one document, by the names of items and commands."""
    return {
        "$schema": _DRAFT,
        "title": "What runreel prints as JSON",
        "$defs": DEFINITIONS | {f"command:{name}": schema for name, schema in DOCUMENTS.items()},
    }
