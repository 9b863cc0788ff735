"""Lines that tell the whole text of a stream once more, read for what they add to it.

Most lines of recorded traffic are such, and most of each stood in the line before it: to build
their values would be most of the work of an import.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import msgspec

from runreel.sources.line_parser import YANDEX


class CumulativeLine(msgspec.Struct, gc=False):
    """A partial message of one part that says nothing else: the envelope of its source.

    ``text`` is a JSON string as it stands in the line, if a ``Growth`` takes it for one.
    """

    source: str
    run_id: str | None
    number: int
    text: bytes


class CumulativeText:
    """A text that is told again and again, each time with something behind it."""

    __slots__ = ("_raw", "text")

    def __init__(self) -> None:
        self.text = ""
        # As JSON, without the quotation mark that ends it.
        self._raw = b'"'

    def more(self, told: bytes) -> str | None:
        """What the JSON string ``told`` adds; None where it does not go on or is no string."""
        if not told.startswith(self._raw):
            return None
        try:
            piece: str = _decode_text(b'"' + told[len(self._raw) :])
        except (msgspec.DecodeError, UnicodeError):
            return None
        self._raw = told[:-1]
        self.text += piece
        return piece

    def begin(self, told: bytes) -> bool:
        """Begin anew with the JSON string ``told``; whether it is one."""
        self.text, self._raw = "", b'"'
        return self.more(told) is not None

    def goes_on(self, told: bytes) -> bool:
        """Go on to ``told``, from the text before or anew; whether it is a JSON string."""
        return self.more(told) is not None or self.begin(told)


def parse_cumulative(raw: bytes) -> CumulativeLine | None:
    """What a line tells that is such an event, None for any other line."""
    try:
        line = _decode_line(raw)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    index = line.data.streamCursor.currentEventIdx
    number = 0 if index is msgspec.UNSET else event_number(index.encode())
    text = bytes(line.data.partialMessage.content[0].text.content)
    start, end = _place(raw, text)
    # What is skipped is not looked into, and has to be UTF-8 as well.
    if number is None or not (raw[:start].isascii() and raw[end:].isascii()):
        return None
    run_id = line.request.runId or line.run_id or line.runId or None
    return CumulativeLine(YANDEX, run_id, number, text)


def _place(raw: bytes, text: bytes) -> tuple[int, int]:
    """Where such bytes as the text's stand in a line."""
    # To look for long strings takes long.
    start = raw.find(text[:_NEEDLE])
    if not raw.startswith(text, start):
        start = raw.find(text)
    return start, start + len(text)


def frame_of(raw: bytes, line: CumulativeLine) -> Frame:
    """The bytes around the number and the text of a line, ``NO_FRAME`` where they are ambiguous."""
    start, end = _place(raw, line.text)
    head, key, rest = raw[:start].partition(b'"currentEventIdx"')
    before, index, middle = rest.partition(b"%d" % line.number)
    frame = (head + key + before, middle, raw[end:], line.run_id)
    # The bytes found may be others than those that were read: another line shows it.
    probe = parse_cumulative(frame[0] + b"1234567" + middle + b'"..."' + frame[2])
    expected = CumulativeLine(YANDEX, line.run_id, 1234567, b'"..."')
    return frame if index and middle and probe == expected else NO_FRAME


@lru_cache(maxsize=4096)
def event_number(index: bytes) -> int | None:
    """The number of an event; None where it is not spelled as in the source's envelope."""
    if not index.isdigit() or index.startswith(b"0") or len(index) > _DIGITS:
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


_DIGITS = 18
_NEEDLE = 24
Frame = tuple[bytes, bytes, bytes, str | None]
# Matches no line: a line has its line break at its end only.
NO_FRAME: Frame = (b"\n\n", b"", b"", None)
_decode_line = msgspec.json.Decoder(_Line).decode
_decode_text = msgspec.json.Decoder(str).decode
