"""The JSON object that ``runreel export`` prints."""

from __future__ import annotations

from runreel.codec.schema_parts import COUNT, STRING, Shape, described

EXPORT: Shape = {
    "file": STRING,
    "format": described(STRING, "Name of the format, as in --format."),
    "runs": COUNT,
    "rows": COUNT,
    "bytes": COUNT,
}
