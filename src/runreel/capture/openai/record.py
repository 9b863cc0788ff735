"""Recording what the openai client gives: streams, finished responses and completions."""

from __future__ import annotations

import inspect
from functools import partial
from typing import TYPE_CHECKING, Any

from runreel.capture.openai import request as requests
from runreel.capture.openai import sse_tap as wires
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
from runreel.codec import plain_json as pj
from runreel.model.errors import UsageError
from runreel.system import loops

if TYPE_CHECKING:
    from runreel.store.database import Database

# By their names: the modules that they are in move from version to version.
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
# What the client's `parse` and `stream` add to what the server says.
_PARSED = frozenset(("parsed", "parsed_arguments"))


def recorded(
    source: Any,
    database: Database,
    *,
    request: dict[str, Any] | None = None,
    on_error: str = "raise",
    labels: dict[str, str] | None = None,
) -> Any:
    """The like of ``source``, a stream, each event of which is stored before it is yielded.

    ``source`` may be a stream of ``responses.create`` or ``chat.completions.create``, of the
    helpers ``responses.stream`` and ``chat.completions.stream``, or a finished response or
    completion, which is stored at once and answered itself. ``request`` is what it was asked for
    with, as given to ``create``; it is stored as the run's context, without keys and headers.

    Raises:
        UsageError: if it is something else, or asynchronous and not run by asyncio.
        MissingExtra: if the client is none that runreel knows.
        RecordingError: if a finished response cannot be stored.
    """
    if inspect.iscoroutine(source):
        source.close()
        raise UsageError(
            "this call has not been awaited", hint="reel.record(await client.responses.create(...))"
        )
    if _asynchronous(source):
        loops.require_asyncio()
    take = partial(_recording_of, database, request, {"on_error": on_error, "labels": labels})
    for name in (kind.__name__ for kind in type(source).__mro__):
        if name in _STREAMS:
            return _stream(_STREAMS[name], take, source, source)
        if name in _HELPERS:
            return _helper(_HELPERS[name], take, source)
        if name in _MANAGERS:
            manager, helper = _MANAGERS[name]
            return manager(source, partial(_helper, helper, take))
        if name in _FINISHED:
            made = take(_FINISHED[name], {}, blocking=True, again=True)
            completed(made.store_finished(_model_of(source), source))
            return source
    raise UsageError(
        f"runreel does not know how to record openai's {type(source).__name__}",
        hint="Streams of responses and of chat completions, or what they come to.",
    )


def _asynchronous(source: Any) -> bool:
    return hasattr(source, "__anext__") or hasattr(source, "__aenter__")


def _helper(kind: Any, take: Any, helper: Any) -> Any:
    stream = getattr(helper, "_raw_stream", None)
    if stream is None:
        raise wires.unknown_version()
    return _stream(kind, take, stream, helper)


def _stream(kind: Any, take: Any, stream: Any, shown: Any) -> Any:
    path = wires.path(stream)
    source = next((source for part, source in _PATHS.items() if part in path), None)
    if source is None:
        raise UsageError(
            f"runreel does not know how to record what comes from {path}",
            hint="Streams of responses and of chat completions.",
        )
    wire = wires.SseTap(stream)
    made = take(
        source,
        wires.sent_request(stream),
        blocking=not wire.asynchronous,
        id_=wires.requested_id(stream),
        again=not wires.is_creation(stream),
    )
    return kind(shown, made, wire)


def _recording_of(
    database: Database,
    request: dict[str, Any] | None,
    options: dict[str, Any],
    source: str,
    sent: dict[str, Any],
    **known: Any,
) -> ResponseRecording:
    return ResponseRecording(
        database, source, requests.capture_request(request, sent), **options, **known
    )


def _model_of(model: Any) -> dict[str, Any]:
    """The JSON that an object of the client was made from, as far as the object has kept it."""
    value: dict[str, Any] = model.to_dict(mode="json", warnings=False)
    for item in map(pj.as_object, value.get("output") or value.get("choices") or ()):
        for holder in (item, item.get("message"), *(item.get("content") or ())):
            _strip(holder)
    return value


def _strip(holder: Any) -> None:
    if isinstance(holder, dict):
        for key in _PARSED & holder.keys():
            del holder[key]
        for call in holder.get("tool_calls") or ():
            _strip(call.get("function"))
