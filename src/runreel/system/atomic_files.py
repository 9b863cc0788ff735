"""Files that nobody else may read, and that are there whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from typing import TYPE_CHECKING

from runreel.model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS)


@contextlib.contextmanager
def atomic_create(path: Path) -> Iterator[Path]:
    """An empty file beside ``path`` that takes its name in the end, on the disk and never over it.

    Only its owner can read it. If the block is left by an exception it vanishes.

    Raises:
        UsageError: if there is a file of that name, or none can be made.
    """
    with errors(path):
        refuse_existing(path)
        # A file gets its name by a second link: renaming would put it over another one.
        hidden = path.parent / f".runreel-{secrets.token_hex(8)}.tmp"
        os.close(os.open(hidden, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    try:
        yield hidden
        with errors(path):
            sync(hidden)
            _name(hidden, path)
    finally:
        with contextlib.suppress(OSError):
            hidden.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        sync(path.parent)


def create(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Write a file that was not there, to the disk.

    Raises:
        UsageError: if there is a file of that name, or none can be made.
    """
    with errors(path):
        refuse_existing(path)
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            sync(path)
        except OSError:
            # Half a file would be in the way of the next try.
            path.unlink()
            raise
        with contextlib.suppress(OSError):
            sync(path.parent)


def refuse_existing(path: Path) -> None:
    """See that there is no such file.

    Raises:
        UsageError: if there is.
    """
    if os.path.lexists(path):
        raise UsageError(f"{path} is there already", hint="Nothing was changed. Name a new file.")


@contextlib.contextmanager
def errors(path: Path) -> Iterator[None]:
    """Turn what the system says of a file into an error of ours."""
    try:
        yield
    except OSError as error:
        raise UsageError(f"cannot use {path}: {error.strerror or error}") from error


def sync(path: Path) -> None:
    """Wait until a file, or the names in a directory, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _name(hidden: Path, path: Path) -> None:
    try:
        os.link(hidden, path)
    except FileExistsError:
        refuse_existing(path)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # Without links the name is taken first, by an empty file that nobody else would replace.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        hidden.replace(path)
