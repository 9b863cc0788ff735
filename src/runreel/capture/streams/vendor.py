"""Records what a vendor's client returns: streams, helpers around them, finished answers."""

from __future__ import annotations

import inspect
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

from runreel.capture.marks import log_name, recording_of
from runreel.capture.streams import request as requests
from runreel.capture.streams import sse_tap
from runreel.capture.streams.recorded import (
    BaseRecordedStream,
    RecordedAsyncManager,
    RecordedManager,
)
from runreel.capture.streams.response_recording import ResponseRecording
from runreel.model.errors import UsageError
from runreel.sources.requests import source_in_path
from runreel.system import loops
from runreel.system.sync_bridge import completed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runreel.capture.scope import Scope
    from runreel.store.database import Database

R = TypeVar("R", bound=BaseRecordedStream)

# The recorded classes for a blocking and for an asynchronous client.
Pair = tuple[type[BaseRecordedStream], type[BaseRecordedStream]]


class Vendor(NamedTuple):
    """What a vendor's client returns.

    Classes are named without "Async", and not imported, because their modules differ between
    versions: those of streams and helpers, those of managers that return a helper, and those of
    finished answers, each with its source. ``value_of`` returns the server's JSON of an answer.
    ``call`` is a call that returns a stream, ``things`` names what can be recorded.
    """

    name: str
    streams: Mapping[str, Pair]
    managers: Mapping[str, Pair]
    finished: Mapping[str, str]
    value_of: Callable[[Any], dict[str, object]]
    call: str
    things: str


class Recordings(NamedTuple):
    """The recordings of one call of ``reel.record``."""

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


def recorded_by(vendor: Vendor, recordings: Recordings, source: object) -> object:
    """Return a stream like ``source`` that stores each event before it is yielded.

    A finished answer is stored at once and returned unchanged. A stream that is recorded in the
    same log already is returned as it is.

    Raises:
        UsageError: if it is something else, or asynchronous without asyncio.
        MissingExtra: if the version of the client is not supported.
        RecordingError: if a finished answer cannot be stored.
    """
    if inspect.iscoroutine(source):
        source.close()
        raise UsageError("this call has not been awaited", hint=f"reel.record(await {vendor.call})")
    asynchronous = hasattr(source, "__anext__") or hasattr(source, "__aenter__")
    if asynchronous:
        loops.require_asyncio()
    if isinstance(source, BaseRecordedStream):
        return recorded_again(recordings, source)
    for name in (kind.__name__.replace("Async", "", 1) for kind in type(source).__mro__):
        if name in vendor.streams:
            return _stream(vendor.streams[name][asynchronous], vendor, recordings, source)
        if name in vendor.managers:
            helper = vendor.managers[name][asynchronous]
            record: Any = partial(_stream, helper, vendor, recordings)
            return (RecordedAsyncManager if asynchronous else RecordedManager)(source, record)
        if name in vendor.finished:
            recording = recordings.new(vendor.finished[name], None, blocking=True)
            completed(recording.store_finished(vendor.value_of(source), source))
            return source
    raise UsageError(
        f"cannot record {vendor.name}'s {type(source).__name__}", hint=f"Pass {vendor.things}."
    )


def recorded_again(recordings: Recordings, source: BaseRecordedStream) -> BaseRecordedStream:
    """Return a recorded stream as it is, if this is the log that it is recorded in.

    Raises:
        UsageError: if it is recorded in another log.
    """
    if not source.is_recorded_in(log_name(recordings.database)):
        raise UsageError(
            "this stream is recorded in another log",
            hint="Use reel.watch() with one of the two.",
        )
    source.add_labels(recordings.scope.labels)
    return source


def _stream(recorded_type: type[R], vendor: Vendor, recordings: Recordings, source: Any) -> R:
    """Record a stream of the client, or a helper around one."""
    stream = getattr(source, "_raw_stream", None) if recorded_type.helped else source
    if stream is None:
        raise sse_tap.unknown_version(vendor.name)
    existing = recording_of(stream.response, recordings.database)
    if existing is not None:
        existing.add_labels(recordings.scope.labels)
        # The vendor's own object has the same methods.
        return cast("R", source)
    sent = requests.sent_request(stream.response.request)
    api = source_in_path(sent.path)
    if api is None or api not in vendor.finished.values():
        raise UsageError(f"cannot record streams from {sent.path}", hint=f"Pass {vendor.things}.")
    tap = sse_tap.SseTap(stream, vendor.name, vendor.call)
    return recorded_type(source, recordings.new(api, sent, blocking=not tap.asynchronous), tap)
