"""A gRPC interceptor that records the answers of ``sdk.models.completions``."""

from __future__ import annotations

import asyncio
import re
import time
from typing import TYPE_CHECKING, NamedTuple

import grpc

from runreel.capture import marks, scope
from runreel.capture.calls.call import model_call
from runreel.capture.calls.recording import CallRecording
from runreel.capture.streams.exits import ABANDONED
from runreel.capture.streams.response_recording import CUT
from runreel.capture.yandex.lossless_json import to_json
from runreel.capture.yandex.recorded_call import RecordedCall, method_of
from runreel.codec import json_text
from runreel.model.errors import BadValue
from runreel.sources.requests import YANDEX_COMPLETIONS
from runreel.system import loops

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from google.protobuf.message import Message

    from runreel.capture.yandex.recorded_call import CallDetails, Continuation
    from runreel.store.database import Database

_METHOD = "/yandex.cloud.ai.foundation_models.v1.TextGenerationService/Completion"
# The folder, which names the account, is the first part of the path of a model.
_FOLDER = re.compile(r"^(\w+://)[^/]+/(?=.)").sub


class _Sent(NamedTuple):
    """The program's call."""

    call: grpc.aio.UnaryStreamCall


class Completions(grpc.aio.UnaryStreamClientInterceptor):  # type: ignore[misc]  # grpc has no types
    """Intercepts streams of completions; others pass untouched."""

    def __init__(self, database: Database, on_error: str) -> None:
        self._database = database
        self._on_error = on_error

    async def intercept_unary_stream(
        self, continuation: Continuation, client_call_details: CallDetails, request: Message
    ) -> grpc.aio.Call:
        """Store the request before it is sent, and each message before the program gets it."""
        if method_of(client_call_details) != _METHOD:
            return await continuation(client_call_details, request)
        recording = self._recording(request)
        await recording.before_send()
        try:
            sent = _Sent(await continuation(client_call_details, request))
        except BaseException as error:
            await loops.run_to_end(_end_after(error, recording))
            raise
        return RecordedCall(sent, _messages(sent.call, recording))

    def _recording(self, request: Message) -> CallRecording:
        log = marks.log_name(self._database)
        marks.observe(log)
        call = model_call(
            YANDEX_COMPLETIONS,
            _request(request),
            requested_at=time.time_ns() // 1000,
            scope=scope.current(log),
        )
        return CallRecording(self._database, call, on_error=self._on_error, blocking=False)


async def _messages(
    call: grpc.aio.UnaryStreamCall, recording: CallRecording
) -> AsyncGenerator[Message, None]:
    """Yield the messages of an answer, each after it was stored."""
    try:
        async for message in call:
            if message is None:  # grpcio could not read its bytes
                recording.leave_out(BadValue("its bytes are no message of the service"))
            else:
                await recording.store_texts([json_text.dumps(to_json(message))], message)
            yield message
        await recording.end(CUT)
    except GeneratorExit:
        call.cancel()
        if loops.current() is None:
            # Nothing can be awaited: the event loop is gone.
            recording.end_in_thread(ABANDONED)
        else:
            await loops.run_to_end(recording.end(ABANDONED))
        raise
    except BaseException as error:
        call.cancel()
        await loops.run_to_end(_end_after(error, recording))
        raise


async def _end_after(error: BaseException, recording: CallRecording) -> None:
    """End a recording after an error: one of the service is a failure of the run."""
    if isinstance(error, grpc.RpcError) and not isinstance(error, asyncio.CancelledError):
        await recording.attempt_failed(error=_reason(error))
    else:
        await recording.end(type(error).__name__)


def _reason(error: grpc.RpcError) -> str:
    code, details = error.code(), error.details()
    name = code.name if isinstance(code, grpc.StatusCode) else str(code)
    return f"gRPC status {name}: {details}" if details else f"gRPC status {name}"


def _request(request: Message) -> dict[str, object]:
    """A request as it may be stored: without the folder of its model."""
    body = to_json(request)
    model = body.get("modelUri")
    if isinstance(model, str):
        body["modelUri"] = _FOLDER(r"\1", model)
    return body
