"""Chooses the run of a call, and begins its recording before the request is sent.

A call that brings back results of tools joins the run whose model asked for them, if that run still
waits. Any other call begins a run; one that repeats a conversation is in the thread of that
conversation.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import msgspec

from runreel.capture.calls import known_call
from runreel.codec.json_values import as_object
from runreel.model.errors import RunPruned
from runreel.model.events import CONTEXT, TOOL_RESULTS
from runreel.model.run_keys import call_ids
from runreel.model.timestamps import rfc3339
from runreel.query import requests as stored_requests
from runreel.recording.recorder import Recorder
from runreel.sources import request_items, requests

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runreel.capture.calls.call import ModelCall
    from runreel.capture.calls.known_call import Candidate
    from runreel.model.results import ToolCallList
    from runreel.query.requests import StoredRequest
    from runreel.sources.request_items import ToolOutput
    from runreel.sources.requests import Request
    from runreel.store.database import Database


# Keys that say which call a tool result belongs to.
_IDENTITY = frozenset(("type", "role", "call_id", "tool_call_id", "tool_use_id"))


def begin(database: Database, call: ModelCall, *, store_request: bool) -> Recorder:
    """Begin the recording of a call; its request is stored with the first note.

    Of several calls that may join the same run, in any number of processes, the first one does.
    """
    request = call.request
    masked = _masked(database, request)
    with database.reading() as connection:
        known = known_call.known(connection, call, masked)
    context: list[tuple[str, object]] = []
    if store_request and call.body:
        context.append((CONTEXT, _stored_form(call, request, masked, known.earlier)))
    outputs = [] if request is None else request_items.tool_outputs(request)
    if not store_request:
        outputs = [output._replace(item=_without_content(output.item)) for output in outputs]
    if call.scope.run_id is not None:
        return _named(database, call, call.scope.run_id, context, outputs)
    for candidate in known.candidates:
        joined = _join(database, call, candidate, context, outputs)
        if joined is not None:
            return joined
    run_id = f"run_{uuid.uuid4().hex}"
    recorder = _recorder(database, call, run_id, {"thread_id": known.thread_id or run_id})
    if requests.previous_response_of(call.body) is None:
        # Another call has joined the run that waited for these.
        outputs = _waited_for(
            known.candidates[0].run.tool_calls if known.candidates else None, outputs
        )
    recorder.begin(lambda: True, [*context, *_results(outputs)], fresh=True)
    return recorder


def _named(
    database: Database,
    call: ModelCall,
    run_id: str,
    context: list[tuple[str, object]],
    outputs: Sequence[ToolOutput],
) -> Recorder:
    """Begin in the run that the program names."""
    new = call.scope.thread_id or call.found.thread_id
    recorder = _recorder(database, call, run_id, {"thread_id": new})
    state = recorder.state
    if state.last_seq >= 0:
        outputs = _waited_for(state.tool_calls, outputs)
        recorder = _recorder(database, call, run_id, {"after": state.metadata.response_id})
    recorder.begin(lambda: True, [*context, *_results(outputs)], fresh=True)
    return recorder


def _join(
    database: Database,
    call: ModelCall,
    candidate: Candidate,
    context: list[tuple[str, object]],
    outputs: Sequence[ToolOutput],
) -> Recorder | None:
    """Continue the run of a candidate; None if another call has done so."""
    run = candidate.run
    after: dict[str, object] = {"after": run.response_id}
    if candidate.call_id is not None:
        outputs = _waited_for(run.tool_calls, outputs)
        after["call"] = candidate.call_id
    try:
        recorder = _recorder(database, call, run.run_id, after)
        values = [*context, *_results(outputs)]
        joined = recorder.begin(lambda: candidate.is_free(recorder), values, fresh=True)
    except RunPruned:
        return None
    return recorder if joined else None


def _recorder(
    database: Database, call: ModelCall, run_id: str, attributes: dict[str, object]
) -> Recorder:
    identity = {
        "assistant_id": call.scope.assistant_id,
        "labels": call.labels,
        "requested_at": rfc3339(call.requested_at),
        **attributes,
    }
    return Recorder(
        database,
        run_id,
        source=call.source,
        via="live",
        identity={key: value for key, value in identity.items() if value or key == "after"},
    )


def _results(outputs: Sequence[ToolOutput]) -> Iterator[tuple[str, object]]:
    if outputs:
        yield TOOL_RESULTS, {"tool_results": [output.item for output in outputs]}


def _without_content(item: object) -> object:
    """Which call a tool result belongs to, without the result."""
    return {key: value for key, value in as_object(item).items() if key in _IDENTITY}


def _waited_for(calls: ToolCallList | None, outputs: Sequence[ToolOutput]) -> list[ToolOutput]:
    waiting = call_ids(calls)
    return [output for output in outputs if output.call_id in waiting]


def _masked(database: Database, request: Request | None) -> Request | None:
    """Return a request as a recorder of this database stores it."""
    if request is None or not database.masking:
        return request
    from runreel.codec.secret_masking import StreamSecretFilter

    secret_filter = StreamSecretFilter(database.masking, lambda _: None)
    return request._replace(
        items=secret_filter.apply(request.items),
        parameters=secret_filter.apply(request.parameters),
    )


def _stored_form(
    call: ModelCall,
    request: Request | None,
    masked: Request | None,
    earlier: Sequence[StoredRequest],
) -> object:
    if request is None or masked is None or not earlier:
        return call.body
    base = earlier[0]
    # The last item is always stored: by it the request is found.
    number = min(base.reference.items, len(request.items) - 1)
    if number == 0 or base.reference.depth >= stored_requests.MAX_DEPTH:
        return call.body
    same = requests.long_parameters_in_common(masked, base.request)
    return requests.stored_form(
        request, msgspec.structs.replace(base.reference, items=number), same
    )
