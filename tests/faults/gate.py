"""A way to Postgres that can be shut: connections break, and no others come about."""

from __future__ import annotations

import contextlib
import socket
import threading

from psycopg.conninfo import conninfo_to_dict


class Gate:
    """Passes bytes between clients on a loopback port and the server behind ``url``."""

    def __init__(self, url: str) -> None:
        info = conninfo_to_dict(url)
        self._server = f"{info['host']}/.s.PGSQL.{info.get('port', 5432)}"
        self._ends: set[socket.socket] = set()
        self._port = 0
        self.open()
        self.url = f"postgresql://{info['user']}@127.0.0.1:{self._port}/{info['dbname']}"
        self.url += "?sslmode=disable"

    def open(self) -> None:
        """Let clients through."""
        self._listener = socket.create_server(("127.0.0.1", self._port))
        self._port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def shut(self) -> None:
        """Break what there is and refuse what comes."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for end in list(self._ends):
            _close(end)
        self._ends.clear()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._server)
                self._ends |= {client, server}
                for ends in ((client, server), (server, client)):
                    threading.Thread(target=_pass, args=ends, daemon=True).start()


def _pass(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
    _close(source)
    _close(target)


def _close(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
