"""Signals that stop a recording: the first one closes it as interrupted."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import click

from runreel.cli.render import terminal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

# A shell reports this plus the signal number for a process that a signal ended.
_SIGNAL_EXIT_BASE = 128
_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


class Terminated(BaseException):
    """Raised by a stop signal other than SIGINT."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


@contextmanager
def stop_on_signals() -> Iterator[None]:
    """Raise at the first stop signal and ignore later ones.

    Ctrl-C raises KeyboardInterrupt. SIGTERM and SIGHUP exit with 143 and 129. A signal that
    was ignored before stays ignored. After a signal, later ones are ignored until the process ends.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = {
        number: handler
        for number in _SIGNALS
        if (handler := signal.getsignal(number)) not in (signal.SIG_IGN, None)
    }

    stopped = False

    def stop(number: int, _frame: FrameType | None) -> NoReturn:
        nonlocal stopped
        stopped = True
        # A second Ctrl-C must not interrupt the closing of the recording.
        for other in previous:
            signal.signal(other, signal.SIG_IGN)
        raise KeyboardInterrupt if number == signal.SIGINT else Terminated(number)

    for number in previous:
        signal.signal(number, stop)
    try:
        yield
    except Terminated as error:
        terminal.write_notice(f"Stopped by {error}.")
        raise click.exceptions.Exit(_SIGNAL_EXIT_BASE + error.number) from None
    finally:
        # After a signal the process exits, and a second one must not change its exit code.
        for number, handler in previous.items() if not stopped else ():
            signal.signal(number, handler)
