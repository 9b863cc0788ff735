"""Stretches of lines that only continue the text of a run, kept from the first pass of an import.

Most lines of recorded traffic are of this kind. The first pass has to decode what each adds, so the
second one takes it from here and does not read the line again. A stretch follows the line of the
text that it continues. It may always be left unused: the lines are in the file.
"""

from __future__ import annotations

import tempfile
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    from typing import IO

    from runreel.sources.cumulative_lines import CumulativeLine

# Maximum lines of a stretch, and maximum characters that they add.
_LINES = 250
_CHARACTERS = 500_000
# Bytes kept in memory; more are in a temporary file.
_IN_MEMORY = 1024 * 1024
_SIZE = 4


class TextStretch(msgspec.Struct, array_like=True, gc=False):
    """Consecutive lines of one run: the events from ``number`` on, each adding to the text.

    ``line`` is the first line, counted over all files of the import, ``end`` the byte offset after
    the last one. ``added`` has the text that each adds.
    """

    line: int
    end: int
    run_id: str
    number: int
    added: list[str]


class Stretches(Protocol):
    """Stretches that can be asked for in the order of their lines."""

    def next_at(self, line: int, /) -> TextStretch | None:
        """Return the stretch that begins at this line, None if there is none."""
        ...


class TextStretches:
    """The stretches of all files of an import: written in order, then read in the same order."""

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - closed by ``close``
        self._count = 0
        self._is_full = False
        self._is_reading = False
        self._open: TextStretch | None = None
        self._characters = 0
        # The line and the event number with which the text of the last line would go on.
        self._next = (0, 0)
        self._first: TextStretch | None = None

    def add(self, line: int, end: int, run_id: str, event: CumulativeLine, added: str) -> None:
        """Add a line of this run, which adds to the text of the last line passed."""
        expected, self._next = self._next, (line + 1, event.number + 1)
        if expected != (line, event.number):
            self._end()
            return
        stretch = self._open
        if stretch is None:
            stretch = self._open = TextStretch(line, end, run_id, event.number, [])
        stretch.end = end
        stretch.added.append(added)
        self._characters += len(added)
        if len(stretch.added) >= _LINES or self._characters >= _CHARACTERS:
            self._end()

    def begin(self, line: int, event: CumulativeLine) -> None:
        """Pass a line with the text that the lines after it may continue."""
        self._end()
        self._next = (line + 1, event.number + 1)

    def next_at(self, line: int) -> TextStretch | None:
        """Return the stretch that begins at this line, None if there is none.

        Ask in the order of lines; nothing can be added any more.
        """
        if not self._is_reading:
            self._end()
            self._file.seek(0)
            self._is_reading = True
            self._first = self._read()
        while self._first is not None and self._first.line < line:
            self._first = self._read()
        stretch = self._first
        return stretch if stretch is not None and stretch.line == line else None

    def close(self) -> None:
        """Free the memory and the temporary file."""
        self._file.close()

    def _end(self) -> None:
        stretch, self._open, self._characters = self._open, None, 0
        if stretch is None or self._is_full:
            return
        data = _encode(stretch)
        try:
            self._file.write(len(data).to_bytes(_SIZE, "big") + data)
            self._count += 1
        except OSError:
            # Without space for temporary files all lines are read twice.
            self._is_full = True

    def _read(self) -> TextStretch | None:
        if not self._count:
            return None
        self._count -= 1
        with suppress(OSError):
            size = int.from_bytes(self._file.read(_SIZE), "big")
            return _decode(self._file.read(size))
        self._count = 0
        return None


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(TextStretch).decode
