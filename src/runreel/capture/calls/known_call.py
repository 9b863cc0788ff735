"""What the log knows of a call: requests that it repeats, runs that it may join, its thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runreel.codec.json_values import as_object
from runreel.model.events import CLOSED
from runreel.model.run_keys import call_ids
from runreel.model.status import RunStatus
from runreel.query import requests as stored_requests
from runreel.query import seek
from runreel.sources import request_items, requests
from runreel.store.projections import run_key_queries, run_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runreel.capture.calls.call import ModelCall
    from runreel.model.results import ToolCall, ToolCallList
    from runreel.model.runs import RunSummary
    from runreel.query.requests import StoredRequest, StoredRows
    from runreel.recording.recorder import Recorder
    from runreel.sources.requests import Request
    from runreel.store.connection import Connection

# Keys of arguments that are not a JSON object.
_UNPARSED, _TEXT = "_unparsed", "input"


class Candidate(NamedTuple):
    """A run that a call may join: it ends with the response, or with the tool call, that is named.

    At most one of ``response_id`` and ``call_id`` is set: neither for a source without ids, whose
    run waits for results of tools.
    """

    run: RunSummary
    response_id: str | None = None
    call_id: str | None = None

    def is_free(self, recorder: Recorder) -> bool:
        """Whether the run still ends there, and no other call has joined it."""
        state = recorder.state
        if state.continued:
            return False
        if self.call_id is None:
            return state.metadata.response_id == self.response_id
        return self.call_id in call_ids(state.tool_calls)


class KnownCall(NamedTuple):
    """What the log knows of a call: requests that it repeats, runs that it may join, its thread."""

    earlier: list[StoredRequest]
    candidates: list[Candidate]
    thread_id: str | None


def known(connection: Connection, call: ModelCall, request: Request | None) -> KnownCall:
    """Return what the log knows of a call; ``request`` is its request as it would be stored."""
    named = call.scope.thread_id or requests.conversation_of(call.body) or call.found.thread_id
    if request is None:
        return KnownCall([], [], named)
    rows = stored_requests.StoredRows(connection)
    earlier = stored_requests.earlier_requests(rows, request)
    if call.scope.run_id is not None:
        return KnownCall(earlier, [], named)
    previous = requests.previous_response_of(call.body)
    candidates: list[Candidate] = []
    if previous is not None and not request_items.is_turn_of_user(request):
        candidates = list(_of_response(connection, call.source, previous))
    elif previous is None:
        candidates = list(_of_calls(rows, call, request))
        candidates = candidates or list(_gone_on(connection, call, request, earlier))
    return KnownCall(
        earlier, candidates, named or _thread(connection, request, earlier, candidates, previous)
    )


def _gone_on_from(
    connection: Connection, request: Request, earlier: Sequence[StoredRequest]
) -> StoredRequest | None:
    """Return the earlier request that a request goes on from, with the answer to it."""
    length = len(request.items)
    shorter = [one for one in earlier if one.reference.items < length]
    if not shorter:
        return None
    answer = request_items.answer_after(request, shorter[0].reference.items)
    if answer is None:
        return None
    if len(shorter) > 1:
        # Conversations that begin alike.
        for one in shorter:
            if _text(connection, one.reference.run_id).strip() == answer.strip():
                return one
        return None
    return shorter[0]


def _text(connection: Connection, run_id: str) -> str:
    return seek.projector_at(connection, run_id).transcript.text


def _thread(
    connection: Connection,
    request: Request,
    earlier: Sequence[StoredRequest],
    candidates: Sequence[Candidate],
    previous: str | None,
) -> str | None:
    """Return the thread of the conversation that a request goes on with, None if it begins one."""
    if candidates:
        return candidates[0].run.thread_id or candidates[0].run.run_id
    run_ids: list[str] = []
    if previous is not None:
        run_ids = run_key_queries.runs_with_response(connection, previous, 1)
    elif (base := _gone_on_from(connection, request, earlier)) is not None:
        run_ids = [base.reference.run_id]
    for run in run_table.summaries(connection, run_ids):
        return run.thread_id or run.run_id
    return None


def _of_response(connection: Connection, source: str, response_id: str) -> Iterator[Candidate]:
    run_id = run_key_queries.run_of_response(connection, source, response_id)
    for run in run_table.summaries(connection, [] if run_id is None else [run_id]):
        yield Candidate(run, response_id=response_id)


def _of_calls(rows: StoredRows, call: ModelCall, request: Request) -> Iterator[Candidate]:
    """Yield the runs that wait for the results in a request, the most likely first.

    Servers that number calls from 0 give the same id to calls of many runs: of these, only the run
    is right whose last request the new one repeats.
    """
    outputs = request_items.tool_outputs(request)
    if not outputs or not outputs[-1].call_id:
        return
    connection, call_id = rows.connection, outputs[-1].call_id
    repeated = request_items.repeated_calls(request).get(call_id)
    conversation = requests.conversation_of(call.body)
    run_ids = run_key_queries.runs_with_call(connection, call_id)
    is_repeated = len(run_ids) > 1
    asked = stored_requests.waiting_runs(rows, request) if is_repeated else []
    run_ids = list(dict.fromkeys([*asked, *run_ids]))
    waiting = [
        run
        for run in run_table.summaries(connection, run_ids)
        if run.source == call.source
        and _waits_for(run.tool_calls, call_id, repeated)
        and (conversation is None or run.thread_id == conversation)
    ]
    if is_repeated:
        waiting = _that_asked(connection, waiting, asked)
    for run in waiting:
        yield Candidate(run, call_id=call_id)


def _gone_on(
    connection: Connection, call: ModelCall, request: Request, earlier: Sequence[StoredRequest]
) -> Iterator[Candidate]:
    """Yield the run that a request goes on with, if no id of a tool call says so.

    Its server has paused, and the request gives it the answer so far back; or it waits for results
    of calls to which the server gave no ids. Clients may give them ids of their own.
    """
    number = len(request.items)
    run_ids = [one.reference.run_id for one in earlier if one.reference.items < number]
    if not run_ids:
        return
    if as_object(request.items[-1]).get("role") == "assistant":
        goes_on = _is_paused
    elif request_items.tool_outputs(request):
        goes_on = _waits_without_ids
    else:
        return
    for run in run_table.summaries(connection, run_ids):
        is_named = run.response_id is not None or run.source == requests.YANDEX_COMPLETIONS
        if run.source == call.source and is_named and goes_on(run):
            yield Candidate(run, response_id=run.response_id)


def _is_paused(run: RunSummary) -> bool:
    return run.status is RunStatus.IN_PROGRESS and run.recording == CLOSED


def _waits_without_ids(run: RunSummary) -> bool:
    return run.status is RunStatus.TOOL_CALLS and not call_ids(run.tool_calls)


def _that_asked(
    connection: Connection, runs: Sequence[RunSummary], asked: Sequence[str]
) -> list[RunSummary]:
    """Return those of these runs that ``asked``, then those without a stored request."""
    stored = run_key_queries.runs_with_requests(connection, [run.run_id for run in runs])
    found = [run for run in runs if run.run_id in asked or run.run_id not in stored]
    return sorted(found, key=lambda run: run.run_id not in asked)


def _waits_for(
    calls: ToolCallList | None, call_id: str, repeated: tuple[str, object] | None
) -> bool:
    """Whether these are the calls of a run that waits, and one is that which a request repeats."""
    return any(
        call.id == call_id and (repeated is None or _is_same(call, *repeated))
        for call in calls or ()
    )


def _is_same(call: ToolCall, name: str, arguments: object) -> bool:
    if call.function is None:
        return False
    found = call.function.arguments
    possible = (arguments, {_TEXT: arguments}, {_UNPARSED: arguments})
    return call.function.name == name and (found in possible or (not found and not arguments))
