"""Records streams, finished responses and completions of the openai client."""

from __future__ import annotations

import inspect
from functools import partial
from typing import TYPE_CHECKING, Any

from runreel.capture.openai import request as requests
from runreel.capture.openai import sse_tap
from runreel.capture.openai.response_recording import CHAT, RESPONSES, ResponseRecording
from runreel.capture.openai.streams import (
    RecordedAsyncHelper,
    RecordedAsyncManager,
    RecordedAsyncStream,
    RecordedHelper,
    RecordedManager,
    RecordedStream,
)
from runreel.capture.sync_bridge import completed
from runreel.codec import json_values as pj
from runreel.model.errors import UsageError
from runreel.system import loops

if TYPE_CHECKING:
    from runreel.store.database import Database

# Matched by class name, because their modules differ between versions.
_STREAMS: dict[str, Any] = {"Stream": RecordedStream, "AsyncStream": RecordedAsyncStream}
_HELPERS: dict[str, Any] = {
    "ResponseStream": RecordedHelper,
    "ChatCompletionStream": RecordedHelper,
    "AsyncResponseStream": RecordedAsyncHelper,
    "AsyncChatCompletionStream": RecordedAsyncHelper,
}
_MANAGERS: dict[str, Any] = {
    "ResponseStreamManager": (RecordedManager, RecordedHelper),
    "ChatCompletionStreamManager": (RecordedManager, RecordedHelper),
    "AsyncResponseStreamManager": (RecordedAsyncManager, RecordedAsyncHelper),
    "AsyncChatCompletionStreamManager": (RecordedAsyncManager, RecordedAsyncHelper),
}
_FINISHED = {"Response": RESPONSES, "ChatCompletion": CHAT}
_PATHS = {"/chat/completions": CHAT, "/responses": RESPONSES}
# Keys that the client's `parse` and `stream` add to the server's JSON.
_PARSED = frozenset(("parsed", "parsed_arguments"))


def recorded(
    source: Any,
    database: Database,
    *,
    request: dict[str, Any] | None = None,
    on_error: str = "raise",
    labels: dict[str, str] | None = None,
) -> Any:
    """Return a stream like ``source`` that stores each event before it is yielded.

    ``source`` may be a stream of ``responses.create`` or ``chat.completions.create``, of the
    helpers ``responses.stream`` and ``chat.completions.stream``, or a finished response or
    completion, which is stored at once and returned unchanged. ``request`` holds the arguments
    given to ``create``; it is stored as the run's context, without keys and headers.

    Raises:
        UsageError: if it is something else, or asynchronous without asyncio.
        MissingExtra: if the version of the client is not supported.
        RecordingError: if a finished response cannot be stored.
    """
    if inspect.iscoroutine(source):
        source.close()
        raise UsageError(
            "this call has not been awaited", hint="reel.record(await client.responses.create(...))"
        )
    if _is_asynchronous(source):
        loops.require_asyncio()
    new_recording = partial(
        _recording_of, database, request, {"on_error": on_error, "labels": labels}
    )
    for name in (kind.__name__ for kind in type(source).__mro__):
        if name in _STREAMS:
            return _stream(_STREAMS[name], new_recording, source, source)
        if name in _HELPERS:
            return _helper(_HELPERS[name], new_recording, source)
        if name in _MANAGERS:
            manager, helper = _MANAGERS[name]
            return manager(source, partial(_helper, helper, new_recording))
        if name in _FINISHED:
            recording = new_recording(_FINISHED[name], {}, blocking=True, may_exist=True)
            completed(recording.store_finished(_model_of(source), source))
            return source
    raise UsageError(
        f"cannot record openai's {type(source).__name__}",
        hint="Pass a stream of a response or chat completion, or a finished one.",
    )


def _is_asynchronous(source: Any) -> bool:
    return hasattr(source, "__anext__") or hasattr(source, "__aenter__")


def _helper(kind: Any, new_recording: Any, helper: Any) -> Any:
    stream = getattr(helper, "_raw_stream", None)
    if stream is None:
        raise sse_tap.unknown_version()
    return _stream(kind, new_recording, stream, helper)


def _stream(kind: Any, new_recording: Any, stream: Any, client_object: Any) -> Any:
    path = sse_tap.path(stream)
    source = next((source for part, source in _PATHS.items() if part in path), None)
    if source is None:
        raise UsageError(
            f"cannot record streams from {path}",
            hint="Pass a stream of a response or chat completion.",
        )
    tap = sse_tap.SseTap(stream)
    recording = new_recording(
        source,
        sse_tap.sent_request(stream),
        blocking=not tap.asynchronous,
        id_=sse_tap.requested_id(stream),
        may_exist=not sse_tap.is_creation(stream),
    )
    return kind(client_object, recording, tap)


def _recording_of(
    database: Database,
    request: dict[str, Any] | None,
    options: dict[str, Any],
    source: str,
    sent: dict[str, Any],
    **response: Any,
) -> ResponseRecording:
    return ResponseRecording(
        database, source, requests.capture_request(request, sent), **options, **response
    )


def _model_of(model: Any) -> dict[str, Any]:
    """The server's JSON of a client object, without what the client added."""
    value: dict[str, Any] = model.to_dict(mode="json", warnings=False)
    for item in map(pj.as_object, pj.as_list(value.get("output") or value.get("choices"))):
        for holder in (item, item.get("message"), *pj.as_list(item.get("content"))):
            _strip(holder)
    return value


def _strip(holder: Any) -> None:
    if isinstance(holder, dict):
        for key in _PARSED & holder.keys():
            del holder[key]
        for call in holder.get("tool_calls") or ():
            _strip(call.get("function"))
