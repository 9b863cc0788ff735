"""Identity of this process, and whether another process is alive."""

from __future__ import annotations

import os
import socket
from functools import cache
from pathlib import Path
from typing import NamedTuple


class Process(NamedTuple):
    """A process on a host; ``started`` distinguishes reused pids and is None if unknown."""

    host: str
    pid: int
    started: int | None


def this() -> Process:
    """Return the identity of the current process, or of the one that it stands for."""
    return _stands_for.get(pid := os.getpid()) or _this(pid)


def stand_for(process: Process) -> None:
    """Let ``this`` return another process in this one: a worker stands for the one it works for."""
    _stands_for[os.getpid()] = process


def alive(process: Process) -> bool | None:
    """Return whether the process still runs, or None if it is on another host."""
    if process.host != socket.gethostname():
        return None
    try:
        os.kill(process.pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    started = _started(process.pid)
    return started is None or process.started is None or started == process.started


# By pid, because a fork inherits it.
_stands_for: dict[int, Process] = {}


@cache
def _this(pid: int) -> Process:
    return Process(socket.gethostname(), pid, _started(pid))


def _started(pid: int) -> int | None:
    """Return the clock ticks from boot to the start of a process, or None (Linux only)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        # The process name, in parentheses, may itself contain spaces and parentheses.
        return int(stat.rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None
