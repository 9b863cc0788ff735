"""Finds the chunks of a body that have arrived already, so that they can share a commit."""

from __future__ import annotations

from typing import Any

_CRLF = b"\r\n"
# The attributes that lead from a stream of httpx to the state of its connection in h11. They are
# private: where one has another name, each chunk is stored by itself.
_PATH = ("_h11_state", "_connection", "_httpcore_stream", "_stream")
_STEPS = 10
# Maximum chunks that are read ahead; they are held in memory.
LIMIT = 512


class ReadAhead:
    """Whether the next chunk of a stream can be read without waiting for the network."""

    def __init__(self, stream: Any) -> None:
        self._connection = _h11_connection(stream)

    def available(self) -> bool:
        """True if the next chunk is in memory; False if it may have to be waited for."""
        try:
            return self._connection is not None and _has_chunk(
                self._connection._reader,  # noqa: SLF001
                self._connection._receive_buffer._data,  # noqa: SLF001
            )
        except (AttributeError, TypeError, ValueError):
            self._connection = None
            return False


def _h11_connection(stream: Any) -> Any:
    for _ in range(_STEPS):
        if type(stream).__module__.partition(".")[0] == "h11":
            return stream
        name = next((name for name in _PATH if hasattr(stream, name)), None)
        if name is None:
            return None
        stream = getattr(stream, name)
    return None


def _has_chunk(reader: Any, buffer: bytearray) -> bool:
    """Whether h11 would return data without receiving more: see its ``ChunkedReader``."""
    if reader._reading_trailer:  # noqa: SLF001
        return False
    footer = reader._bytes_to_discard  # noqa: SLF001
    start: int = footer if isinstance(footer, int) else len(footer)
    if not reader._bytes_in_chunk:  # noqa: SLF001
        end = buffer.find(_CRLF, start)
        if end < 0 or not int(buffer[start:end].partition(b";")[0], 16):
            return False
        start = end + len(_CRLF)
    return len(buffer) > start
