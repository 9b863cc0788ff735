"""Checks of a SQLite log's files and of their file system."""

from __future__ import annotations

import os
import re
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from runreel.doctor.checks import BAD, OK, WARN, Check

if TYPE_CHECKING:
    from collections.abc import Iterator

_MIB = 2**20
_LARGE_WAL = 64 * _MIB
_LOW_SPACE = 1024 * _MIB
_NO_SPACE = 64 * _MIB

_MOUNTS = Path("/proc/self/mounts")
_NETWORK = frozenset(
    (
        *("9p", "acfs", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "glusterfs", "gpfs"),
        *("lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "prl_fs", "smb3", "smbfs"),
        *("vboxsf", "virtiofs", "vmhgfs"),
    )
)
_VOLATILE = ("ramfs", "tmpfs")


def check_files(path: Path) -> Iterator[Check]:
    """Check the database file, its WAL and its file system."""
    # A symbolic link has neither a file system nor permissions of its own.
    path = path.resolve()
    yield _wal(_sibling(path, "-wal"))
    if _MOUNTS.exists():
        yield check_file_system(file_system(path, _MOUNTS.read_text("utf-8", "replace")))
    size = path.stat().st_size if path.exists() else 0
    yield check_free_space(shutil.disk_usage(path.parent).free, size)
    if os.name == "posix":
        yield _permissions(path)


def file_system(path: Path, mounts: str) -> str | None:
    """Return the type of the file system of a path, according to the text of /proc/mounts."""
    best: tuple[int, str | None] = (-1, None)
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        # Spaces in a mount point are octal escapes.
        point = re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), fields[1])
        # If several are mounted at one point, the last one is visible.
        if path.is_relative_to(point) and len(point) >= best[0]:
            best = (len(point), fields[2])
    return best[1]


def check_file_system(kind: str | None) -> Check:
    """Check that SQLite works safely on a file system of this type."""
    if kind is not None and (kind in _NETWORK or kind.startswith("fuse.")):
        return Check(
            "file system",
            BAD,
            f"{kind}: locks and shared memory do not work between hosts",
            "Keep the file on a local disk; use Postgres for several machines.",
        )
    if kind in _VOLATILE:
        return Check("file system", WARN, f"{kind}: lost at the next restart", "Keep it on a disk.")
    return Check("file system", OK, kind or "unknown")


def check_free_space(free: int, size: int) -> Check:
    """Check that ``free`` bytes are enough for a log of ``size`` bytes."""
    found = f"{free // _MIB:,} MiB"
    if free < _NO_SPACE:
        return Check("free space", BAD, found, "Free some space: recording will soon fail.")
    if free < max(_LOW_SPACE, size):
        return Check(
            "free space",
            WARN,
            f"{found}, the log has {size // _MIB:,} MiB",
            "Free some space: a backup or a purge needs as much as the log itself.",
        )
    return Check("free space", OK, found)


def _wal(path: Path) -> Check:
    size = path.stat().st_size if path.exists() else 0
    found = f"{size // 1024:,} KiB"
    if size <= _LARGE_WAL:
        return Check("wal size", OK, found)
    return Check(
        "wal size",
        WARN,
        found,
        "A long-running reader or a crashed program holds it: end it. The next writer shrinks it.",
    )


def _permissions(path: Path) -> Check:
    folder = path.parent.stat().st_mode
    if folder & 0o022 and not folder & stat.S_ISVTX:
        return Check(
            "permissions",
            BAD,
            f"other users can create files in {path.parent} and replace the log",
            f"chmod go-w {path.parent}",
        )
    files = (path, _sibling(path, "-wal"), _sibling(path, "-shm"))
    modes = {file: stat.S_IMODE(file.stat().st_mode) for file in files if file.exists()}
    return _check_modes({str(file): mode for file, mode in modes.items() if mode & 0o077})


def _check_modes(wide: dict[str, int]) -> Check:
    """Check the modes of files that users other than the owner may use."""
    if not wide:
        return Check("permissions", OK, "only the owner can read and write it")
    writable = any(mode & 0o022 for mode in wide.values())
    return Check(
        "permissions",
        BAD if writable else WARN,
        f"other users can {'write' if writable else 'read'} it: {max(wide.values()):o}",
        f"chmod 600 {' '.join(wide)}",
    )


def _sibling(path: Path, end: str) -> Path:
    return path.with_name(path.name + end)
