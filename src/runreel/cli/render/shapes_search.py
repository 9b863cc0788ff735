"""The JSON objects of searches."""

from __future__ import annotations

from runreel.codec.schema_parts import COUNT, STRING, TIME, Shape, described, enum
from runreel.model.search import PARTS

MATCH: Shape = {
    "run_id": STRING,
    "in": enum(*PARTS),
    "seq": described(COUNT, "The row that completes the occurrence."),
    "start": described(COUNT, "Counts characters of the text."),
    "end": COUNT,
    "snippet": STRING,
    "at": described(TIME, "Time of the row."),
}
INDEX: Shape = {"kind": STRING, "indexed": COUNT, "added": COUNT, "bytes": COUNT}
