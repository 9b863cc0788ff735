"""Backups of a SQLite log: made while others write, whole or not there, and verified."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, NamedTuple

from runreel.audit.verify import VerifiedCounts, verify
from runreel.model.errors import AuditError, UsageError
from runreel.store import database_url
from runreel.store.admin import sqlite_backup
from runreel.store.database import Database
from runreel.system import atomic_files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from runreel.model.finding import Finding

    Progress = Callable[[int, int], None]

_PROGRESS_STEPS = 20


class Backup(NamedTuple):
    """A backup; ``size`` in bytes. ``wrong`` is how much is wrong with it, and so with the log.

    ``findings`` are the first of that.
    """

    path: Path
    size: int
    runs: int
    events: int
    wrong: int
    findings: tuple[Finding, ...]


def backup(database: Database, path: Path, *, progress: Progress | None = None) -> Backup:
    """Put a copy of the log, as it is at one moment, into a new file that only its owner can read.

    It is read and verified before it gets its name. ``progress`` is told bytes done and in all:
    each is written once and read once.

    Raises:
        UsageError: if the log is on Postgres, which has tools of its own, or the file is there.
        AuditError: if the copy's file is not sound; there is no file then.
    """
    if database.postgres:
        raise UsageError(
            "runreel backs up SQLite files only",
            hint=f"Run {_pg_dump(database, path)}. pg_dump asks for the password by itself.",
        )
    with atomic_files.atomic_create(path) as hidden:
        with database.reading() as connection:
            sqlite_backup.backup_to(connection, hidden, progress=_written(progress))
        size = hidden.stat().st_size
        extent, wrong, told = _verified(hidden, _read(progress, size))
    return Backup(path, size, extent.runs, extent.events, wrong, tuple(told))


def _pg_dump(database: Database, path: Path) -> str:
    options = ("--format=custom", f"--file={path}", f"--dbname={database.url.without_passwords}")
    return shlex.join(("pg_dump", *options))


def _written(progress: Progress | None) -> Progress | None:
    return progress and (lambda done, total: progress(done, 2 * total))


def _read(progress: Progress | None, size: int) -> Progress | None:
    return progress and (
        lambda done, total: progress(size + size * done // max(total, 1), 2 * size)
    )


def _verified(path: Path, progress: Progress | None) -> tuple[VerifiedCounts, int, list[Finding]]:
    uri = database_url.file_uri(path, "mode=ro&immutable=1&uri=true")
    copy = Database(f"sqlite:///{uri}", create=False)
    extent, wrong, told = VerifiedCounts(), 0, []
    try:
        with copy.reading() as connection:
            for finding in verify(connection, progress=progress, extent=extent):
                if finding.what == "file":
                    raise AuditError(
                        f"the copy is damaged: {finding.detail}",
                        hint="Nothing was kept of it. Is the disk sound?",
                    )
                wrong += 1
                if wrong <= _PROGRESS_STEPS:
                    told.append(finding)
    finally:
        copy.close()
    return extent, wrong, told
