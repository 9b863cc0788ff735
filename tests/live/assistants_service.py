"""A gRPC service that speaks the Assistants protos, for the unmodified SDK on this machine.

``AIStudio(**service.settings)`` talks to it in the clear, ``service.environment`` to one with TLS.
"""

from __future__ import annotations

import itertools
import threading
from collections import defaultdict, deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, Self

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from yandex.cloud.ai.assistants.v1 import assistant_pb2
from yandex.cloud.ai.assistants.v1 import assistant_service_pb2 as assistants
from yandex.cloud.ai.assistants.v1.common_pb2 import PromptTruncationOptions
from yandex.cloud.ai.assistants.v1.runs import run_pb2
from yandex.cloud.ai.assistants.v1.runs import run_service_pb2 as runs
from yandex.cloud.ai.assistants.v1.threads import message_pb2, thread_pb2
from yandex.cloud.ai.assistants.v1.threads import message_service_pb2 as messages
from yandex.cloud.ai.assistants.v1.threads import thread_service_pb2 as threads
from yandex.cloud.ai.common.common_pb2 import ExpirationConfig
from yandex.cloud.endpoint import api_endpoint_pb2
from yandex.cloud.endpoint import api_endpoint_service_pb2 as endpoints

from tests.live.assistants_script import PlayedRun, Script
from tests.live.certificate import Certificate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ASSISTANTS = "yandex.cloud.ai.assistants.v1."
MODEL = "gpt://folder/yandexgpt/latest"
_CREATED = Timestamp(seconds=1_760_000_000, nanos=123_000_000)
_EXPIRES = ExpirationConfig(expiration_policy=ExpirationConfig.STATIC, ttl_days=7)
_CONTEXT = grpc.ServicerContext


class Call(NamedTuple):
    """A request that came in."""

    method: str
    request: Any
    metadata: dict[str, str]


