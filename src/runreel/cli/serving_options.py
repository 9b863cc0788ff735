"""What ``serve`` and ``proxy`` share: the address, what they print, and their end."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from runreel.cli import options, stop_signals
from runreel.cli.render import terminal

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator, Sequence

    from starlette.types import ASGIApp

# How long one thread may compute while others wait; Python's default is 5 ms.
_SWITCH_SECONDS = 0.0005


def address(command: options.Command) -> options.Command:
    """Add ``--port`` and ``--host``."""
    command = click.option(
        "--host",
        type=options.TEXT,
        default="127.0.0.1",
        help="Address or name to listen on.",
    )(command)
    return click.option(
        "--port", type=click.IntRange(0, 65535), default=0, help="0 is any free port."
    )(command)


@contextmanager
def listening(host: str, port: int, risk: str) -> Iterator[socket.socket]:
    """Listen on an address; ``risk`` is what anyone can do who reaches it.

    Raises:
        UsageError: if it cannot.
    """
    from runreel.serving import server

    listener = server.listen(host, port)
    try:
        if not server.is_loopback(host):
            terminal.write_notice(
                ("Warning: ", "yellow"), f"other machines reach {host}. Anyone on them can {risk}."
            )
        yield listener
    finally:
        listener.close()


def serve(
    app: ASGIApp,
    host: str,
    listener: socket.socket,
    urls: Callable[[str], Sequence[str]],
    *,
    has_lifespan: bool = False,
) -> None:
    """Serve ``app`` until a signal; once it listens, print what ``urls`` makes of its origin.

    Raises:
        KeyboardInterrupt: at the end.
    """
    from runreel.serving import server

    shown = f"[{host}]" if ":" in host else host
    origin = f"http://{shown}:{listener.getsockname()[1]}"

    def on_start(_server: object) -> None:
        terminal.write("\n".join(urls(origin)), flush=True)

    # A thread that reads the log must not keep the answers of other programs waiting.
    sys.setswitchinterval(_SWITCH_SECONDS)
    with stop_signals.stop_on_signals():
        server.run(app, listener, on_start=on_start, has_lifespan=has_lifespan)
    # A shell lets programs in the background ignore Ctrl-C; the server ends all the same.
    raise KeyboardInterrupt


def print_problem(message: str) -> None:
    """Print why a request was refused: the program may hide the error."""
    terminal.write_notice(message)
