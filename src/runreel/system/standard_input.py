"""Standard input of `record`: whether it is a pipe, and its chunks as they arrive."""

from __future__ import annotations

import os
import stat
import sys
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runreel.system.arrivals import Arrivals

# Options of the root command that take a value.
_WITH_VALUE = ("--db", "--color")

_started: list[Arrivals] = []


def start_early(arguments: Sequence[str]) -> None:
    """Start reading standard input now if the command line records from a pipe.

    The first lines then arrive while modules are imported and the log is opened.
    """
    if _records(arguments) and _kind(0) in (stat.S_IFIFO, stat.S_IFSOCK):
        from runreel.system.arrivals import Arrivals

        _started.append(Arrivals(0))


def arrivals() -> Arrivals | None:
    """Return the chunks of standard input, or None for a file, which has no arrival times."""
    if _started:
        return _started.pop()
    descriptor = _descriptor()
    if descriptor is None or _kind(descriptor) == stat.S_IFREG:
        return None
    from runreel.system.arrivals import Arrivals

    return Arrivals(descriptor)


def is_given() -> bool:
    """Return whether standard input is a pipe, a socket or a file."""
    descriptor = _descriptor()
    kinds = (stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFREG)
    return bool(_started) or (descriptor is not None and _kind(descriptor) in kinds)


def _records(arguments: Sequence[str]) -> bool:
    position = 0
    while position < len(arguments) and arguments[position].startswith("-"):
        position += 2 if arguments[position] in _WITH_VALUE else 1
    command, *options = arguments[position:] or [""]
    if command != "record" or not {"-h", "--help"}.isdisjoint(options):
        return False
    file = "-"
    for option, value in pairwise([*options, ""]):
        name, equals, inline = option.partition("=")
        if name == "--input":
            file = inline if equals else value
    return file == "-"


def _descriptor() -> int | None:
    """Return the file descriptor of ``sys.stdin``, or None if it has none."""
    try:
        return sys.stdin.fileno()
    except (AttributeError, OSError, ValueError):
        return None


def _kind(descriptor: int) -> int | None:
    try:
        return stat.S_IFMT(os.fstat(descriptor).st_mode)
    except OSError:
        return None
