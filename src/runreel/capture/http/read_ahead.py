"""Finds the chunks of a body that have arrived already, so that they can share a commit."""

from __future__ import annotations

import select
import socket
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_CRLF = b"\r\n"
# The attributes that lead from a stream of httpx to the state of its connection in h11, and to its
# socket. They are private: where one has another name, each chunk is stored by itself.
_PATH = ("_h11_state", "_connection", "_httpcore_stream", "_stream")
_STEPS = 10
# Maximum chunks that are read ahead, and bytes after which no more are; they are held in memory.
LIMIT = 512
BYTES = 256 * 1024
# What httpcore reads from the socket at once.
_RECEIVED = 64 * 1024
_ZERO = ord("0")


class ReadAhead:
    """Whether the next chunk of a stream can be read without waiting for the network."""

    def __init__(self, stream: Any) -> None:
        self._connection, network = _connections(stream)
        self._arrived: Callable[[], bytes] | None = _unread_bytes_of(network)
        self._bytes = 0

    def allows(self, read: list[bytes]) -> bool:
        """True if another chunk may be read before those in ``read`` are stored."""
        if len(read) == 1:
            self._bytes = 0
        self._bytes += len(read[-1])
        return len(read) < LIMIT and self._bytes < BYTES and self.available()

    def available(self) -> bool:
        """True if the next chunk has arrived; False if it may have to be waited for."""
        if self._connection is None:
            return False
        try:
            reader = self._connection._reader  # noqa: SLF001
            buffer = self._connection._receive_buffer._data  # noqa: SLF001
            if _has_chunk(reader, buffer):
                return True
            more = self._arrived() if self._arrived is not None else b""
            return bool(more) and _has_chunk(reader, buffer + more)
        except (AttributeError, TypeError, ValueError):
            self._connection = None
            return False


def _connections(stream: Any) -> tuple[Any, Any]:
    """Return the state of a connection in h11, and what httpcore reads from; None if not found."""
    network: Any = None
    for _ in range(_STEPS):
        if type(stream).__module__.partition(".")[0] == "h11":
            return stream, network
        network = getattr(stream, "_network_stream", network)
        name = next((name for name in _PATH if hasattr(stream, name)), None)
        if name is None:
            break
        stream = getattr(stream, name)
    return None, None


def _unread_bytes_of(network: Any) -> Callable[[], bytes] | None:
    """Return what shows the bytes that have arrived and are not read; None if that is unknown.

    The bytes of TLS are encrypted, and of no use.
    """
    if not hasattr(select, "poll"):
        return None
    plain = getattr(network, "_sock", None)
    if type(plain) is socket.socket:
        return partial(_peeked, plain)
    # The stream of anyio: asyncio has read some of the bytes already.
    inner = getattr(network, "_stream", None)
    protocol, transport = getattr(inner, "_protocol", None), getattr(inner, "_transport", None)
    queue: Any = getattr(protocol, "read_queue", None)
    get_info: Any = getattr(transport, "get_extra_info", None)
    own = None if get_info is None else getattr(get_info("socket"), "_sock", None)
    if queue is None or type(own) is not socket.socket:
        return None
    return lambda: b"".join(queue) or _peeked(own)


def _peeked(connection: socket.socket) -> bytes:
    """Return the next bytes of a connection without reading them; nothing if it has failed."""
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    if [event for _, event in poll.poll(0)] != [select.POLLIN]:
        return b""
    return connection.recv(_RECEIVED, socket.MSG_PEEK)


def _has_chunk(reader: Any, buffer: bytearray) -> bool:
    """Whether h11 would return data without receiving more: see its ``ChunkedReader``."""
    if reader._reading_trailer:  # noqa: SLF001
        return False
    footer = reader._bytes_to_discard  # noqa: SLF001
    start: int = footer if isinstance(footer, int) else len(footer)
    if not reader._bytes_in_chunk:  # noqa: SLF001
        end = buffer.find(_CRLF, start)
        # The last chunk has the size 0; no server writes zeros before another size.
        if end <= start or buffer[start] == _ZERO:
            return False
        start = end + len(_CRLF)
    return len(buffer) > start
