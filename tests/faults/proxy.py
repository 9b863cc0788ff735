"""A TCP proxy before Postgres that cuts connections right before or right after a commit."""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import dataclass, field

from psycopg.conninfo import conninfo_to_dict


@dataclass
class Cuts:
    """Which commits to cut: of every three that pass, one before it, one after it, one not."""

    left: dict[str, int]
    done: dict[str, int] = field(default_factory=lambda: {"before": 0, "after": 0})
    seen: int = 0

    def next(self) -> str | None:
        """What to do with the commit that is passing now."""
        self.seen += 1
        way = (None, "before", "after")[self.seen % 3]
        if way is None or not self.left[way]:
            return None
        self.left[way] -= 1
        self.done[way] += 1
        return way


class CuttingProxy:
    """Passes bytes between clients on a loopback port and the server behind ``url``."""

    def __init__(self, url: str, cuts: Cuts) -> None:
        info = conninfo_to_dict(url)
        self._server = f"{info['host']}/.s.PGSQL.{info.get('port', 5432)}"
        self._user, self._name = info["user"], info["dbname"]
        self._cuts = cuts
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """Where clients connect to."""
        port = self._listener.getsockname()[1]
        return f"postgresql://{self._user}@127.0.0.1:{port}/{self._name}?sslmode=disable"

    def close(self) -> None:
        """Take no more clients."""
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._server)
                link = _Link(client, server)
                for work in (self._upwards, self._downwards):
                    threading.Thread(target=work, args=(link,), daemon=True).start()

    def _upwards(self, link: _Link) -> None:
        with contextlib.suppress(OSError):
            while data := link.client.recv(1 << 16):
                way = None
                if link.commits(data):
                    with self._lock:
                        way = self._cuts.next()
                if way == "before":
                    break
                link.cut_on_answer = way == "after"
                link.server.sendall(data)
        link.close()

    def _downwards(self, link: _Link) -> None:
        with contextlib.suppress(OSError):
            while data := link.server.recv(1 << 16):
                if link.cut_on_answer:
                    break
                link.client.sendall(data)
        link.close()


class _Link:
    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client, self.server = client, server
        self.cut_on_answer = self._begun = self._wrote = False

    def commits(self, data: bytes) -> bool:
        """Whether this is a COMMIT of events, or the one statement that commits by itself."""
        # Preparing the statement stores nothing; binding values to it does.
        prepares = data[:1] == b"P" and data[5:13] == b"runreel_"
        binds = data[:1] == b"B" and b"\0runreel_" in data
        writes = binds or (b"INTO events" in data and not prepares)
        if b"BEGIN" in data:
            self._begun, self._wrote = True, False
        self._wrote |= writes
        if b"COMMIT" in data:
            self._begun = False
            return self._wrote
        return writes and not self._begun

    def close(self) -> None:
        for end in (self.client, self.server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
