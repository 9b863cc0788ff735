"""The keys by which a run is found: ids of its responses and tool calls, digests of requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runreel.model.events import CONTEXT
from runreel.model.run_keys import CALL, EXTENDS, REQUEST, RESPONSE, RunKey, call_ids
from runreel.projection.run_mapper import index_key
from runreel.sources import requests

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.model.results import ToolCallList
    from runreel.projection.run_state import RunState


class KeyedRow(NamedTuple):
    """A row of a run, received ``at`` (µs)."""

    run_id: str
    kind: str
    at: int
    value: object


def added(
    state: RunState, row: KeyedRow, calls: ToolCallList | None, response: str | None
) -> Iterator[RunKey]:
    """Yield the keys of a row that was just applied to ``state``.

    ``calls`` and ``response`` are the tool calls and the id of the last response before it.
    """
    at, seq = row.at, state.last_seq
    if row.kind == CONTEXT:
        key = requests.row_key(state.source, row.value)
        if key is not None:
            yield RunKey(REQUEST, key, at, seq)
        reference = requests.reference_of(row.value)
        if reference is not None and reference.run_id != row.run_id:
            yield RunKey(EXTENDS, str(index_key(reference.run_id)), at, seq)
        return
    now = state.metadata.response_id
    if now is not None and now != response:
        yield RunKey(RESPONSE, str(index_key(now)), at, seq)
    ids = call_ids(state.tool_calls)
    if ids != call_ids(calls):
        for id_ in ids:
            yield RunKey(CALL, str(index_key(id_)), at, seq)
