"""The payloads in a stream of lines, each a JSON line or an event of a server-sent stream.

Both may be mixed. A line with a field of a server-sent event belongs to one, any other line is a
payload itself, so that nothing is passed over in silence.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from runreel.codec.json_text import loads
from runreel.model.errors import BadValue
from runreel.sources.line_parser import DONE, PLAIN, YANDEX
from runreel.sources.sse import LineSplitter, SSEParser, is_field

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from runreel.system.arrivals import Arrival

# A field that the standard does not know, which it has its readers ignore.
_OTHER_FIELD = re.compile(rb"[A-Za-z_-]+:")
_ERROR = "error"
# Keys of data that says by itself that it is an error, or what else it is.
_OWN = frozenset((_ERROR, "type", "eventType", "choices"))
_ENVELOPES = {YANDEX: {"eventType": "ERROR"}, PLAIN: {"type": "ERROR"}}
_PINGS = frozenset(("ping", "heartbeat", "keepalive", "keep-alive"))
# Lines of JSON begin like this.
_OBJECT = b"{"


class Payload(NamedTuple):
    """What one event carries: the number of its first line, its SSE type, its data."""

    number: int
    type: str
    data: bytes

    @property
    def is_done(self) -> bool:
        """Whether it is the ``[DONE]`` that ends a stream."""
        return self.data.strip() == DONE

    @property
    def is_empty(self) -> bool:
        """Whether it has no content: no data, or a ping with data that is no JSON object."""
        return not self.data.strip() or (
            self.type in _PINGS and not self.data.lstrip().startswith(_OBJECT)
        )


class Payloads:
    """Finds the payloads in lines, which are given without their ends."""

    def __init__(self) -> None:
        self.lines = 0
        self._sse = SSEParser()
        self._first = 0
        self._in_stream = False

    def line(self, line: bytes) -> Iterable[Payload]:
        """The payloads that are complete with this line."""
        self.lines += 1
        if line.startswith(_OBJECT) and not self._sse.data:
            return (Payload(self.lines, "", line),)
        if not line:
            return self._event()
        if is_field(line):
            return self._field(line)
        if not line.strip() or (self._in_stream and _OTHER_FIELD.match(line)):
            return ()
        return (*self._event(), Payload(self.lines, "", line))

    def end(self) -> Iterable[Payload]:
        """The payload that the input ended in the middle of."""
        return self._event()

    def _field(self, line: bytes) -> Iterable[Payload]:
        self._in_stream = True
        is_data = line.startswith(b"data")
        # Without its empty lines (of `grep ^data:`), a stream has an event in each data line.
        before = self._event() if is_data and _is_whole(self._sse.data) and line[5:].strip() else ()
        if is_data and not self._sse.data:
            self._first = self.lines
        self._sse.line(line)
        return before

    def _event(self) -> Iterable[Payload]:
        event = self._sse.dispatch()
        return () if event is None else (Payload(self._first, event.type, event.data),)


def read_payloads(pieces: Iterable[bytes | Arrival]) -> Iterator[tuple[Payload, Arrival | None]]:
    """The payloads in lines (with or without their ends) and in chunks that arrive.

    Each comes with the arrival of the chunk that completed it, None where it came as a line.
    """
    payloads = Payloads()
    arrival: Arrival | None = None
    for line, arrival in _lines(pieces):
        for payload in payloads.line(line):
            yield payload, arrival
    for payload in payloads.end():
        yield payload, arrival


def _lines(pieces: Iterable[bytes | Arrival]) -> Iterator[tuple[bytes, Arrival | None]]:
    splitter = LineSplitter()
    arrival: Arrival | None = None
    for piece in pieces:
        if isinstance(piece, bytes):
            ended = piece.endswith((b"\n", b"\r"))
            arrival, lines = None, splitter.feed(piece if ended else piece + b"\n")
        else:
            arrival, lines = piece, splitter.feed(piece.data)
        for line in lines:
            yield line, arrival
    for line in splitter.end():
        yield line, arrival


def error_body(source: str, payload: Payload) -> dict[str, Any] | None:
    """The error in an SSE event of the type ``error``, in the shape that the source has for one.

    None for an event of another type, and for data that is of the source's own shape already.
    """
    if payload.type != _ERROR:
        return None
    try:
        value = loads(payload.data)
    except BadValue:
        value = payload.data.decode(errors="replace").strip()
    if not isinstance(value, dict):
        value = {"message": value if isinstance(value, str) else payload.data.decode()}
    elif not value.keys().isdisjoint(_OWN):
        return None
    return {**_ENVELOPES.get(source, {}), _ERROR: value}


def _is_whole(data: list[bytes]) -> bool:
    if len(data) != 1:
        return False
    try:
        return data[0].strip() == DONE or loads(data[0]) is not None
    except BadValue:
        return False
