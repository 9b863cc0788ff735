"""The tombstone of a pruned run: one row, at the position after the last deleted row."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from runreel.codec import json_text, plain_json
from runreel.codec.json_values import as_object
from runreel.codec.source_protocol import RunMetadata
from runreel.integrity import digest_chain
from runreel.model.errors import BadValue
from runreel.model.events import NOTE, PRUNED
from runreel.model.results import UsageDetails
from runreel.model.status import RunStatus
from runreel.model.timestamps import from_micros
from runreel.projection.run_state import ModelCall, RunState

if TYPE_CHECKING:
    from runreel.model.events import EventRow

# Metadata that usage reports count and group by, other than labels.
_KEPT = ("assistant_id", "thread_id", "created_by", "model", "created_at")
# The same; missing in tombstones of earlier versions.
_KEPT_LATER = ("requested_at", "service_tier", "billed_model")


class Tombstone(NamedTuple):
    """The head of a run before it was pruned: its last position and digest."""

    seq: int
    digest: bytes


def tombstone_of(row: EventRow) -> Tombstone | None:
    """Parse a run's first row as a tombstone; None if it is not a valid one.

    It is valid only if its digest follows from the head that it names.
    """
    if (row.kind, row.type) != (NOTE, PRUNED) or row.payload is None or row.salt is None:
        return None
    try:
        value = json_text.loads(row.payload)
        found = Tombstone(value["seq"], bytes.fromhex(value["digest"]))
        committed = digest_chain.commitment(row.salt, row.payload)
        digest = digest_chain.digest(found.digest, *row[:9], committed)
    except (BadValue, KeyError, TypeError, ValueError, AttributeError, struct.error):
        return None
    plausible = type(found.seq) is int and found.seq == row.seq - 1 and len(found.digest) == 32
    return found if plausible and digest == row.digest else None


def is_tombstone(row: EventRow) -> bool:
    """True if the row replaces pruned rows."""
    return row.kind == NOTE and row.type == PRUNED


def tombstone_value(
    state: RunState, digest: bytes, *, reason: str | None, actor: str | None, keep_usage: bool
) -> dict[str, object]:
    """Build the payload of a tombstone; ``state`` and ``digest`` are those of the last row."""
    value = {
        "source": state.source,
        "events": state.last_seq + 1,
        "seq": state.last_seq,
        "digest": digest.hex(),
        "reason": reason,
        "actor": actor,
    }
    return value | {"kept": _kept(state)} if keep_usage else value


def state_from_tombstone(value: Any) -> RunState:
    """Restore the state of a pruned run as of its last deleted row.

    Raises:
        KeyError, TypeError: if ``value`` is not a tombstone's payload.
    """
    kept = value.get("kept")
    state = RunState(
        source=value["source"],
        recording=PRUNED,
        last_seq=value["seq"],
        has_projection=kept is not None,
    )
    if kept is None:
        return state
    state.metadata = RunMetadata(
        **{name: kept[name] for name in _KEPT},
        labels=dict(kept["labels"]),
        **{name: kept.get(name) for name in _KEPT_LATER},
    )
    state.started_at, state.finished_at = kept["started_at"], kept["finished_at"]
    state.status = RunStatus.coerce(kept["status"])
    state.usage = plain_json.usage(kept["usage"])
    details = kept["usage_details"]
    state.details = None if details is None else UsageDetails(**details)
    state.calls = msgspec.convert(kept.get("calls", ()), tuple[ModelCall, ...])
    return state


def pruned_message(row: EventRow) -> str:
    """Say when, by whom and why the run of a tombstone was pruned."""
    try:
        value = as_object(json_text.loads(row.payload or "{}"))
    except BadValue:
        value = {}
    when = from_micros(row.at).isoformat(" ", "seconds").removesuffix("+00:00")
    who, why = value.get("actor"), value.get("reason")
    by = f" by {who}" if who else ""
    because = f": {why}" if why else ""
    return f"run {row.run_id} was pruned at {when} UTC{by}{because}"


def _kept(state: RunState) -> dict[str, object]:
    """Return the fields that usage reports count and group by, without any content."""
    details, metadata = state.details, state.metadata
    return {
        "status": state.status.name,
        **{name: getattr(metadata, name) for name in (*_KEPT, *_KEPT_LATER)},
        "started_at": state.started_at,
        "finished_at": state.finished_at,
        "labels": metadata.labels or {},
        "usage": plain_json.usage_value(state.usage),
        "usage_details": details and msgspec.to_builtins(details),
        "calls": msgspec.to_builtins(state.calls),
    }
