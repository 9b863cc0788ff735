"""A server on this machine that says what a test has it say: JSON, or events as they are sent."""

from __future__ import annotations

import json
import socket
import threading
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Pause(NamedTuple):
    """Wait until ``ready`` is set, or for ``seconds``, before the next event."""

    seconds: float = 0.0
    ready: threading.Event | None = None


@dataclass
class Answer:
    """What one request is answered with.

    An item of ``events`` is an event, a string as it goes over the wire, or a pause. ``cut`` ends
    the connection early: ``silent`` (nothing told how much would come), ``length`` (more was
    promised), ``chunk`` (in the middle of a chunk).
    """

    events: list[Any] | None = None
    body: Any = None
    status: int = 200
    done: bool = False
    cut: str | None = None
    headers: dict[str, str] = field(default_factory=dict)


class Asked(NamedTuple):
    """A request as it came."""

    method: str
    path: str
    body: Any
    headers: dict[str, str]


class Script:
    """What a server will answer, in order, and what it was asked."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[Asked] = []
        self.answers: deque[Answer | Callable[[Asked], Answer]] = deque()
        self.sockets: set[socket.socket] = set()

    def connections(self) -> int:
        """How many clients are connected."""
        return sum(map(_connected, list(self.sockets)))

    def say(self, *answers: Answer | Callable[[Asked], Answer]) -> None:
        """Answer the next requests with these."""
        self.answers.extend(answers)

    def stream(self, events: list[Any], **more: Any) -> None:
        """Answer the next request with these events."""
        self.say(Answer(events=list(events), **more))


@contextmanager
def serving() -> Iterator[Script]:
    """A server on a free port, for as long as the block lasts."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.script = Script(f"http://127.0.0.1:{server.server_address[1]}/v1")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server.script
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _connected(connection: socket.socket) -> bool:
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    script: Script

    def handle_error(self, *_: Any) -> None:
        """A client that hangs up is what tests do."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        """Remember the connection."""
        super().setup()
        self.server.script.sockets.add(self.connection)

    def finish(self) -> None:
        """Forget it."""
        self.server.script.sockets.discard(self.connection)
        super().finish()

    def do_GET(self) -> None:
        """Answer what is next."""
        self._answer()

    def do_POST(self) -> None:
        """Answer what is next."""
        self._answer()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or "null")
        asked = Asked(self.command, self.path, body, dict(self.headers))
        self.server.script.asked.append(asked)
        answer = self.server.script.answers.popleft()
        if callable(answer):
            answer = answer(asked)
        if answer.events is None:
            self._whole(answer)
        else:
            self._events(answer)

    def _whole(self, answer: Answer) -> None:
        data = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self._end(answer)
        self.wfile.write(data)

    def _events(self, answer: Answer) -> None:
        chunked = answer.cut in (None, "chunk")
        self.send_response(answer.status)
        self.send_header("Content-Type", "text/event-stream")
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Connection", "close")
        if answer.cut == "length":
            self.send_header("Content-Length", "100000000")
        self._end(answer)
        for item in [*(answer.events or ()), *(["data: [DONE]\n\n"] if answer.done else ())]:
            if isinstance(item, Pause):
                self.wfile.flush()
                (item.ready or threading.Event()).wait(item.seconds or 30)
                continue
            data = (item if isinstance(item, str) else sse(item)).encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data) if chunked else data)
        if answer.cut == "chunk":
            self.wfile.write(b"ffff\r\ndata: {")
        elif chunked:
            self.wfile.write(b"0\r\n\r\n")
        self.close_connection = answer.cut is not None

    def _end(self, answer: Answer) -> None:
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()


def sse(event: Any) -> str:
    """An event as it goes over the wire; whoever has a type says it twice."""
    type_ = event.get("type") if isinstance(event, dict) else None
    told = f"event: {type_}\n" if isinstance(type_, str) else ""
    return f"{told}data: {json.dumps(event)}\n\n"
