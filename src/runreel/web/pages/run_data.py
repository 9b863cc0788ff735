"""What scripts ask of a run: its rows, its state, an event, its recording file; as JSON."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from runreel.codec import json_objects
from runreel.model.errors import UsageError
from runreel.query import damaged_runs, run_reading
from runreel.web.query import Attachment, Data

if TYPE_CHECKING:
    from runreel.api.reel import Reel
    from runreel.web.query import Query

PARAMETERS = ("id", "what", "after", "seq")
# As `runreel show -o json` has them.
_STATE = (
    *("run_id", "source", "status", "status_name", "recording", "state"),
    *("assistant_id", "thread_id", "model", "labels", "created_by"),
    *("created_at", "requested_at", "started_at", "finished_at", "first_text_ms", "duration_ms"),
    *("error", "tool_calls", "usage", "usage_details", "events", "last_seq"),
)


def answer(reel: Reel, query: Query) -> Data | Attachment:
    """Return ``what`` of the run ``id``: ``rows``, ``state``, ``event`` or ``recording``.

    Raises:
        RunNotFound: if there is no such run, or it was pruned.
        UsageError: if a parameter is missing, or the run has no such row.
    """
    run_id, what = query.text("id"), query.text("what")
    if run_id is None:
        raise UsageError("no run is named")
    seq = query.number("seq")
    match what:
        case "rows":
            after = query.number("after")
            return Data(run_reading.columns_after(reel.db, run_id, -1 if after is None else after))
        case "state":
            return Data(_state(reel, run_id, seq))
        case "event":
            return Data(_event(reel, run_id, seq))
        case "recording":
            return _recording(reel, run_id)
    raise UsageError(f"a run has no {what!r}", hint="Ask for rows, state, event or recording.")


def _state(reel: Reel, run_id: str, seq: int | None) -> dict[str, object]:
    found = damaged_runs.state(reel.db, run_id, seq)
    return {
        **json_objects.fill(_STATE, found.summary),
        "text": found.result.text_so_far,
        "damaged": [{"seq": one.seq, "why": one.why} for one in found.damaged],
    }


def _event(reel: Reel, run_id: str, seq: int | None) -> dict[str, object]:
    if seq is None:
        raise UsageError("seq is missing")
    for event in reel.events(run_id, start=seq, stop=seq + 1):
        return {"seq": seq, "kind": event.kind, "type": event.type, "raw": event.raw}
    raise UsageError(f"run {run_id} has no row {seq}")


def _recording(reel: Reel, run_id: str) -> Attachment:
    with TemporaryDirectory() as folder:
        path = Path(folder, "run.reel.jsonl")
        reel.export(path, [run_id])
        return Attachment("run.reel.jsonl", path.read_bytes())
