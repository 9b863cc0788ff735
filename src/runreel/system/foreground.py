"""Runs a program in the foreground of a terminal, as a shell does."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import FrameType

# A shell reports this plus the number of the signal that ended a program.
SIGNAL_EXIT_BASE = 128
_PASSED = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2")
# A terminal sends these to each process in its foreground by itself.
_OF_TERMINAL = ("SIGINT", "SIGQUIT")


def run(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a program to its end and return its exit code, 128 + n after signal n.

    Signals that arrive meanwhile are passed to it.

    Raises:
        OSError: if it cannot be started.
    """
    arrived: list[int] = []
    program: subprocess.Popen[bytes] | None = None

    def deliver(number: int) -> None:
        if program is None:
            arrived.append(number)
        else:
            program.send_signal(number)

    with _signals(deliver):
        program = subprocess.Popen(command, env=dict(environment))  # noqa: S603 - the user's own
        for number in arrived:
            program.send_signal(number)
        code = program.wait()
    return code if code >= 0 else SIGNAL_EXIT_BASE - code


@contextmanager
def _signals(deliver: Callable[[int], object]) -> Iterator[None]:
    """Hand over the signals that arrive; those that were ignored before stay ignored."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in _PASSED if hasattr(signal, name)]
    previous = {
        number: handler
        for number in numbers
        if (handler := signal.getsignal(number)) not in (signal.SIG_IGN, None)
    }

    def arrive(number: int, _frame: FrameType | None) -> None:
        if signal.Signals(number).name not in _OF_TERMINAL or not _in_foreground():
            deliver(number)

    for number in previous:
        signal.signal(number, arrive)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _in_foreground() -> bool:
    """Whether a terminal sends its signals to this process, and so to its child as well."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
