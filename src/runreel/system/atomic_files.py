"""Files that only their owner can read and that appear complete or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from typing import TYPE_CHECKING

from runreel.model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS)


@contextlib.contextmanager
def atomic_create(path: Path, *, mode: int = 0o600, replace: bool = False) -> Iterator[Path]:
    """Yield a temporary file that is synced and renamed to ``path`` at the end of the block.

    By default only its owner can read it, and an existing file is not replaced. If the block
    raises, the temporary file is deleted.

    Raises:
        UsageError: if ``path`` exists or cannot be created.
    """
    with errors(path):
        if replace:
            _refuse_folder(path)
        else:
            refuse_existing(path)
        # The name is added by a hard link, because a rename would replace an existing file.
        temporary = path.parent / f".runreel-{secrets.token_hex(8)}.tmp"
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_RDWR, mode))
    try:
        yield temporary
        with errors(path):
            sync(temporary)
            if replace:
                temporary.replace(path)
            else:
                _link(temporary, path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        sync(path.parent)


@contextlib.contextmanager
def atomic_folder(path: Path, *, replace: bool = False) -> Iterator[Path]:
    """Yield a temporary folder that is renamed to ``path`` at the end of the block.

    Only its owner can read it. Its files are synced. With ``replace``, an existing folder is
    removed once the new one has its name. If the block raises, the temporary folder is deleted.

    Raises:
        UsageError: if ``path`` exists or cannot be created.
    """
    with errors(path):
        if not replace:
            refuse_existing(path)
        elif os.path.lexists(path) and (path.is_symlink() or not path.is_dir()):
            raise UsageError(f"{path} is a file, not a folder", hint="Nothing was changed.")
        temporary = path.parent / f".runreel-{secrets.token_hex(8)}.tmp"
        temporary.mkdir(mode=0o700)
    try:
        yield temporary
        with errors(path):
            for file in temporary.rglob("*"):
                sync(file)
            _move_folder(temporary, path, replace=replace)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    with contextlib.suppress(OSError):
        sync(path.parent)


def _move_folder(temporary: Path, path: Path, *, replace: bool) -> None:
    if replace and path.exists():
        old = path.parent / f".runreel-{secrets.token_hex(8)}.old"
        path.rename(old)
        try:
            temporary.rename(path)
        except OSError:
            old.rename(path)
            raise
        shutil.rmtree(old, ignore_errors=True)
    else:
        # A rename replaces an empty folder that was made meanwhile, which is harmless.
        temporary.rename(path)


def create(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Create a file with ``data`` as ``atomic_create`` does."""
    with atomic_create(path, mode=mode) as temporary, errors(path):
        temporary.write_bytes(data)


def refuse_existing(path: Path, *, hint: str = "Name a new file.") -> None:
    """Check that ``path`` does not exist; ``hint`` says what to do if it does.

    Raises:
        UsageError: if it exists.
    """
    if os.path.lexists(path):
        raise UsageError(f"{path} already exists", hint=f"Nothing was changed. {hint}")


def _refuse_folder(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        raise UsageError(f"{path} is a folder", hint="Nothing was changed. Name a file.")


@contextlib.contextmanager
def errors(path: Path) -> Iterator[None]:
    """Convert an ``OSError`` about ``path`` to a ``UsageError``."""
    try:
        yield
    except OSError as error:
        raise UsageError(f"cannot use {path}: {error.strerror or error}") from error


def sync(path: Path) -> None:
    """Sync a file, or the entries of a directory, to disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _link(temporary: Path, path: Path) -> None:
    try:
        os.link(temporary, path)
    except FileExistsError:
        refuse_existing(path)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # Without hard links, an empty file reserves the name before the rename.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        temporary.replace(path)
