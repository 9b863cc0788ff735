"""The Assistants service over gRPC, for programs of the Yandex SDK 0.19 to 0.22.

Assistants, threads and messages are those that the program creates; each run that it creates is the
next recorded one of an equal assistant.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

import grpc
from yandex.cloud.ai.assistants.v1 import assistant_pb2
from yandex.cloud.ai.assistants.v1 import assistant_service_pb2 as assistants
from yandex.cloud.ai.assistants.v1.runs import run_pb2
from yandex.cloud.ai.assistants.v1.runs import run_service_pb2 as runs
from yandex.cloud.ai.assistants.v1.threads import message_pb2, thread_pb2
from yandex.cloud.ai.assistants.v1.threads import message_service_pb2 as messages
from yandex.cloud.ai.assistants.v1.threads import thread_service_pb2 as threads
from yandex.cloud.ai.common.common_pb2 import ExpirationConfig
from yandex.cloud.endpoint import api_endpoint_pb2
from yandex.cloud.endpoint import api_endpoint_service_pb2 as endpoints

from runreel.capture.yandex import lossless_json, proto_json
from runreel.model.errors import UsageError
from runreel.projection.json_diff import value_changes
from runreel.serving import assistant_runs
from runreel.serving.assistant_runs import PlayedRun
from runreel.serving.assistant_states import ServedRun
from runreel.serving.difference import words_of
from runreel.system import http_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from runreel.serving.assistant_runs import AssistantRun
    from runreel.serving.timing import Timing
    from runreel.sources.requests import Body

_PACKAGE = "yandex.cloud.ai.assistants.v1."
_SERVICES = ("ai-assistants", "ai-files", "ai-foundation-models")
_THREADS = 64
# Seconds after which a waiting call looks whether its client is still there.
_LOOK = 0.05


class AssistantsServer:
    """Serves recorded runs at ``address``, until ``stop``.

    ``on_problem`` receives why a run was refused.
    """

    def __init__(  # noqa: PLR0913 - what is served, and how
        self,
        recorded: Sequence[AssistantRun],
        host: str,
        port: int,
        *,
        as_timed: Timing,
        strict: bool = False,
        fail_at: int | None = None,
        on_problem: Callable[[str], None],
    ) -> None:
        self._recorded = list(recorded)
        self._used: set[str] = set()
        self._timing, self._strict, self._fail_at = as_timed, strict, fail_at
        self._on_problem = on_problem
        self._numbers = itertools.count(1)
        self._assistants: dict[str, Any] = {}
        self._threads: dict[str, Any] = {}
        self._messages: dict[str, list[Any]] = defaultdict(list)
        self._runs: dict[str, ServedRun] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._server = grpc.server(ThreadPoolExecutor(_THREADS), options=[("grpc.so_reuseport", 0)])
        self._server.add_generic_rpc_handlers(list(self._handlers()))
        shown = f"[{host}]" if ":" in host else host
        self.address = f"{shown}:{_bound(self._server, shown, port)}"
        self._server.start()

    def stop(self) -> None:
        """End all calls."""
        self._stopping.set()
        self._server.stop(grace=None)

    # What the methods answer.

    def _list_endpoints(self, _request: Any, _context: Any) -> Any:
        found = [api_endpoint_pb2.ApiEndpoint(id=one, address=self.address) for one in _SERVICES]
        return endpoints.ListApiEndpointsResponse(endpoints=found)

    def _create_assistant(self, request: Any, _context: Any) -> Any:
        made = assistant_pb2.Assistant(
            id=self._id("assistant"),
            model_uri=request.model_uri,
            name=request.name,
            instruction=request.instruction,
            tools=request.tools,
        )
        made.prompt_truncation_options.auto_strategy.SetInParent()
        made.expiration_config.CopyFrom(_expiration(request))
        self._assistants[made.id] = made
        return made

    def _get_assistant(self, request: Any, context: Any) -> Any:
        return self._assistants.get(request.assistant_id) or self._missing(context, "assistant")

    def _create_thread(self, request: Any, _context: Any) -> Any:
        made = thread_pb2.Thread(id=self._id("thread"), name=request.name, labels=request.labels)
        made.expiration_config.CopyFrom(_expiration(request))
        self._threads[made.id] = made
        return made

    def _get_thread(self, request: Any, context: Any) -> Any:
        return self._threads.get(request.thread_id) or self._missing(context, "thread")

    def _create_message(self, request: Any, _context: Any) -> Any:
        made = message_pb2.Message(
            id=self._id("message"),
            thread_id=request.thread_id,
            author=message_pb2.Author(role=request.author.role or "USER"),
            content=request.content,
            status=message_pb2.Message.COMPLETED,
        )
        self._messages[request.thread_id].append(made)
        return made

    def _list_messages(self, request: Any, _context: Any) -> Iterator[Any]:
        yield from self._messages[request.thread_id]

    def _create_run(self, request: Any, context: Any) -> Any:
        assistant = self._assistants.get(request.assistant_id)
        if assistant is None:
            self._missing(context, "assistant")
        sent = assistant_runs.assistant_of(lossless_json.to_json(assistant))
        with self._lock:
            found = self._next(sent)
        if found is None:
            problem = self._why_none(sent)
            self._on_problem(problem)
            context.abort(grpc.StatusCode.NOT_FOUND, problem)
            raise AssertionError
        number = next(self._numbers)
        id_ = found.run_id if found.run_id not in self._runs else f"{found.run_id}-{number}"
        base = lossless_json.restored(found.states[0] if found.states else {}, run_pb2.Run())
        base.ClearField("usage")
        base.id, base.assistant_id, base.thread_id = id_, request.assistant_id, request.thread_id
        self._runs[id_] = ServedRun(base, PlayedRun(found, self._timing, time.monotonic))
        return self._runs[id_].now()

    def _get_run(self, request: Any, context: Any) -> Any:
        return self._run(request, context).now()

    def _get_last_run(self, request: Any, context: Any) -> Any:
        found = [one for one in self._runs.values() if one.base.thread_id == request.thread_id]
        return found[-1].now() if found else self._missing(context, "run")

    def _listen(self, request: Any, context: Any) -> Iterator[Any]:
        run = self._run(request, context)
        yield from self._events(run, request.events_start_idx.value, context)

    def _attach(self, requests: Iterator[Any], context: Any) -> Iterator[Any]:
        for request in requests:
            run = self._run(request, context)
            if request.HasField("tool_result_list") and not run.played.submit():
                context.abort(grpc.StatusCode.FAILED_PRECONDITION, "no results are waited for")
            yield from self._events(run, request.events_start_idx.value, context)

    def _events(self, run: ServedRun, place: int, context: Any) -> Iterator[Any]:
        """Yield the events from number ``place`` when they are due."""
        steps = run.played.recorded.steps if run.played.recorded.streamed else ()
        for number in range(place, len(steps)):
            if self._fail_at is not None and number >= self._fail_at:
                context.abort(grpc.StatusCode.DATA_LOSS, f"cut off after {number} events")
            while (left := run.played.due_in(number)) is None or left > 0:
                self._stopping.wait(_LOOK if left is None else min(left, _LOOK))
                if self._stopping.is_set() or not context.is_active():
                    return
            yield proto_json.stream_event(steps[number].value)
        if run.played.recorded.cut:
            context.abort(grpc.StatusCode.DATA_LOSS, "the recording does not have its end")

    def _next(self, sent: Body) -> AssistantRun | None:
        """Return the next recording of an equal assistant; None if there is none."""
        fits = self._fitting(sent)
        for one in fits:
            if one.run_id not in self._used:
                self._used.add(one.run_id)
                return one
        return fits[-1] if fits and not self._strict else None

    def _fitting(self, sent: Body) -> list[AssistantRun]:
        return [
            one
            for one in self._recorded
            if one.assistant is None or assistant_runs.assistant_of(one.assistant) == sent
        ]

    def _why_none(self, sent: Body) -> str:
        if fits := self._fitting(sent):
            return f"all runs of this assistant were served already, last {fits[-1].run_id}"
        closest = self._recorded[0]
        recorded = assistant_runs.assistant_of(closest.assistant or {})
        change = next(value_changes(recorded, sent))
        old, new = words_of(change)
        return (
            f"no recorded run has this assistant; at {change.pointer} that of run {closest.run_id}"
            f" has {old or 'nothing'}, and this one has {new or 'nothing'}"
        )

    def _id(self, name: str) -> str:
        return f"{name}-{next(self._numbers)}"

    def _run(self, request: Any, context: Any) -> ServedRun:
        return self._runs.get(request.run_id) or self._missing(context, f"run {request.run_id}")

    def _missing(self, context: Any, name: str) -> NoReturn:
        context.abort(grpc.StatusCode.NOT_FOUND, f"there is no such {name}")
        raise AssertionError

    # How they are reached.

    def _handlers(self) -> Iterator[Any]:
        unary, stream = grpc.unary_unary_rpc_method_handler, grpc.unary_stream_rpc_method_handler
        both = grpc.stream_stream_rpc_method_handler
        services: dict[str, dict[str, tuple[Any, Any, Any]]] = {
            "yandex.cloud.endpoint.ApiEndpointService": {
                "List": (unary, self._list_endpoints, endpoints.ListApiEndpointsRequest),
            },
            f"{_PACKAGE}AssistantService": {
                "Create": (unary, self._create_assistant, assistants.CreateAssistantRequest),
                "Get": (unary, self._get_assistant, assistants.GetAssistantRequest),
            },
            f"{_PACKAGE}threads.ThreadService": {
                "Create": (unary, self._create_thread, threads.CreateThreadRequest),
                "Get": (unary, self._get_thread, threads.GetThreadRequest),
            },
            f"{_PACKAGE}threads.MessageService": {
                "Create": (unary, self._create_message, messages.CreateMessageRequest),
                "List": (stream, self._list_messages, messages.ListMessagesRequest),
            },
            f"{_PACKAGE}runs.RunService": {
                "Create": (unary, self._create_run, runs.CreateRunRequest),
                "Get": (unary, self._get_run, runs.GetRunRequest),
                "GetLastByThread": (unary, self._get_last_run, runs.GetLastRunByThreadRequest),
                "Listen": (stream, self._listen, runs.ListenRunRequest),
                "Attach": (both, self._attach, runs.AttachRunRequest),
            },
        }
        for service, methods in services.items():
            yield grpc.method_handlers_generic_handler(
                service,
                {
                    name: kind(
                        answer,
                        request_deserializer=request.FromString,
                        response_serializer=lambda message: message.SerializeToString(),
                    )
                    for name, (kind, answer, request) in methods.items()
                },
            )


def _expiration(request: Any) -> Any:
    """Return what a request says about the expiration; the service has a default."""
    given = request.expiration_config
    default = ExpirationConfig(expiration_policy=ExpirationConfig.STATIC, ttl_days=7)
    return given if given.expiration_policy else default


def _bound(server: Any, host: str, port: int) -> int:
    """Listen on a port, or on any free one, and return it."""
    for one in (port, 0):
        with suppress(UsageError, RuntimeError):
            # gRPC prints an error of its own about a port that is in use.
            http_server.listen(host.strip("[]"), one).close()
            return int(server.add_insecure_port(f"{host}:{one}"))
    raise UsageError(f"cannot listen on host {host!r} for gRPC")
