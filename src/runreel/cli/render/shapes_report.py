"""The JSON object of a usage report whose columns are the values of a grouping."""

from __future__ import annotations

from runreel.cli.render.report_layout import MEASURES
from runreel.codec.schema_parts import STRING, Schema, Shape, array, described, enum

_CELLS: Schema = {
    "type": "object",
    "additionalProperties": {"type": ["integer", "string", "null"]},
}
PIVOT: Shape = {
    "items": described(
        array(_CELLS),
        "The groups of a row, named as in --by, and the value of each column: null if it is"
        " unknown, 0 without runs, a decimal string if it is a cost.",
    ),
    "totals": described(array(_CELLS), "Sums of the columns; one object for each currency."),
    "pivot": described(STRING, "The grouping whose values are columns."),
    "measure": enum(*MEASURES),
    "columns": array(STRING),
    "tz": STRING,
}
