"""Answers each request with a stream of events: ``python -m tests.benchmarks.live_server COUNT``.

It prints its port. Below ``/paced`` there is an event each 5 ms, whose text is the time at which it
was sent; elsewhere they come as fast as the connection takes them, each in a chunk of its own.
"""

from __future__ import annotations

import socket
import sys
import threading
import time
from typing import TYPE_CHECKING

from tests.live import openai_script as script
from tests.live.sse_server import sse

if TYPE_CHECKING:
    from collections.abc import Iterator

# Seconds from one event to the next, and their number.
PAUSE, PACED = 0.005, 400
# Characters of each event.
_WORD = "word "
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def main() -> None:
    """Serve until the process is killed."""
    text = _WORD * int(sys.argv[1])
    responses = script.events([script.output_of([text])], chunk=len(_WORD))
    completion = script.chunks(text, chunk=len(_WORD))
    streams = {
        b"/v1/responses": [_chunk(sse(event)) for event in responses],
        b"/v1/chat/completions": [*(_chunk(sse(event)) for event in completion), _DONE],
    }
    listener = socket.create_server(("127.0.0.1", 0))
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    while True:
        connection = listener.accept()[0]
        threading.Thread(target=_serve, args=(connection, streams), daemon=True).start()


def _serve(connection: socket.socket, streams: dict[bytes, list[bytes]]) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection, connection.makefile("rb") as received:
        while line := received.readline():
            length = 0
            while (header := received.readline()) not in (b"\r\n", b""):
                name, _, value = header.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            received.read(length)
            path = line.split()[1]
            connection.sendall(_HEAD)
            for part in _paced() if path.startswith(b"/paced") else streams[path]:
                connection.sendall(part)
            connection.sendall(b"0\r\n\r\n")


def _paced() -> Iterator[bytes]:
    for _ in range(PACED):
        time.sleep(PAUSE)
        delta = {"content": f"{time.time():.6f}"}
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}
        yield _chunk(sse(script.chat_chunk([choice])))
    yield _DONE


def _chunk(text: str) -> bytes:
    data = text.encode()
    return b"%x\r\n%s\r\n" % (len(data), data)


_DONE = _chunk("data: [DONE]\n\n")

if __name__ == "__main__":
    main()
