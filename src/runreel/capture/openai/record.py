"""Records streams, finished responses and completions of the openai client."""

from __future__ import annotations

import inspect
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

from runreel.capture.marks import log_name, recording_of
from runreel.capture.openai import request as requests
from runreel.capture.openai import sse_tap
from runreel.capture.openai.response_recording import CHAT, RESPONSES, ResponseRecording
from runreel.capture.openai.streams import (
    BaseRecordedStream,
    RecordedAsyncHelper,
    RecordedAsyncManager,
    RecordedAsyncStream,
    RecordedHelper,
    RecordedManager,
    RecordedStream,
)
from runreel.capture.scope import NO_SCOPE
from runreel.codec import json_values as pj
from runreel.model.errors import UsageError
from runreel.sources.requests import source_in_path
from runreel.system import loops
from runreel.system.sync_bridge import completed

if TYPE_CHECKING:
    from runreel.capture.scope import Scope
    from runreel.store.database import Database

# Matched by class name without "Async", because their modules differ between versions; the
# recorded classes are for a blocking and for an asynchronous client.
_HELPERS = (RecordedHelper, RecordedAsyncHelper)
_STREAMS = {
    "Stream": (RecordedStream, RecordedAsyncStream),
    "ResponseStream": _HELPERS,
    "ChatCompletionStream": _HELPERS,
}
_MANAGERS = frozenset(("ResponseStreamManager", "ChatCompletionStreamManager"))
R = TypeVar("R", bound=BaseRecordedStream)
_FINISHED = {"Response": RESPONSES, "ChatCompletion": CHAT}
# Keys that the client's `parse` and `stream` add to the server's JSON.
_PARSED = frozenset(("parsed", "parsed_arguments"))


def recorded(
    source: object,
    database: Database,
    *,
    request: dict[str, object] | None = None,
    on_error: str = "raise",
    scope: Scope = NO_SCOPE,
) -> object:
    """Return a stream like ``source`` that stores each event before it is yielded.

    ``source`` may be a stream of ``responses.create`` or ``chat.completions.create``, of the
    helpers ``responses.stream`` and ``chat.completions.stream``, or a finished response or
    completion, which is stored at once and returned unchanged. ``request`` holds the arguments
    given to ``create``; it is stored as the run's context, without keys and headers. ``scope`` has
    ids and labels of the run. A stream that is recorded in the same log already is returned as it
    is.

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
    return recorded_by(Recordings(database, request, on_error, scope), source)


class Recordings(NamedTuple):
    """The recordings of one call of ``recorded``."""

    database: Database
    request: dict[str, object] | None
    on_error: str
    scope: Scope

    def new(
        self, source: str, sent: requests.SentRequest | None, *, blocking: bool
    ) -> ResponseRecording:
        """Return the recording of a response to what was sent."""
        return ResponseRecording(
            self.database,
            source,
            sent,
            request=self.request,
            scope=self.scope,
            on_error=self.on_error,
            blocking=blocking,
        )


def recorded_by(recordings: Recordings, source: object) -> object:
    """Like ``recorded``, with these recordings."""
    asynchronous = hasattr(source, "__anext__") or hasattr(source, "__aenter__")
    if asynchronous:
        loops.require_asyncio()
    if isinstance(source, BaseRecordedStream):
        return _recorded_again(recordings, source)
    for name in (kind.__name__.removeprefix("Async") for kind in type(source).__mro__):
        if name in _STREAMS:
            return _stream(_STREAMS[name][asynchronous], recordings, source)
        if name in _MANAGERS:
            if asynchronous:
                record_helper = partial(_stream, RecordedAsyncHelper, recordings)
                return RecordedAsyncManager(source, record_helper)
            return RecordedManager(source, partial(_stream, RecordedHelper, recordings))
        if name in _FINISHED:
            recording = recordings.new(_FINISHED[name], None, blocking=True)
            completed(recording.store_finished(_model_of(source), source))
            return source
    raise UsageError(
        f"cannot record openai's {type(source).__name__}",
        hint="Pass a stream of a response or chat completion, or a finished one.",
    )


def _stream(recorded_type: type[R], recordings: Recordings, source: Any) -> R:
    """Record a stream of the client, or a helper around one."""
    helped = issubclass(recorded_type, _HELPERS)
    stream = getattr(source, "_raw_stream", None) if helped else source
    if stream is None:
        raise sse_tap.unknown_version()
    existing = recording_of(stream.response, recordings.database)
    if existing is not None:
        existing.add_labels(recordings.scope.labels)
        # The vendor's own object has the same methods.
        return cast("R", source)
    sent = requests.sent_request(stream.response.request)
    api = source_in_path(sent.path)
    if api is None:
        raise UsageError(
            f"cannot record streams from {sent.path}",
            hint="Pass a stream of a response or chat completion.",
        )
    tap = sse_tap.SseTap(stream)
    return recorded_type(source, recordings.new(api, sent, blocking=not tap.asynchronous), tap)


def _recorded_again(recordings: Recordings, source: BaseRecordedStream) -> BaseRecordedStream:
    """Return a recorded stream as it is, if this is the log that it is recorded in."""
    if not source.is_recorded_in(log_name(recordings.database)):
        raise UsageError(
            "this stream is recorded in another log",
            hint="Use reel.watch() with one of the two.",
        )
    source.add_labels(recordings.scope.labels)
    return source


def _model_of(model: Any) -> dict[str, object]:
    """The server's JSON of a client object, without what the client added."""
    value: dict[str, Any] = model.to_dict(mode="json", warnings=False)
    for item in map(pj.as_object, pj.as_list(value.get("output") or value.get("choices"))):
        for holder in (item, item.get("message"), *pj.as_list(item.get("content"))):
            _strip(holder)
    return value


def _strip(holder: object) -> None:
    if isinstance(holder, dict):
        for key in _PARSED & holder.keys():
            del holder[key]
        for call in holder.get("tool_calls") or ():
            _strip(call.get("function"))
