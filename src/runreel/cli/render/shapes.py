"""The JSON objects that commands print: for each field, in order, its JSON Schema.

``json_views`` fills these objects from results, and lists take their CSV columns from them.
"""

from __future__ import annotations

from runreel.codec.schema_parts import (
    ANY,
    COUNT,
    COUNTS,
    FLAG,
    LABELS,
    MAYBE_COUNT,
    MAYBE_FLAG,
    MAYBE_INTEGER,
    MAYBE_TIME,
    STRING,
    TEXT,
    TIME,
    Shape,
    array,
    closed,
    described,
    enum,
    maybe,
    ref,
)
from runreel.model.selection import STATES
from runreel.model.status import RunStatus

CONTENT: Shape = {
    "text": TEXT,
    "parts": maybe(array(ANY)),
    "message": maybe(ref("message")),
    "citations": maybe(array(ref("citation"))),
    "reasoning": described(TEXT, "Reasoning of the last answer, if the server returned it."),
    "request": described(ANY, "The last request, as its source's JSON; null if none is stored."),
}
TOTALS: Shape = {
    "runs": COUNT,
    "known": COUNT,
    "unknown": COUNT,
    "input_text_tokens": MAYBE_INTEGER,
    "completion_tokens": MAYBE_INTEGER,
    "total_tokens": MAYBE_INTEGER,
    "cached": described(MAYBE_INTEGER, "Input tokens read from a cache."),
    "cache_write": described(MAYBE_INTEGER, "Input tokens written to a cache."),
    "reasoning": described(MAYBE_INTEGER, "Completion tokens used for reasoning."),
}
GROUP = described(TEXT, "Key of the group, named as in --by.")
DIFFERENCE: Shape = {"run_id": STRING, "column": STRING, "stored": ANY, "rebuilt": ANY}
OPEN_RECORDING: Shape = {
    "run_id": STRING,
    "source": STRING,
    "opened_at": TIME,
    "host": TEXT,
    "pid": MAYBE_INTEGER,
    "process_started": MAYBE_INTEGER,
    "last_event_at": TIME,
    "last_seq": COUNT,
    "alive": MAYBE_FLAG,
}
RECOVERED = {**OPEN_RECORDING, "action": enum("resumed", "interrupted", "left"), "reason": TEXT}
PRUNED_RUN: Shape = {
    "run_id": STRING,
    "action": enum("prunable", "pruned", "left", "damaged"),
    "source": TEXT,
    "status": enum(*RunStatus.__members__, None),
    "state": enum(*STATES, None),
    "ended_at": described(MAYBE_TIME, "End of the run, or time of its last row."),
    "rows": COUNT,
    "bytes": described(COUNT, "Stored payload bytes."),
    "why": TEXT,
}
CHECK: Shape = {
    "check": STRING,
    "verdict": enum("ok", "warn", "bad"),
    "found": STRING,
    "advice": TEXT,
}
PLACE: Shape = {
    "run_id": STRING,
    "seq": COUNT,
    "kind": STRING,
    "type": TEXT,
    "where": described(STRING, "Path in the JSON of the row, or `text` for the text of the run."),
    "characters": COUNT,
}
FINDING: Shape = {
    "run_id": TEXT,
    "seq": MAYBE_INTEGER,
    "what": described(STRING, "Finding code."),
    "detail": STRING,
}
PROBLEM: Shape = {"file": STRING, "line": COUNT, "message": STRING, "run_id": TEXT}
COMPARED: Shape = {"checkpoints": COUNT, "runs": COUNT, "pruned": COUNT}
SPACE: Shape = {"before": COUNT, "after": COUNT, "unused": MAYBE_COUNT}
CHECKPOINT: Shape = {
    "file": STRING,
    "sha256": STRING,
    "number": COUNT,
    "kind": enum("full", "changes"),
    "runs": COUNT,
    "previous": TEXT,
    "key_id": STRING,
    "next_key_id": TEXT,
}
BACKUP: Shape = {
    "file": STRING,
    "bytes": COUNT,
    "runs": COUNT,
    "events": COUNT,
    "wrong": described(COUNT, "Number of findings of `verify` in the copy."),
}
REPORT: Shape = {
    "lines": COUNT,
    "events_new": COUNT,
    "events_known": COUNT,
    "runs_new": COUNT,
    "runs_touched": COUNT,
    "problems": array(ref("problem")),
    "notices": array(STRING),
}
SOURCE: Shape = {
    "type": enum("filechunk", "unknown"),
    "parts": array(ANY),
    "search_index_id": TEXT,
    "file_id": TEXT,
    "file_name": TEXT,
    "text": described(STRING, "Only if the type is unknown."),
}
MESSAGE: Shape = {
    "id": TEXT,
    "parts": array(ANY),
    "thread_id": TEXT,
    "created_by": TEXT,
    "created_at": MAYBE_TIME,
    "labels": maybe(LABELS),
    "author": closed({"id": STRING, "role": STRING}),
    "citations": array({"type": "object"}),
    "status": STRING,
    "finish_reason": described(STRING, "As the server sent it."),
}
CITATION: Shape = {"sources": array(closed(SOURCE, "text"))}
VERIFIED: Shape = {
    "findings": array(ref("finding")),
    "intact": FLAG,
    "runs": COUNT,
    "events": COUNT,
    "checkpoints": maybe(closed(COMPARED)),
    "as_of": TIME,
}
REDACTED: Shape = {"places": array(ref("place")), "erased": FLAG, "as_of": TIME}
PRUNED: Shape = {
    "items": array(ref("pruned_run")),
    "dry_run": FLAG,
    "runs": COUNT,
    "rows": COUNT,
    "bytes": COUNT,
    "space": described(
        maybe(closed(SPACE)), "Database size in bytes; `unused`: free space in the file."
    ),
    "as_of": TIME,
}
KEY: Shape = {"key_id": STRING, "file": STRING, "public_file": STRING, "passphrase": FLAG}
DATABASE: Shape = {
    "database": STRING,
    "backend": enum("sqlite", "postgresql"),
    "revision": TEXT,
    "projection_version": TEXT,
    "rows": COUNTS,
    "bytes": COUNTS,
    "settings": {"type": "object"},
}
REVISION: Shape = {"revision": TEXT}
