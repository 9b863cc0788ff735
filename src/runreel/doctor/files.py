"""The files of a SQLite log and where they lie."""

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
_LITTLE = 1024 * _MIB
_VERY_LITTLE = 64 * _MIB

_MOUNTS = Path("/proc/self/mounts")
_SHARED = frozenset(
    (
        *("9p", "acfs", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "glusterfs", "gpfs"),
        *("lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "prl_fs", "smb3", "smbfs"),
        *("vboxsf", "virtiofs", "vmhgfs"),
    )
)
_FLEETING = ("ramfs", "tmpfs")


def around(path: Path) -> Iterator[Check]:
    """The log's file, those that SQLite puts beside it, and their file system."""
    # What a link points to is what has a file system and permissions.
    path = path.resolve()
    yield _wal(_beside(path, "-wal"))
    if _MOUNTS.exists():
        yield system(file_system(path, _MOUNTS.read_text("utf-8", "replace")))
    size = path.stat().st_size if path.exists() else 0
    yield space(shutil.disk_usage(path.parent).free, size)
    if os.name == "posix":
        yield _permissions(path)


def file_system(path: Path, mounts: str) -> str | None:
    """The type of the file system that a path is on, as the lines of /proc/mounts say."""
    best: tuple[int, str | None] = (-1, None)
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        # Blanks in a name are written as octal digits.
        point = re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), fields[1])
        # Of several on one place the last one counts.
        if path.is_relative_to(point) and len(point) >= best[0]:
            best = (len(point), fields[2])
    return best[1]


def system(kind: str | None) -> Check:
    """Whether SQLite may be trusted to a file system of this type."""
    if kind is not None and (kind in _SHARED or kind.startswith("fuse.")):
        return Check(
            "file system",
            BAD,
            f"{kind}: locks and shared memory do not hold between hosts",
            "Keep the file on a disk of this machine; for several machines use Postgres.",
        )
    if kind in _FLEETING:
        return Check(
            "file system", WARN, f"{kind}: gone with the next restart", "Keep it on a disk."
        )
    return Check("file system", OK, kind or "unknown")


def space(free: int, size: int) -> Check:
    """Whether so many free bytes are enough for a file of this size."""
    found = f"{free // _MIB:,} MiB"
    if free < _VERY_LITTLE:
        return Check("free space", BAD, found, "Make room: soon nothing more can be recorded.")
    if free < max(_LITTLE, size):
        return Check(
            "free space",
            WARN,
            f"{found}, the log has {size // _MIB:,} MiB",
            "Make room: a backup or a purge needs as much again as the log has.",
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
        "Somebody reads without an end, or a program died: end it; the next writer shortens it.",
    )


def _permissions(path: Path) -> Check:
    files = [file for file in (path, _beside(path, "-wal"), _beside(path, "-shm")) if file.exists()]
    modes = {file: stat.S_IMODE(file.stat().st_mode) for file in files}
    folder = path.parent.stat().st_mode
    if folder & 0o022 and not folder & stat.S_ISVTX:
        return Check(
            "permissions",
            BAD,
            f"others may put files into {path.parent}: another one in the log's place, too",
            f"chmod go-w {path.parent}",
        )
    wide = {file: mode for file, mode in modes.items() if mode & 0o077}
    if not wide:
        return Check("permissions", OK, "only the owner reads and writes it")
    writable = any(mode & 0o022 for mode in wide.values())
    names = " ".join(str(file) for file in wide)
    return Check(
        "permissions",
        BAD if writable else WARN,
        f"others may {'write' if writable else 'read'} it: {max(wide.values()):o}",
        f"chmod 600 {names}",
    )


def _beside(path: Path, end: str) -> Path:
    return path.with_name(path.name + end)
