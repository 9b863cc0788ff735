"""The lines of a recording file, read many at a time."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, NamedTuple

from runreel.integrity import recording_format

if TYPE_CHECKING:
    from collections.abc import Iterator

# Bytes of a block, without its last line.
_BLOCK = 1 << 18
_LAST = b"\n" + recording_format.LAST


class Block(NamedTuple):
    """Whole lines of rows, and the bytes after them that do not begin a line of a row.

    ``rest`` is empty, or the last line of the file with what follows it in the block, or the end of
    a file that is cut off.
    """

    lines: bytes
    rest: bytes


def blocks(file: IO[bytes], max_line: int) -> Iterator[Block]:
    """Yield all lines of a file from here on; lines of more than ``max_line`` bytes are cut off.

    Blocks depend on nothing but the bytes of the file.
    """
    while data := file.read(_BLOCK):
        if not data.endswith(b"\n"):
            data += file.readline(max_line)
        if data.startswith(recording_format.LAST):
            end = 0
        elif (found := data.find(_LAST)) >= 0:
            end = found + 1
        else:
            end = data.rfind(b"\n") + 1
        yield Block(data[:end], data[end:])
