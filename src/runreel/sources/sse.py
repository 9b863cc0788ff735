"""Server-sent events, parsed from bytes in chunks of any size.

The rules are those of the WHATWG HTML standard, section "Server-sent events", with one difference:
data stays bytes, so that the caller can detect invalid UTF-8, which would otherwise be replaced.
"""

from __future__ import annotations

import re
from typing import NamedTuple

# Python refuses to parse integers of thousands of digits; no real reconnection time is longer.
_DIGITS = 19
_DATA, _EVENT = b"data: ", b"event: "
_BOM = b"\xef\xbb\xbf"
_FIELD = re.compile(rb"(?:data|event|id|retry)(?::|\Z)|:")


class ServerSentEvent(NamedTuple):
    """One event: its type, its data lines joined by LF, and the last event ID at that point."""

    type: str
    data: bytes
    id: str


class LineSplitter:
    """Splits chunks of bytes into lines that end in LF, CR or CRLF; drops a leading BOM."""

    def __init__(self) -> None:
        self._open: list[bytes] = []
        self._after_cr = False
        self._at_start = True

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the lines that ``chunk`` completes, without their line ends."""
        if self._after_cr and chunk:
            self._after_cr = False
            chunk = chunk.removeprefix(b"\n")
        if not chunk:
            return []
        lines = chunk.splitlines()
        self._after_cr = chunk.endswith(b"\r")
        if not self._after_cr and not chunk.endswith(b"\n"):
            rest = lines.pop()
            if not lines:
                self._open.append(rest)
                return []
        else:
            rest = b""
        if self._open:
            lines[0] = b"".join((*self._open, lines[0]))
            self._open.clear()
        if rest:
            self._open.append(rest)
        if self._at_start:
            self._at_start = False
            lines[0] = lines[0].removeprefix(_BOM)
        return lines

    def end(self) -> list[bytes]:
        """Return the last line if its line end is missing."""
        return self.feed(b"\n") if self._open else []


class SSEParser:
    """Parses one stream: call ``feed`` with each chunk, and ``end`` at the end of the stream.

    ``retry`` is the reconnection time in ms that the stream set, None if it set none.
    """

    def __init__(self) -> None:
        self.retry: int | None = None
        self._lines = LineSplitter()
        self._type = b""
        self._data: list[bytes] = []
        self._id = b""

    def feed(self, chunk: bytes) -> list[ServerSentEvent]:
        """Return the events that ``chunk`` completes."""
        events: list[ServerSentEvent] = []
        for line in self._lines.feed(chunk):
            # As ``line`` does, in half the time.
            if line.startswith(_DATA):
                self._data.append(line[len(_DATA) :])
            elif line.startswith(_EVENT):
                self._type = line[len(_EVENT) :]
            elif (event := self.line(line)) is not None:
                events.append(event)
        return events

    def end(self) -> list[ServerSentEvent]:
        """Return the unfinished event at the end of the stream, if there is one.

        The standard drops it. Its data may still be complete; the caller decides.
        """
        events = [self.line(line) for line in self._lines.end()]
        return [event for event in (*events, self.dispatch()) if event is not None]

    def line(self, line: bytes) -> ServerSentEvent | None:
        """Feed one line without its line end; return the event that it completes, or None."""
        if not line:
            return self.dispatch()
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data.append(value)
        elif field == b"event":
            self._type = value
        elif field == b"id":
            self._id = self._id if b"\0" in value else value
        elif field == b"retry" and value.isdigit() and len(value) < _DIGITS:
            self.retry = int(value)
        return None

    @property
    def data(self) -> list[bytes]:
        """The data lines of the unfinished event."""
        return self._data

    def dispatch(self) -> ServerSentEvent | None:
        """Complete the event, as an empty line does; None if it has no data."""
        type_, data = self._type, self._data
        self._type, self._data = b"", []
        if not data:
            return None
        return ServerSentEvent(_text(type_) or "message", b"\n".join(data), _text(self._id))


def is_field(line: bytes) -> bool:
    """Whether a line is a comment or has a field name of the standard."""
    return _FIELD.match(line) is not None


def _text(raw: bytes) -> str:
    return raw.decode(errors="replace")
