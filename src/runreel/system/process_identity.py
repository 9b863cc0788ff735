"""Which process this is, and whether another still lives."""

from __future__ import annotations

import os
import socket
from functools import cache
from pathlib import Path
from typing import NamedTuple


class Process(NamedTuple):
    """A process on a host. ``started`` tells it from a later one of the same pid, None unknown."""

    host: str
    pid: int
    started: int | None


def this() -> Process:
    """The process we are in."""
    return _this(os.getpid())


def alive(process: Process) -> bool | None:
    """Whether it still runs; None where it is on another host and cannot be seen."""
    if process.host != socket.gethostname():
        return None
    try:
        os.kill(process.pid, 0)
    except ProcessLookupError:
        return False
    except OverflowError:
        return False
    except PermissionError:
        pass
    started = _started(process.pid)
    return started is None or process.started is None or started == process.started


@cache
def _this(pid: int) -> Process:
    return Process(socket.gethostname(), pid, _started(pid))


def _started(pid: int) -> int | None:
    """Clock ticks from boot to the start of a process, where the system tells (Linux)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        # The name, in brackets, may hold blanks and brackets itself.
        return int(stat.rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None