class AssistantsService:
    """The service. ``scripts`` are played by the runs that are created next, one each."""

    def __init__(self, *, key: str | None = None, tls_in: Path | None = None) -> None:
        self.scripts: deque[Script] = deque()
        self.runs: dict[str, PlayedRun] = {}
        self.calls: list[Call] = []
        self.silent = False
        self.listening = 0
        self._key = key
        self._numbers = itertools.count(1)
        self._assistants: dict[str, Any] = {}
        self._threads: dict[str, Any] = {}
        self._messages: dict[str, list[Any]] = defaultdict(list)
        self._stopping = threading.Event()
        self._counting = threading.Lock()
        self._server = grpc.server(ThreadPoolExecutor(64))
        self._server.add_generic_rpc_handlers(list(self._handlers()))
        self._certificate = None if tls_in is None else Certificate(tls_in)
        if self._certificate is None:
            port = self._server.add_insecure_port("127.0.0.1:0")
            self.address = f"127.0.0.1:{port}"
        else:
            credentials = grpc.ssl_server_credentials([self._certificate.pair])
            self.address = f"localhost:{self._server.add_secure_port('localhost:0', credentials)}"

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._server.stop(grace=0.0).wait()

    @property
    def settings(self) -> dict[str, Any]:
        """Arguments for ``AIStudio`` and ``AsyncAIStudio``."""
        return {
            "folder_id": "folder",
            "endpoint": self.address,
            "auth": self._key or "key",
            "verify": False,
        }

    @property
    def environment(self) -> dict[str, str]:
        """Variables that send an unmodified program here; needs TLS."""
        assert self._certificate is not None
        return {
            "YC_API_ENDPOINT": self.address,
            "YC_API_KEY": self._key or "key",
            "YC_FOLDER_ID": "folder",
            "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(self._certificate.path),
        }

    def play(self, script: Script, run_id: str = "") -> str:
        """Begin a run that nobody created; its id."""
        return self._begin(self._new_assistant(), "thread-of-old", script, run_id=run_id)

    def requests(self, method: str) -> list[Any]:
        """The requests that one method has got."""
        return [call.request for call in self.calls if call.method == method]

    def _begin(
        self,
        assistant_id: str,
        thread_id: str,
        script: Script,
        *,
        run_id: str = "",
        stream: bool = True,
    ) -> str:
        run_id = run_id or f"run-{next(self._numbers)}"
        base = run_pb2.Run(
            id=run_id,
            assistant_id=assistant_id,
            thread_id=thread_id,
            created_by="user-1",
            created_at=_CREATED,
            custom_prompt_truncation_options=PromptTruncationOptions(
                auto_strategy=PromptTruncationOptions.AutoStrategy()
            ),
        )
        self.runs[run_id] = PlayedRun(base, script, stream=stream)
        return run_id

    def _new_assistant(self, request: Any = None) -> str:
        made = assistant_pb2.Assistant(id=f"assistant-{next(self._numbers)}", model_uri=MODEL)
        made.prompt_truncation_options.auto_strategy.SetInParent()
        made.expiration_config.CopyFrom(_EXPIRES)
        made.created_at.CopyFrom(_CREATED)
        if request is not None:
            made.model_uri = request.model_uri
            made.name, made.instruction = request.name, request.instruction
            made.tools.extend(request.tools)
        self._assistants[made.id] = made
        return str(made.id)

    # What the methods answer.

    def _list_endpoints(self, _request: Any, _context: _CONTEXT) -> Any:
        found = [
            api_endpoint_pb2.ApiEndpoint(id=service, address=self.address)
            for service in ("ai-assistants", "ai-files", "ai-foundation-models")
        ]
        return endpoints.ListApiEndpointsResponse(endpoints=found)

    def _create_assistant(self, request: Any, _context: _CONTEXT) -> Any:
        return self._assistants[self._new_assistant(request)]

    def _get_assistant(self, request: Any, context: _CONTEXT) -> Any:
        return self._assistants.get(request.assistant_id) or _not_found(context, "assistant")

    def _create_thread(self, request: Any, _context: _CONTEXT) -> Any:
        made = thread_pb2.Thread(id=f"thread-{next(self._numbers)}", expiration_config=_EXPIRES)
        made.labels.update(request.labels)
        self._threads[made.id] = made
        return made

    def _get_thread(self, request: Any, context: _CONTEXT) -> Any:
        return self._threads.get(request.thread_id) or _not_found(context, "thread")

    def _create_message(self, request: Any, _context: _CONTEXT) -> Any:
        made = message_pb2.Message(
            id=f"message-{next(self._numbers)}",
            thread_id=request.thread_id,
            author=message_pb2.Author(role=request.author.role or "USER"),
            content=request.content,
            status=message_pb2.Message.COMPLETED,
        )
        self._messages[request.thread_id].append(made)
        return made

    def _list_messages(self, request: Any, _context: _CONTEXT) -> Iterator[Any]:
        yield from self._messages[request.thread_id]

    def _create_run(self, request: Any, context: _CONTEXT) -> Any:
        if request.assistant_id not in self._assistants:
            _not_found(context, "assistant")
        script = self.scripts.popleft() if self.scripts else Script()
        run_id = self._begin(request.assistant_id, request.thread_id, script, stream=request.stream)
        return self.runs[run_id].get()

    def _get_run(self, request: Any, context: _CONTEXT) -> Any:
        return self._run(request, context).get()

    def _get_last_run(self, request: Any, context: _CONTEXT) -> Any:
        of_thread = [run for run in self.runs.values() if run.base.thread_id == request.thread_id]
        return of_thread[-1].get() if of_thread else _not_found(context, "run")

    def _listen(self, request: Any, context: _CONTEXT) -> Iterator[Any]:
        run = self._run(request, context)
        with self._counting:
            self.listening += 1
        context.add_callback(self._left)
        with run.changed:
            listener, run.listeners = run.listeners, run.listeners + 1
            fault = run.script.faults.pop(0) if run.script.faults else None
        if run.script.broken is not None:
            context.abort(run.script.broken, "broken for good")
        start = request.events_start_idx.value
        events = self._events(run, start, context)
        for sent in itertools.count():
            if fault is not None and fault.after == sent:
                self._break(fault, context)
                return
            event = next(events, None)
            if event is None:
                return
            told = event if run.script.retell is None else run.script.retell(listener, event)
            for _ in range(1 + (start + sent in run.script.twice)):
                yield told

    def _left(self) -> None:
        with self._counting:
            self.listening -= 1

    def _attach(self, requests: Iterator[Any], context: _CONTEXT) -> Iterator[Any]:
        for request in requests:
            self.calls.append(Call("Attach", request, {}))
            run = self._run(request, context)
            if request.HasField("tool_result_list") and not run.submit(request.tool_result_list):
                context.abort(grpc.StatusCode.FAILED_PRECONDITION, "no results are waited for")
            yield from self._events(run, request.events_start_idx.value, context)

    def _events(self, run: PlayedRun, position: int, context: _CONTEXT) -> Iterator[Any]:
        while run.wait_for(position, self._alive(context)):
            event = run.events[position]
            yield event
            position += 1
            calls = isinstance(event, runs.StreamEvent) and event.HasField("tool_call_list")
            if run.script.closes_at_calls and calls and len(run.events) == position:
                return

    def _break(self, fault: Any, context: _CONTEXT) -> None:
        while fault.code is None and self._alive(context)():
            self._stopping.wait(0.02)
        if fault.code not in (None, grpc.StatusCode.OK):
            context.abort(fault.code, "broken on purpose")

    def _alive(self, context: _CONTEXT) -> Callable[[], bool]:
        return lambda: bool(context.is_active()) and not self._stopping.is_set()

    def _run(self, request: Any, context: _CONTEXT) -> PlayedRun:
        return self.runs.get(request.run_id) or _not_found(context, f"run {request.run_id}")

    # How they are reached.

    def _handlers(self) -> Iterator[Any]:
        unary, stream = grpc.unary_unary_rpc_method_handler, grpc.unary_stream_rpc_method_handler
        services: dict[str, dict[str, tuple[Any, Any, Any]]] = {
            "yandex.cloud.endpoint.ApiEndpointService": {
                "List": (unary, self._list_endpoints, endpoints.ListApiEndpointsRequest),
            },
            f"{ASSISTANTS}AssistantService": {
                "Create": (unary, self._create_assistant, assistants.CreateAssistantRequest),
                "Get": (unary, self._get_assistant, assistants.GetAssistantRequest),
            },
            f"{ASSISTANTS}threads.ThreadService": {
                "Create": (unary, self._create_thread, threads.CreateThreadRequest),
                "Get": (unary, self._get_thread, threads.GetThreadRequest),
            },
            f"{ASSISTANTS}threads.MessageService": {
                "Create": (unary, self._create_message, messages.CreateMessageRequest),
                "List": (stream, self._list_messages, messages.ListMessagesRequest),
            },
            f"{ASSISTANTS}runs.RunService": {
                "Create": (unary, self._create_run, runs.CreateRunRequest),
                "Get": (unary, self._get_run, runs.GetRunRequest),
                "GetLastByThread": (unary, self._get_last_run, runs.GetLastRunByThreadRequest),
                "Listen": (stream, self._listen, runs.ListenRunRequest),
                "Attach": (
                    grpc.stream_stream_rpc_method_handler,
                    self._attach,
                    runs.AttachRunRequest,
                ),
            },
        }
        for service, methods in services.items():
            handlers = {
                name: kind(
                    self._logged(f"{service.rpartition('.')[2]}.{name}", answer),
                    request_deserializer=request.FromString,
                    response_serializer=_serialized,
                )
                for name, (kind, answer, request) in methods.items()
            }
            yield grpc.method_handlers_generic_handler(service, handlers)

    def _logged(self, name: str, answer: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        def answered(request: Any, context: Any) -> Any:
            metadata = dict(context.invocation_metadata())
            self.calls.append(Call(name, request, metadata))
            while self.silent and self._alive(context)():
                self._stopping.wait(0.02)
            expected = f"Api-Key {self._key}"
            public = name.startswith("ApiEndpoint")
            if self._key and not public and metadata.get("authorization") != expected:
                context.abort(grpc.StatusCode.UNAUTHENTICATED, "the key is wrong")
            return answer(request, context)

        return answered


def _serialized(message: Any) -> bytes:
    return message if isinstance(message, bytes) else message.SerializeToString()


def _not_found(context: _CONTEXT, what: str) -> NoReturn:
    context.abort(grpc.StatusCode.NOT_FOUND, f"{what} is not there")
    raise AssertionError
