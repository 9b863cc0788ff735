"""What is left of a run that was pruned: one row, in the place behind the last that went."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, NamedTuple

from runreel.codec import json_text, plain_json
from runreel.integrity import digest_chain
from runreel.model.errors import BadValue
from runreel.model.events import NOTE, PRUNED
from runreel.model.results import UsageDetails
from runreel.model.status import RunStatus
from runreel.model.timestamps import from_micros
from runreel.projection.run_state import RunState

if TYPE_CHECKING:
    from runreel.model.events import EventRow

# What usage is reported by, beside the labels; times are µs.
_KEPT = (
    "assistant_id",
    "thread_id",
    "created_by",
    "model",
    "created_at",
    "started_at",
    "finished_at",
)


class Tombstone(NamedTuple):
    """Where a run ended before it was pruned: the last row's seq and digest."""

    seq: int
    digest: bytes


def tombstone_of(row: EventRow) -> Tombstone | None:
    """What a run's first row says of those that stood before it; None if it is no tombstone.

    It is one only if its digest follows from what it says.
    """
    if (row.kind, row.type) != (NOTE, PRUNED) or row.payload is None or row.salt is None:
        return None
    try:
        told = json_text.loads(row.payload)
        stone = Tombstone(told["seq"], bytes.fromhex(told["digest"]))
        committed = digest_chain.commitment(row.salt, row.payload)
        digest = digest_chain.digest(stone.digest, *row[:9], committed)
    except (BadValue, KeyError, TypeError, ValueError, AttributeError, struct.error):
        return None
    right = type(stone.seq) is int and stone.seq == row.seq - 1 and len(stone.digest) == 32
    return stone if right and digest == row.digest else None


def is_tombstone(row: EventRow) -> bool:
    """Whether a row says that what stood before it was pruned."""
    return row.kind == NOTE and row.type == PRUNED


def tombstone_value(
    state: RunState, digest: bytes, *, reason: str | None, actor: str | None, keep_usage: bool
) -> dict[str, Any]:
    """What the tombstone of a run says that ends in ``state``, by a row of this digest."""
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
    """The state that a tombstone leaves of its run, as of the last row that went.

    Raises:
        KeyError, TypeError: if it is not what ``told`` says.
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
    for name in _KEPT:
        setattr(state, name, kept[name])
    # Tombstones of earlier versions do not have it.
    state.requested_at = kept.get("requested_at")
    state.status = RunStatus.coerce(kept["status"])
    state.labels = dict(kept["labels"])
    state.usage = plain_json.usage(kept["usage"])
    details = kept["usage_details"]
    state.details = None if details is None else UsageDetails(**details)
    return state


def pruned_message(row: EventRow) -> str:
    """That the run of a tombstone was pruned: when, by whom and why."""
    try:
        value = plain_json.as_object(json_text.loads(row.payload or "{}"))
    except BadValue:
        value = {}
    when = from_micros(row.at).isoformat(" ", "seconds").removesuffix("+00:00")
    who, why = value.get("actor"), value.get("reason")
    by = f" by {who}" if who else ""
    because = f": {why}" if why else ""
    return f"run {row.run_id} was pruned at {when} UTC{by}{because}"


def _kept(state: RunState) -> dict[str, Any]:
    """What usage reports count and group by, and no word of what was said."""
    details = state.details
    return {
        "status": state.status.name,
        **{name: getattr(state, name) for name in _KEPT},
        "requested_at": state.requested_at,
        "labels": state.labels,
        "usage": plain_json.usage_value(state.usage),
        "usage_details": None
        if details is None
        else {"cached_tokens": details.cached_tokens, "reasoning_tokens": details.reasoning_tokens},
    }
