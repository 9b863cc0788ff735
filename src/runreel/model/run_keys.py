"""Keys by which a run is found."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runreel.model.results import ToolCallList

# Kinds of keys.
RESPONSE = "response"
CALL = "call"
REQUEST = "request"
# The id of another run, whose request a request of this one repeats.
EXTENDS = "extends"


class RunKey(NamedTuple):
    """A key of a run, with the time (µs) and position of the row that has it."""

    kind: str
    key: str
    at: int
    seq: int


def sort_keys(keys: Iterable[RunKey]) -> list[RunKey]:
    """Sort keys; values of any type, since a damaged table may hold any."""
    found = list(keys)
    if len(found) > 1:
        found.sort(key=repr)
    return found


def call_ids(calls: ToolCallList | None) -> list[str]:
    """Return the ids of tool calls, each once; a call may have none."""
    found = (call.id for call in calls or ())
    return list(dict.fromkeys(id_ for id_ in found if id_))
