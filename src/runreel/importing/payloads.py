"""Extracts payloads from lines: JSON lines, server-sent events (SSE), or both mixed.

A line with an SSE field is part of an event. Any other line is a payload itself, so that nothing
is skipped silently.
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

# A field that is not in the SSE standard, which requires that it is ignored.
_OTHER_FIELD = re.compile(rb"[A-Za-z_-]+:")
_ERROR = "error"
# Keys of data that already has the shape of an error or another event of its source.
_KNOWN_KEYS = frozenset((_ERROR, "type", "eventType", "choices"))
_ENVELOPES = {YANDEX: {"eventType": "ERROR"}, PLAIN: {"type": "ERROR"}}
_PINGS = frozenset(("ping", "heartbeat", "keepalive", "keep-alive"))
# First byte of a JSON line.
_OBJECT = b"{"


class Payload(NamedTuple):
    """The payload of one event: the number of its first line, its SSE type, its data."""

    number: int
    type: str
    data: bytes

    @property
    def is_done(self) -> bool:
        """True for the ``[DONE]`` that ends a stream."""
        return self.data.strip() == DONE

    @property
    def is_empty(self) -> bool:
        """True without data, and for a ping whose data is not a JSON object."""
        return not self.data.strip() or (
            self.type in _PINGS and not self.data.lstrip().startswith(_OBJECT)
        )


class Payloads:
    """Parses lines, given without line ends, into payloads."""

    def __init__(self) -> None:
        self.lines = 0
        self._sse = SSEParser()
        self._first_line = 0
        self._in_sse = False

    def line(self, line: bytes) -> Iterable[Payload]:
        """Return the payloads completed by this line."""
        self.lines += 1
        if line.startswith(_OBJECT) and not self._sse.data:
            return (Payload(self.lines, "", line),)
        if not line:
            return self._event()
        if is_field(line):
            return self._field(line)
        if not line.strip() or (self._in_sse and _OTHER_FIELD.match(line)):
            return ()
        return (*self._event(), Payload(self.lines, "", line))

    def end(self) -> Iterable[Payload]:
        """Return the incomplete payload at the end of the input, if there is one."""
        return self._event()

    def _field(self, line: bytes) -> Iterable[Payload]:
        self._in_sse = True
        is_data = line.startswith(b"data")
        # If the empty lines were removed (by `grep ^data:`), each data line is an event.
        completed = (
            self._event() if is_data and _is_whole(self._sse.data) and line[5:].strip() else ()
        )
        if is_data and not self._sse.data:
            self._first_line = self.lines
        self._sse.line(line)
        return completed

    def _event(self) -> Iterable[Payload]:
        event = self._sse.dispatch()
        return () if event is None else (Payload(self._first_line, event.type, event.data),)


def read_payloads(chunks: Iterable[bytes | Arrival]) -> Iterator[tuple[Payload, Arrival | None]]:
    """Parse the payloads in lines (with or without line ends) and in arriving chunks.

    Each is paired with the arrival of the chunk that completed it, None if it came as a line.
    """
    payloads = Payloads()
    arrival: Arrival | None = None
    for line, arrival in _lines(chunks):
        for payload in payloads.line(line):
            yield payload, arrival
    for payload in payloads.end():
        yield payload, arrival


def _lines(chunks: Iterable[bytes | Arrival]) -> Iterator[tuple[bytes, Arrival | None]]:
    splitter = LineSplitter()
    arrival: Arrival | None = None
    for chunk in chunks:
        if isinstance(chunk, bytes):
            ended = chunk.endswith((b"\n", b"\r"))
            arrival, lines = None, splitter.feed(chunk if ended else chunk + b"\n")
        else:
            arrival, lines = chunk, splitter.feed(chunk.data)
        for line in lines:
            yield line, arrival
    for line in splitter.end():
        yield line, arrival


def error_body(source: str, payload: Payload) -> dict[str, Any] | None:
    """Wrap the data of an SSE event of type ``error`` in the source's shape of an error.

    Returns None for other types, and for data that already has a shape of the source.
    """
    if payload.type != _ERROR:
        return None
    try:
        value = loads(payload.data)
    except BadValue:
        value = payload.data.decode(errors="replace").strip()
    if not isinstance(value, dict):
        value = {"message": value if isinstance(value, str) else payload.data.decode()}
    elif not value.keys().isdisjoint(_KNOWN_KEYS):
        return None
    return {**_ENVELOPES.get(source, {}), _ERROR: value}


def _is_whole(data: list[bytes]) -> bool:
    if len(data) != 1:
        return False
    try:
        return data[0].strip() == DONE or loads(data[0]) is not None
    except BadValue:
        return False
