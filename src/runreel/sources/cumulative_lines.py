"""A fast parser for lines that repeat the whole text of a stream, such as Yandex Assistants sends.

Most lines of recorded traffic are of this kind, and each repeats the text of the line before it.
Only the added text is decoded: building the full JSON values would dominate the time of an import.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import msgspec

from runreel.sources.line_parser import YANDEX


class CumulativeLine(msgspec.Struct, gc=False):
    """A text-only event with one text part, equal to the envelope of its source.

    ``text`` holds the bytes of the JSON string in the line. They are not validated here: pass them
    to ``CumulativeText``.
    """

    source: str
    run_id: str | None
    number: int
    text: bytes


class CumulativeText:
    """The text of a stream whose events repeat it, each with more characters at the end."""

    __slots__ = ("_raw", "text")

    def __init__(self) -> None:
        self.text = ""
        # The text as JSON, without the closing quotation mark.
        self._raw = b'"'

    def append_from(self, encoded: bytes) -> str | None:
        """Append what the JSON string ``encoded`` adds to the text, and return it.

        None if it does not start with the text so far or is not a JSON string.
        """
        if not encoded.startswith(self._raw):
            return None
        try:
            text_delta: str = _decode_text(b'"' + encoded[len(self._raw) :])
        except (msgspec.DecodeError, UnicodeError):
            return None
        self._raw = encoded[:-1]
        self.text += text_delta
        return text_delta

    def restart(self, encoded: bytes) -> bool:
        """Replace the text by the JSON string ``encoded``; False if it is not a JSON string."""
        self.text, self._raw = "", b'"'
        return self.append_from(encoded) is not None

    def update(self, encoded: bytes) -> bool:
        """Append from ``encoded``, or restart with it; False if it is not a JSON string."""
        return self.append_from(encoded) is not None or self.restart(encoded)

    def append(self, text: str) -> None:
        """Append to the text; the next line restarts it, since the JSON of the text is unknown."""
        self.text += text
        self._raw = _UNKNOWN


def parse_cumulative(raw: bytes) -> CumulativeLine | None:
    """The line as a cumulative text event, None for any other line."""
    try:
        line = _decode_line(raw)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    index = line.data.streamCursor.currentEventIdx
    number = 0 if index is msgspec.UNSET else event_number(index.encode())
    text = bytes(line.data.partialMessage.content[0].text.content)
    start, end = _locate(raw, text)
    # The bytes around the text are not decoded, so that ASCII is the cheap proof of valid UTF-8.
    if number is None or not (raw[:start].isascii() and raw[end:].isascii()):
        return None
    run_id = line.request.runId or line.run_id or line.runId or None
    return CumulativeLine(YANDEX, run_id, number, text)


def _locate(raw: bytes, text: bytes) -> tuple[int, int]:
    """Start and end of the first occurrence of ``text`` in a line."""
    # Searching for a short prefix is faster than searching for the long text.
    start = raw.find(text[:_PREFIX])
    if not raw.startswith(text, start):
        start = raw.find(text)
    return start, start + len(text)


def frame_of(raw: bytes, line: CumulativeLine) -> Frame:
    """The bytes around the number and the text of a line, ``NO_FRAME`` if they are ambiguous."""
    start, end = _locate(raw, line.text)
    head, key, rest = raw[:start].partition(b'"currentEventIdx"')
    before, index, middle = rest.partition(b"%d" % line.number)
    frame = (head + key + before, middle, raw[end:], line.run_id)
    # The bytes found may be others than the parsed ones: a probe line verifies them.
    probe = parse_cumulative(frame[0] + b"1234567" + middle + b'"..."' + frame[2])
    expected = CumulativeLine(YANDEX, line.run_id, 1234567, b'"..."')
    return frame if index and middle and probe == expected else NO_FRAME


@lru_cache(maxsize=4096)
def event_number(index: bytes) -> int | None:
    """The number of an event; None if it is not formatted as in the source's envelope."""
    if not index.isdigit() or index.startswith(b"0") or len(index) > _MAX_DIGITS:
        return None
    return int(index)


class _Exact(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    pass


class _Text(_Exact):
    content: msgspec.Raw


class _Part(_Exact):
    text: _Text


class _Content(_Exact):
    content: tuple[_Part]


class _Cursor(_Exact):
    currentEventIdx: str | msgspec.UnsetType = msgspec.UNSET  # noqa: N815 - the source's name


class _Event(_Exact):
    eventType: Literal["PARTIAL_MESSAGE"]  # noqa: N815
    streamCursor: _Cursor  # noqa: N815
    partialMessage: _Content  # noqa: N815


class _Request(msgspec.Struct, frozen=True, gc=False):
    runId: str | None = None  # noqa: N815


class _Line(msgspec.Struct, gc=False):
    type: Literal["stream_event"]
    data: _Event
    request: _Request = _Request()
    run_id: str | None = None
    runId: str | None = None  # noqa: N815


_MAX_DIGITS = 18
_PREFIX = 24
# Begins no JSON string.
_UNKNOWN = b"\n"
Frame = tuple[bytes, bytes, bytes, str | None]
# Matches no line: a line has its line break at its end only.
NO_FRAME: Frame = (b"\n\n", b"\n", b"", None)
_decode_line = msgspec.json.Decoder(_Line).decode
_decode_text = msgspec.json.Decoder(str).decode
