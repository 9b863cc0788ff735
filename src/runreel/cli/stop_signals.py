"""Signals that stop a recording: the first one ends it in order, as interrupted."""

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

# A shell's exit code of a process that a signal ended is this and the signal's number.
_SIGNALLED = 128
_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


class Terminated(BaseException):
    """A signal other than Ctrl-C has asked the process to stop."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


@contextmanager
def stop_on_signals() -> Iterator[None]:
    """Raise at the first signal that asks the process to stop; ignore those that follow.

    Ctrl-C is a KeyboardInterrupt as ever. SIGTERM and SIGHUP exit with 143 and 129. A signal that
    the process ignored before stays ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {
        number: handler
        for number in _SIGNALS
        if (handler := signal.getsignal(number)) not in (signal.SIG_IGN, None)
    }

    def stop(number: int, _frame: FrameType | None) -> NoReturn:
        # Writing the end of the recording must not be cut short by an impatient second Ctrl-C.
        for other in before:
            signal.signal(other, signal.SIG_IGN)
        raise KeyboardInterrupt if number == signal.SIGINT else Terminated(number)

    for number in before:
        signal.signal(number, stop)
    try:
        yield
    except Terminated as error:
        terminal.write_notice(f"Stopped by {error}.")
        raise click.exceptions.Exit(_SIGNALLED + error.number) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
