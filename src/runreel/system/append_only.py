"""Files to which processes append one after the other."""

from __future__ import annotations

import contextlib
import os
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def locked_append(path: Path) -> Iterator[IO[bytes]]:
    """Yield a file to read and then to append to, which no other process appends to meanwhile.

    It is created if it does not exist, and only its owner can read it then. What was appended is
    synced at the end of the block, and removed if the block or the writing raises.

    Raises:
        OSError: if the file cannot be opened or written.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
    with os.fdopen(handle, "r+b", buffering=0) as file:
        _lock(handle)
        size = os.fstat(handle).st_size
        try:
            with os.fdopen(handle, "r+b", closefd=False) as buffered:
                yield buffered
            os.fsync(handle)
        except BaseException:
            with contextlib.suppress(OSError):
                file.truncate(size)
            raise


def _lock(handle: int) -> None:
    try:
        import fcntl
    except ImportError:
        # Windows has no such lock.
        return
    fcntl.flock(handle, fcntl.LOCK_EX)
